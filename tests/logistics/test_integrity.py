"""Signed digests and verification on both databases: whatever an intruder does to the record is found and named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from logistics.domain.custody import canonical_json, chain_hash
from logistics.domain.diagnosis import Kind
from logistics.domain.digests import Digest, signed_bytes, text_hash
from logistics.errors import Conflict, Unavailable
from logistics.integrity import check, digests, keys
from logistics.integrity.keys import Signer
from logistics.models import AuditEntry, CustodyDigest, CustodyEvent, CustodyLane, SigningKey
from logistics.services import prints
from tests import factories as f
from tests.tamper import unlocked

pytestmark = pytest.mark.both_databases

NEXT = f.START + timedelta(days=1)
NIGHT = datetime(2026, 3, 10, 16, 30, tzinfo=UTC)
"""Half past midnight of 11 March in Xianning: two days are over."""


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "signing_key"


@pytest.fixture
def signer(session: Session, key_file: Path) -> Signer:
    """Two days of work, and the key of the installation."""
    f.world(session)
    f.sealed(session, ("T1", "T2"))
    f.done(session, "manager", f.act("note", {"specimen": "T1"}, {"note": "next day"}, at=NEXT))
    made = keys.ensure(session, key_file, now=f.START)
    session.commit()
    return made


@pytest.fixture
def signed(session: Session, signer: Signer, key_file: Path) -> Session:
    sign(session, signer, key_file)
    return session


def sign(session: Session, signer: Signer, key_file: Path, now: datetime = NIGHT) -> list[str]:
    folder, made = digests.witness_folder(key_file), []
    while (one := digests.make_next(session, signer, folder, now=now)) is not None:
        session.commit()
        digests.keep_witness(folder, [one])
        made.append(one.day)
    session.rollback()
    return made


def look(session: Session, key_file: Path, *, anchor: str | None = None, now: datetime = NIGHT) -> check.Report:
    session.commit()
    signer = keys.load(key_file)
    anchor = anchor or (signer.public_key if signer else None)
    return check.verify(session, now=now, anchor=anchor, folder=digests.witness_folder(key_file))


def named(report: check.Report) -> list[tuple[str, int, Kind]]:
    return [(one.subject, one.seq, one.kind) for one in report.findings]


def tube(session: Session, accession: str = "T1") -> str:
    return f"specimen:{f.find(session, accession).id}"


def test_every_day_gets_one_digest_that_follows_the_last(signed: Session, signer: Signer, key_file: Path) -> None:
    """Two days, two digests; asked again nothing is made; an empty day gets one; the record is whole."""
    days = [Digest.from_text(one.text) for one in signed.scalars(select(CustodyDigest).order_by(CustodyDigest.number))]
    assert [(one.day, one.number, one.streams, one.events) for one in days] == [
        ("2026-03-09", 1, 3, 10), ("2026-03-10", 2, 1, 1),
    ]  # fmt: skip
    assert days[0].acts == len(signed.execute(text("SELECT 1 FROM act")).all()) - 1
    assert sign(signed, signer, key_file) == []
    assert sign(signed, signer, key_file, NIGHT + timedelta(days=1)) == ["2026-03-11"]
    report = look(signed, key_file, now=NIGHT + timedelta(days=1))
    assert report.whole, report.findings
    assert (report.events, report.streams, report.digests, report.unsigned) == (11, 3, 3, 0)


def test_a_day_is_not_signed_before_it_is_over(session: Session, signer: Signer, key_file: Path) -> None:
    """Ten minutes after midnight, not before: what began on the day is committed by then."""
    midnight = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
    assert sign(session, signer, key_file, midnight + timedelta(minutes=9)) == []
    assert sign(session, signer, key_file, midnight + timedelta(minutes=10)) == ["2026-03-09"]


@pytest.mark.parametrize("table", ["custody_event", "manifest_version", "custody_digest", "custody_digest_leaf",
                                   "signing_key", "act", "audit_entry", "print_entry"])  # fmt: skip
def test_the_database_refuses_to_change_the_record(signed: Session, table: str) -> None:
    """UPDATE and DELETE (and TRUNCATE on PostgreSQL) raise an error that names the table."""
    signed.add(AuditEntry(at=f.START, username="nurse", action="login"))
    prints.log(signed, "manifest", "CN2603090001K", by="nurse", now=f.START)
    signed.commit()
    columns = {"signing_key": "public_key", "act": "body", "manifest_version": "seal_number"}
    column = columns.get(table, "username" if table in {"audit_entry", "print_entry"} else "hash")
    statements = [f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"]
    if signed.get_bind().dialect.name == "postgresql":
        statements.append(f"TRUNCATE {table} CASCADE")
    for statement in statements:
        with pytest.raises(DBAPIError, match=rf"append-only: {statement.split()[0]} on {table} is refused"):
            signed.execute(text(statement))
        signed.rollback()


def test_an_edited_event_is_named(signed: Session, key_file: Path) -> None:
    """The text of an event, and a column beside the text of another."""
    with unlocked(signed):
        signed.execute(
            text("UPDATE custody_event SET body = replace(body, 'CBC', 'ESR') WHERE stream = :s AND seq = 1"),
            {"s": tube(signed)},
        )
        signed.execute(
            text("UPDATE custody_event SET actor = 'nurse2' WHERE stream = :s AND seq = 2"), {"s": tube(signed, "T2")}
        )
    assert named(look(signed, key_file)) == [(tube(signed), 1, Kind.EDITED), (tube(signed, "T2"), 2, Kind.EDITED)]


def test_a_rewritten_chain_is_named(signed: Session, key_file: Path) -> None:
    """An intruder who computes every hash anew, the tube's own row included: the signed head knows."""
    stream, head = tube(signed), None
    with unlocked(signed):
        rows = signed.scalars(select(CustodyEvent).where(CustodyEvent.stream == stream).order_by(CustodyEvent.seq))
        for row in rows.all():
            body = row.body.replace("CBC", "ESR")
            previous = head or row.prev_hash
            head = chain_hash(previous, body)
            signed.execute(
                text("UPDATE custody_event SET body = :b, prev_hash = :p, hash = :h WHERE position = :n"),
                {"b": body, "p": previous, "h": head, "n": row.position},
            )
        signed.execute(text("UPDATE specimen SET stream_head = :h WHERE accession = 'T1'"), {"h": head})
    assert named(look(signed, key_file)) == [(stream, 1, Kind.REWRITTEN)]


