"""What stands beside the log: whatever an intruder does to manifests, acts, handovers and rows is found and named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from logistics.domain.acts import digest
from logistics.domain.diagnosis import Kind
from logistics.integrity import bundle, check, digests, keys
from logistics.integrity.bundle_check import verify_bundle
from logistics.models import CustodyEvent
from logistics.services import attachments, custody, lanes, network
from tests import factories as f
from tests.tamper import unlocked

pytestmark = pytest.mark.both_databases

LATER = f.START + timedelta(hours=1)
NIGHT = datetime(2026, 3, 9, 16, 30, tzinfo=UTC)
"""Half past midnight of 10 March in Xianning: the day is over."""


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    return session


def found(session: Session, now: datetime = LATER) -> list[tuple[str, int, Kind]]:
    """What a verification names, on the day itself: nothing is signed yet."""
    session.commit()
    return [(one.subject, one.seq, one.kind) for one in check.verify(session, now=now).findings]


def edit(session: Session, statement: str, values: Mapping[str, Any] | None = None) -> None:
    """One edit with the database in one's hands."""
    with unlocked(session):
        session.execute(text(statement), dict(values or {}))


def test_a_new_seal_on_the_way_is_no_tampering(world: Session, tmp_path: Path) -> None:
    """The record of a consignment that was sealed anew is whole, and so is its bundle; an edit of either version is
    named."""
    number = f.fetched(world)
    seal = {"seal": "SLNEW001", "reason": "SEAL_BROKEN"}
    f.done(world, "courier", f.act("reseal", {"consignment": number}, seal, at=LATER))
    assert found(world) == []
    signer = keys.ensure(world, tmp_path / "key", now=f.START)
    world.commit()
    while digests.make_next(world, signer, tmp_path / "digests", now=NIGHT) is not None:
        world.commit()
    (tmp_path / "bundle.zip").write_bytes(bundle.of_consignment(world, number, signer=signer, now=NIGHT))
    report = verify_bundle(tmp_path / "bundle.zip", anchor=signer.public_key)
    assert report.whole, report.findings
    edit(world, "UPDATE manifest_version SET lines = '[]' WHERE version = 2")
    assert [(subject, kind) for subject, _, kind in found(world)] == [(f"manifest {number} version 2", Kind.MANIFEST)]


@pytest.mark.parametrize("column", ["seal_number", "locked_by", "reason", "locked_at"])
def test_the_words_beside_a_manifest_are_compared(world: Session, column: str) -> None:
    """Seal, who locked it, when and why."""
    number = f.sealed(world)
    value = "'x'" if column != "locked_at" else "'2026-03-09 02:03:04.000000+00'"
    if world.get_bind().dialect.name == "sqlite":
        value = value.replace("+00", "")
    edit(world, f"UPDATE manifest_version SET {column} = {value}")
    assert [(subject, kind) for subject, _, kind in found(world)] == [(f"manifest {number} version 1", Kind.MANIFEST)]


# --- before the day is signed --------------------------------------------------------------------------------------


def subjects(session: Session, now: datetime = LATER) -> set[tuple[str, Kind]]:
    """The same without numbers, acts by the word alone."""
    return {(subject.split()[0] if subject.startswith("act ") else subject, kind)
            for subject, _, kind in found(session, now)}  # fmt: skip


def test_acts_are_proven_before_the_day_is_signed(world: Session) -> None:
    """An edited act, a deleted one, one whose hash was made anew, and edits of the columns beside the text."""
    f.sealed(world, ("T1",))
    tube = f"specimen:{f.find(world, 'T1').id}"
    assert found(world) == []
    one = world.execute(text("SELECT id, username, body FROM act WHERE type = 'collect'")).one()
    body = one.body.replace("scanned", "ticked")
    edit(world, "UPDATE act SET body = :b WHERE id = :i", {"b": body, "i": one.id})
    assert found(world) == [(f"act {one.id}", 0, Kind.ACT)]
    values = {"b": body, "h": digest(f"{one.username}\n{body}"), "i": one.id}
    edit(world, "UPDATE act SET body = :b, body_sha256 = :h WHERE id = :i", values)
    assert found(world) == [(tube, 2, Kind.ACT)]
    edit(world, "DELETE FROM act WHERE id = :i", {"i": one.id})
    assert found(world) == [(tube, 2, Kind.ACT)]


@pytest.mark.parametrize("change", ["type = 'hold'", "device = 'x'", "seq = 7", "status = 'refused'",
                                    "occurred_at = recorded_at", "username = 'nurse2'", "status = 'void'"])  # fmt: skip
def test_the_columns_beside_an_act_are_compared(world: Session, change: str) -> None:
    """Whatever is said beside the text, the text and the log say otherwise."""
    f.collected(world, "T1")
    done = f.act("note", {"specimen": "T1"}, {"note": 'he said "yes" \\ 好'}, device="phone \u00e9", at=LATER)
    f.do(world, "manager", done, now=LATER + timedelta(minutes=1))
    late = LATER + timedelta(hours=1)
    assert found(world, late) == []
    edit(world, f"UPDATE act SET {change} WHERE type = 'note'")
    assert set(found(world, late)) == {(f"act {done.id}", 0, Kind.ACT)}  # a status differs from the answer's hash, too