def test_removed_events_are_named(signed: Session, key_file: Path) -> None:
    """From the middle, the last of a signed stream, and a whole stream with its tube's row zeroed."""
    first, second = tube(signed), tube(signed, "T2")
    consignment = signed.scalars(select(CustodyEvent.stream).where(CustodyEvent.type == "opened")).one()
    with unlocked(signed):
        for stream, seq in ((first, 5), (consignment, 1)):
            signed.execute(text("DELETE FROM custody_event WHERE stream = :s AND seq = :n"), {"s": stream, "n": seq})
        signed.execute(text("DELETE FROM custody_event WHERE stream = :s"), {"s": second})
        signed.execute(text("UPDATE specimen SET stream_seq = 4 WHERE accession = 'T1'"))
        signed.execute(text("UPDATE specimen SET stream_seq = 0, stream_head = '' WHERE accession = 'T2'"))
    report = look(signed, key_file)
    assert (first, 5, Kind.REMOVED) in named(report)
    assert (consignment, 1, Kind.REMOVED) in named(report)
    assert [one for one in named(report) if one[0] == second] == [
        (second, seq, Kind.REMOVED) for seq in range(1, len([1, 2, 3, 4]) + 1)
    ]


def test_the_last_event_of_today_is_missed(session: Session, signer: Signer, key_file: Path) -> None:
    """No digest knows it yet; the row of its tube does, its act has no event any more, and its lane ends too early."""
    sign(session, signer, key_file, NIGHT - timedelta(days=1))
    stream = tube(session)
    with unlocked(session):
        session.execute(text("DELETE FROM custody_event WHERE stream = :s AND seq = 5"), {"s": stream})
    found = named(look(session, key_file, now=NEXT))
    assert [(subject, kind) for subject, _, kind in found if not subject.startswith("act ")] == [
        ("log lane 1", Kind.REMOVED), (stream, Kind.REMOVED),
    ]  # fmt: skip
    assert [kind for subject, _, kind in found if subject.startswith("act ")] == [Kind.ACT]


def test_an_inserted_event_is_named(signed: Session, key_file: Path) -> None:
    """A well-made event at the end of a signed day's stream, its tube's row brought in line."""
    stream = tube(signed, "T2")
    last = signed.scalars(
        select(CustodyEvent).where(CustodyEvent.stream == stream).order_by(CustodyEvent.seq.desc())
    ).first()
    assert last is not None
    head = signed.get_one(CustodyLane, last.lane)
    said = {"seq": last.seq + 1, "type": "noted", "log": [head.lane, head.last + 1]}
    body = canonical_json({**json.loads(last.body), **said})
    digest = chain_hash(last.hash, body)
    with unlocked(signed):
        signed.add(
            CustodyEvent(
                stream=stream, seq=last.seq + 1, type="noted", act_id=last.act_id, occurred_at=last.occurred_at,
                recorded_at=last.recorded_at, actor=last.actor, site_code=last.site_code, body=body,
                prev_hash=last.hash, hash=digest, lane=head.lane, place=head.last + 1,
            )
        )  # fmt: skip
        signed.execute(
            text("UPDATE specimen SET stream_seq = :n, stream_head = :h WHERE accession = 'T2'"),
            {"n": last.seq + 1, "h": digest},
        )
        signed.execute(text("UPDATE custody_lane SET last = last + 1"))
    assert named(look(signed, key_file)) == [(stream, last.seq + 1, Kind.INSERTED)]


def test_reordered_events_are_named(signed: Session, key_file: Path) -> None:
    """Two events exchange their numbers."""
    stream = tube(signed)
    with unlocked(signed):
        for old, new in ((2, 99), (3, 2), (99, 3)):
            signed.execute(
                text("UPDATE custody_event SET seq = :new WHERE stream = :s AND seq = :old"),
                {"s": stream, "old": old, "new": new},
            )
    found = named(look(signed, key_file))
    assert {(stream, 2, Kind.REORDERED), (stream, 3, Kind.REORDERED)} <= set(found)
    assert {subject for subject, _, _ in found} == {stream}


def test_forged_digests_are_named(signed: Session, key_file: Path) -> None:
    """Another text under the old signature; signed by another key; a digest taken out; leaves taken out."""
    old = signed.get_one(CustodyDigest, "2026-03-10")
    forged = old.text.replace('"events":1', '"events":2')
    with unlocked(signed):
        signed.execute(text("UPDATE custody_digest SET text = :t WHERE number = 2"), {"t": forged})
    kinds = {(one.subject, one.kind) for one in look(signed, key_file).findings}
    assert {("digest 2026-03-10", Kind.DIGEST_SIGNATURE), ("digest 2026-03-10", Kind.DIGEST_WITNESS)} <= kinds
    intruder = keys.create(key_file.with_name("intruder"))
    with unlocked(signed):
        signed.execute(
            text("UPDATE custody_digest SET text = :t, signature = :s WHERE number = 2"),
            {"t": old.text, "s": intruder.sign(signed_bytes(old.text))},
        )
    assert ("digest 2026-03-10", 0, Kind.DIGEST_SIGNATURE) in named(look(signed, key_file))
    with unlocked(signed):
        signed.execute(text("DELETE FROM custody_digest WHERE number = 1"))
        signed.execute(text("DELETE FROM custody_digest_leaf WHERE day = '2026-03-09' AND stream LIKE 'spec%'"))
    found = named(look(signed, key_file))
    assert ("digest 2026-03-10", 0, Kind.DIGEST_CHAIN) in found
    assert ("digest 2026-03-09", 0, Kind.DIGEST_MISSING) in found
    with pytest.raises(Conflict, match="digest_witness"):
        sign_again(signed, key_file)