def test_a_tail_that_is_cut_leaves_a_hole(world: Session) -> None:
    """The last event of a tube with its act, the row put back to what it was: other events were recorded since."""
    f.sealed(world, ("T1", "T2"))
    note = f.act("note", {"specimen": "T1"}, {"note": "broken"})
    row = world.execute(text("SELECT stream_seq, stream_head, lines_sum FROM specimen WHERE accession = 'T1'")).one()
    f.done(world, "nurse", note)
    f.done(world, "nurse", f.act("note", {"specimen": "T2"}, {"note": "whole"}))
    with unlocked(world):
        world.execute(text("DELETE FROM custody_event WHERE act_id = :a"), {"a": note.id})
        world.execute(text("DELETE FROM act WHERE id = :a"), {"a": note.id})
        world.execute(
            text("UPDATE specimen SET stream_seq = :s, stream_head = :h WHERE accession = 'T1'"),
            {"s": row.stream_seq, "h": row.stream_head},
        )
    assert subjects(world) == {("log lane 1", Kind.REMOVED)}


def test_a_tube_that_is_taken_out_whole_leaves_a_hole(world: Session) -> None:
    """Its row, its tests, its events and its acts: the places in the log that they had are missing."""
    f.collected(world, "T1")
    f.collected(world, "T2")
    one = f.find(world, "T1").id
    with unlocked(world):
        acts = "SELECT act_id FROM custody_event WHERE stream = :s"
        world.execute(text(f"DELETE FROM act WHERE id IN ({acts})"), {"s": f"specimen:{one}"})
        world.execute(text("DELETE FROM custody_event WHERE stream = :s"), {"s": f"specimen:{one}"})
        world.execute(text("DELETE FROM specimen_test WHERE specimen_id = :i"), {"i": one})
        world.execute(text("DELETE FROM specimen WHERE id = :i"), {"i": one})
    assert found(world) == [("log lane 1", 1, Kind.REMOVED)]


def test_what_was_refused_leaves_no_hole(world: Session) -> None:
    """A handover that fails after it has written, a number that exists, and what was done after them."""
    number = f.sealed(world, ("T1", "T2"))
    refused = [{"specimen": "T1", "reason": "LABEL_WRONG"}, {"specimen": "T9", "reason": "LABEL_WRONG"}]
    take = {"other": "nurse", "pin": f.PIN, "count": 2, "refused": refused}
    actor = f.user(world, "courier")
    scope = network.scope_of_user(world, actor)
    world.commit()
    acts = [
        f.act("hand_over", {"consignment": number}, payload, site=f.TOWN) for payload in (take, {**take, "refused": []})
    ]
    answers = custody.record(world, acts, actor=actor, scope=scope, now=f.START)
    assert [one.status.value for one in answers] == ["refused", "done"], answers
    f.do(world, "nurse", f.act("register", {"specimen": "T1"}, {"tests": ["CBC"]}))
    f.collected(world, "T3")
    assert found(world) == []
    assert world.scalars(select(CustodyEvent.lane).distinct()).all() == [1]


def test_writers_at_the_same_time_have_lanes_of_their_own(world: Session) -> None:
    """Nobody waits: a second transaction takes another lane, a third one after the first has ended takes the first.

    SQLite has one writer at a time: everybody is in the first lane.
    """
    engine = world.get_bind()
    world.commit()
    if engine.dialect.name == "sqlite":
        for expected in ((1, [1]), (1, [2, 3])):
            with Session(engine) as alone:
                lane, places = lanes.places(alone, len(expected[1]))
                assert (lane, list(places)) == expected
                alone.commit()
        return
    with Session(engine) as one, Session(engine) as other, Session(engine) as third:
        assert (lanes.take(one).lane, lanes.take(other).lane) == (1, 2)
        with one.begin_nested():
            assert lanes.next_place(one) == (1, 1)
        nested = one.begin_nested()
        assert lanes.next_place(one) == (1, 2)
        nested.rollback()
        assert lanes.next_place(one) == (1, 2)
        one.commit()
        assert lanes.next_place(third) == (1, 3)


def test_places_that_are_taken_at_once_are_free_of_holes_and_of_other_writers(world: Session) -> None:
    """Several places in one statement: a lane that another holds is passed over, one of this transaction goes on."""
    engine = world.get_bind()
    world.commit()

    def taken(session: Session, count: int) -> tuple[int, list[int]]:
        lane, places = lanes.places(session, count)
        return lane, list(places)

    with Session(engine) as one:
        assert taken(one, 3) == (1, [1, 2, 3])
        assert lanes.next_place(one) == (1, 4)
        assert taken(one, 2) == (1, [5, 6])
        if engine.dialect.name == "postgresql":
            with Session(engine) as other:
                assert taken(other, 2) == (2, [1, 2])
                other.rollback()
                lane, places = taken(other, 1)  # a number of a lane may be lost with a rollback, a place never
                assert lane > 1
                assert places == [1]
        one.commit()
    with Session(engine) as third:
        assert taken(third, 1) == (1, [7])


def test_a_picture_that_is_exchanged_or_gone_is_named(world: Session) -> None:
    """The record quotes the hash of a photograph: another one under its name is found, and its absence."""
    f.collected(world, "T1")
    number = f.delivered(world, ("T2",))
    picture = attachments.Picture(b"as it was", 3, 4)
    name = attachments.keep(world, picture, username="receiver", site_code=f.COUNTY, now=f.START).sha256
    world.commit()
    why = {"reason": "BOX_DAMAGED", "note": "lid", "photo": name}
    f.done(world, "receiver", f.act("deviation", {"consignment": number}, why, at=LATER))
    assert found(world) == []
    edit(world, "UPDATE attachment SET data = :d", {"d": b"as it never was"})
    assert found(world) == [(f"photo {name}", 0, Kind.FILE)]
    edit(world, "DELETE FROM attachment")
    assert found(world) == [(f"photo {name}", 0, Kind.FILE)]