def sign_again(session: Session, key_file: Path) -> None:
    """Somebody has taken all digests out of the database: the copies beside the key forbid new ones."""
    with unlocked(session):
        session.execute(text("DELETE FROM custody_digest"))
    signer = keys.load(key_file)
    assert signer is not None
    digests.make_next(session, signer, digests.witness_folder(key_file), now=NIGHT)


def test_a_record_signed_anew_with_another_key_is_found(signed: Session, key_file: Path) -> None:
    """The intruder brings his own key and signs everything again: it is not the key that was trusted."""
    mine = keys.load(key_file)
    assert mine is not None
    intruder = keys.create(key_file.with_name("intruder"))
    with unlocked(signed):
        signed.execute(text("DELETE FROM custody_digest"))
        signed.execute(text("DELETE FROM custody_digest_leaf"))
        signed.execute(text("DELETE FROM signing_key"))
        keys.ensure(signed, key_file.with_name("intruder"), now=f.START)
    sign(signed, intruder, key_file.with_name("elsewhere") / "intruder")
    report = check.verify(signed, now=NIGHT, anchor=mine.public_key)
    kinds = {one.kind for one in report.findings}
    assert {Kind.KEY, Kind.DIGEST_SIGNATURE} <= kinds
    assert check.verify(signed, now=NIGHT).anchor == intruder.fingerprint  # nobody said whom to trust: it is shown


def test_acts_as_sent_and_manifests_are_signed(signed: Session, key_file: Path) -> None:
    """The text of an act, and a tube struck from a sealed manifest."""
    with unlocked(signed):
        signed.execute(text("UPDATE act SET body = replace(body, 'CBC', 'ESR') WHERE type = 'register'"))
        lines = signed.execute(text("SELECT lines FROM manifest_version")).scalar_one()
        kept = json.dumps((json.loads(lines) if isinstance(lines, str) else lines)[:1])
        cast = "CAST(:l AS jsonb)" if signed.get_bind().dialect.name == "postgresql" else ":l"
        signed.execute(text(f"UPDATE manifest_version SET lines = {cast}"), {"l": kept})
    kinds = [kind for _, _, kind in named(look(signed, key_file))]
    assert kinds == [Kind.ACT, Kind.ACT, Kind.MANIFEST]


def test_rotation_keeps_old_digests_verifiable(signed: Session, signer: Signer, key_file: Path) -> None:
    """A new key, endorsed by the old: both are trusted from either end; an unendorsed one only from itself on."""
    new = keys.rotate(signed, key_file, now=NIGHT)
    signed.commit()
    keys.take_over(key_file)
    assert sign(signed, new, key_file, NIGHT + timedelta(days=1)) == ["2026-03-11"]
    for anchor in (signer.public_key, new.public_key):
        assert look(signed, key_file, anchor=anchor).whole
    key_file.unlink()
    with pytest.raises(Unavailable, match="signing_key_absent"):
        keys.ensure(signed, key_file, now=NIGHT)
    last = keys.rotate(signed, key_file, now=NIGHT + timedelta(days=1), lost=True)
    signed.commit()
    keys.take_over(key_file)
    assert sign(signed, last, key_file, NIGHT + timedelta(days=2)) == ["2026-03-12"]
    assert look(signed, key_file, anchor=last.public_key, now=NIGHT + timedelta(days=2)).whole
    report = look(signed, key_file, anchor=signer.public_key, now=NIGHT + timedelta(days=2))
    assert {one.kind for one in report.findings} == {Kind.KEY, Kind.DIGEST_SIGNATURE}


def test_a_rotation_cut_short_is_finished(signed: Session, key_file: Path) -> None:
    """Committed, but the file was not moved: the next look moves it."""
    new = keys.rotate(signed, key_file, now=NIGHT)
    signed.commit()
    assert keys.ensure(signed, key_file, now=NIGHT).fingerprint == new.fingerprint
    assert len(signed.scalars(select(SigningKey)).all()) == 2


def test_the_key_is_for_its_owner_only(signer: Signer, key_file: Path) -> None:
    """Mode 600, and its text never appears when it is shown."""
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert repr(signer) == f"Signer({signer.fingerprint[:16]})"
    assert text_hash("") != signer.fingerprint
