"""Every column of every table of custody, edited in the database: verification reports it, or says here why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, DateTime, Float, Integer, select, text, update
from sqlalchemy.orm import Session

from logistics.db import Base, UTCDateTime
from logistics.domain import access
from logistics.domain.diagnosis import Kind
from logistics.domain.digests import Digest, signed_bytes, text_hash
from logistics.integrity import check, check_rows, digests, keys
from logistics.models import Act, CustodyDigest
from logistics.services import custody, rebuild, review
from tests import every_act
from tests import factories as f
from tests.logistics.test_rebuild import PROJECTIONS
from tests.tamper import unbound

pytestmark = pytest.mark.both_databases

RECORD = ("act", "custody_event", "custody_lane", "manifest_version", "custody_digest", "custody_digest_leaf",
          "signing_key")  # fmt: skip
NOT_COVERED = {
    "act.answered_at": "as act.recorded_at, for acts that got another answer later",
    "act.recorded_at": "when an act arrived: the signed day names the acts that arrived on it; one that is moved within"
    " its day changes no proof, and its events say when they were recorded",
    "custody_event.position": "the order counts, not the numbers: events that change places are found",
    "consignment.expected_at": "a forecast, moved by every plan without an event",
    "specimen.labels_printed": "counts the print log, which is no part of custody",
    "specimen.use_by_at": "worked out anew from readings whenever the box logger speaks",
    "specimen.use_by_test": "as use_by_at",
    "specimen.stability": "as use_by_at",
    "load_item.labels_printed": "counts the print log",
    "box.location_code": "compared for boxes that a consignment used; before, it is where its owner put it",
    "manifest_version.id": "a number of the table alone",
    "nonconformity.id": "a number of the table alone",
    "signing_key.since": "shown beside the key; trust hangs on the keys and their endorsements",
    "custody_digest.made_at": "when a digest was written down; what it says of its day is in its signed text",
}
NIGHT = datetime(2026, 3, 9, 16, 30, tzinfo=UTC)
OTHER_TIME = datetime(2026, 3, 9, 5, 4, 3, tzinfo=UTC)


def columns() -> list[str]:
    """table.column of everything that verification must cover."""
    return [
        f"{name}.{column.name}"
        for name in sorted({*PROJECTIONS, *RECORD, "box"})
        for column in Base.metadata.tables[name].columns
        if name != "box" or column.name in {"location_code", "holder", "consignment_number"}
    ]


def test_the_list_of_exceptions_names_columns_that_exist() -> None:
    """And every one has its reason."""
    assert set(NOT_COVERED) <= set(columns())
    assert all(NOT_COVERED.values())


@pytest.fixture
def world(session: Session, tmp_path: Path) -> tuple[Session, str]:
    """Every kind of act done, the day signed; and the key that is trusted."""
    every_act.build(session)
    signer = keys.ensure(session, tmp_path / "key", now=every_act.START)
    session.commit()
    while digests.make_next(session, signer, tmp_path / "digests", now=NIGHT) is not None:
        session.commit()
    return session, signer.public_key


EDITS = {
    "another answer": "answer = replace(answer, '\"code\"', '\"Code\"')",
    "refused, and now it waits": "status = 'review'",
    "no hash": "answer_sha256 = NULL",
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_what_an_act_was_answered_is_named_when_it_was_edited(session: Session, edit: str) -> None:
    """An answer, a status that says of a refused act that it waits, the hash taken away: before any day is signed."""
    f.world(session)
    f.collected(session, "T1")
    refused = f.act("pack", {"specimen": "NOBODY", "box": "BX-C"})
    later = every_act.START + timedelta(hours=4)
    assert f.do(session, "nurse", refused, now=later).status == "refused"
    session.commit()
    assert check.verify(session, now=later).whole
    session.execute(text(f"UPDATE act SET {edit} WHERE id = :id"), {"id": refused.id})
    session.commit()
    assert [one.subject for one in check.verify(session, now=later).findings] == [f"act {refused.id}"]


def test_an_answer_whose_hash_was_made_anew_is_found_by_the_signed_day(world: tuple[Session, str]) -> None:
    """The hash beside an answer needs no key; what the day was signed over does."""
    session, anchor = world
    row = session.scalars(select(Act).where(Act.status == "done").limit(1)).one()
    answer = row.answer.replace('"code"', '"Code"', 1)
    for name, value in custody.answered(row.id, row.status, answer).items():
        setattr(row, name, value)
    session.commit()
    found = check.verify(session, now=NIGHT, anchor=anchor).findings
    assert [(one.subject, one.kind) for one in found] == [("digest 2026-03-09", Kind.ACT)]


def test_records_from_before_stay_valid(world: tuple[Session, str], tmp_path: Path) -> None:
    """Acts without the hash of an answer, and a digest that says nothing of answers."""
    session, anchor = world
    one = session.scalars(select(CustodyDigest)).one()
    before = replace(Digest.from_text(one.text), answers=0, answers_hash="").to_text()
    assert "answers" not in before
    signature = keys.ensure(session, tmp_path / "key", now=every_act.START).sign(signed_bytes(before))
    with unbound(session):
        session.execute(update(Act).values(answer_sha256=None))
        session.execute(update(CustodyDigest).values(text=before, hash=text_hash(before), signature=signature))
    assert whole(session, anchor)


def test_what_becomes_of_an_act_later_belongs_to_the_day_of_the_decision(session: Session, tmp_path: Path) -> None:
    """It waits when its day is signed; noted and voided afterwards the record still proves itself."""
    f.world(session)
    f.sealed(session, ("T1",))
    late = f.act("pack", {"specimen": "T9", "box": "BX-C"}, offline=True)
    assert f.do(session, "nurse", late, now=every_act.START).status == "review"
    signer = keys.ensure(session, tmp_path / "key", now=every_act.START)
    session.commit()
    every = {"username": "manager", "scope": access.Scope("manager", None, everything=True)}
    decided = NIGHT + timedelta(hours=2)
    for now in (NIGHT, NIGHT + timedelta(days=1)):
        while digests.make_next(session, signer, tmp_path / "digests", now=now) is not None:
            session.commit()
        assert check.verify(session, now=now, anchor=signer.public_key).findings == []
        if now == NIGHT:
            review.annotate(session, late.id, word="asked", now=decided, **every)
            review.void(session, late.id, word="another box", now=decided, **every)
            session.commit()
            assert check.verify(session, now=decided, anchor=signer.public_key).findings == []
    said = [Digest.from_text(one.text).answers for one in session.scalars(select(CustodyDigest))]
    assert said[-1] == 1


def whole(session: Session, anchor: str | None) -> bool:
    session.expire_all()
    return check.verify(session, now=NIGHT, anchor=anchor).whole


def found(session: Session, anchor: str | None, table: str) -> bool:
    """Whether verification finds anything. Comparing rows with the log is a part of it, and costs a quarter: of a
    projection that part is asked first, since what it finds is among what the whole finds."""
    if table in PROJECTIONS and check_rows.check(session):
        return True
    return not whole(session, anchor)


@pytest.mark.parametrize("tables", [{*PROJECTIONS, "box"}, {*RECORD}], ids=["projections", "record"])
def test_an_edit_of_any_column_is_found(world: tuple[Session, str], tables: set[str]) -> None:
    """One value of one row at a time, in two rows: the record is not whole any more, and whole again after it."""
    session, anchor = world
    assert whole(session, anchor), check.verify(session, now=NIGHT, anchor=anchor).findings
    unseen = []
    with unbound(session):
        for name in columns():
            table, _, column = name.partition(".")
            if table in tables and name not in NOT_COVERED:
                edited = edits(session, table, column)
                unseen += [f"{name} of {key}" for key in edited if not found(session, anchor, table)]
        for table in sorted(tables):  # and the part is a part
            column = next(
                one.partition(".")[2] for one in columns() if one.startswith(f"{table}.") and one not in NOT_COVERED
            )
            unseen += [f"{table}: {key}" for key in edits(session, table, column) if whole(session, anchor)]
    assert unseen == []
    assert whole(session, anchor), check.verify(session, now=NIGHT, anchor=anchor).findings


def test_rows_that_are_taken_out_or_put_in_are_found(world: tuple[Session, str]) -> None:
    """One row of each table, alone: taken out, and a second one like it under another key put in."""
    session, anchor = world
    unseen = []
    for table in sorted({*PROJECTIONS, *RECORD} - {"signing_key", "custody_digest"}):
        described = Base.metadata.tables[table]
        row = dict(session.execute(described.select().order_by(*described.primary_key.columns)).mappings().all()[-1])
        session.rollback()
        condition = [column == row[column.name] for column in described.primary_key.columns]
        last = list(described.primary_key.columns)[-1]
        second = {**row, last.name: other(last, row[last.name])}
        unique = {
            "nonconformity": "seq",
            "custody_event": "seq",
            "manifest_version": "version",
            "specimen": "accession_key",
        }
        if table in unique:
            second[unique[table]] = other(described.columns[unique[table]], second[unique[table]])
        for word, done, undone in (
            ("out", described.delete().where(*condition), described.insert().values(**row)),
            ("in", described.insert().values(**second), described.delete().where(last == second[last.name])),
        ):
            with unbound(session):
                session.execute(done)
            session.rollback()
            if whole(session, anchor):
                unseen.append(f"{table} {word}")
            session.rollback()
            with unbound(session):
                session.execute(undone)
    assert unseen == []
    assert whole(session, anchor)


def test_two_tubes_that_exchange_their_numbers_are_named(session: Session) -> None:
    """The label of one is the other's: a swap that no count and no state gives away. A rebuild puts it right."""
    f.world(session)
    f.sealed(session, ("T1", "T2"))
    first, second = (f.find(session, one) for one in ("T1", "T2"))
    with unbound(session):
        for one, label in ((first.id, "-"), (second.id, "T1"), (first.id, "T2")):
            session.execute(
                text("UPDATE specimen SET accession = :a, accession_key = :a, accession_tail = :t WHERE id = :i"),
                {"a": label, "t": label[::-1], "i": one},
            )
    found = check.verify(session, now=NIGHT).findings
    swapped = [one.subject for one in found if one.detail.startswith("accession:")]
    assert swapped == [f"specimen:{first.id}", f"specimen:{second.id}"]
    rebuild.apply(session)
    session.commit()
    assert [one for one in check.verify(session, now=NIGHT).findings if one.kind is Kind.PROJECTION] == []


def edits(session: Session, table: str, column: str) -> Iterator[Any]:
    """Edit this column in a few rows, one after the other; each is as it was when the caller comes again."""
    described = Base.metadata.tables[table]
    primary = described.primary_key.columns
    rows = session.execute(described.select().order_by(*primary)).mappings().all()
    chosen = [rows[len(rows) // 3], rows[-1]] if len(rows) > 1 else rows
    for row in chosen:
        condition = [one == row[one.name] for one in primary]
        new = other(described.columns[column], row[column])
        with session.begin_nested() as edit:
            assert session.execute(described.update().where(*condition).values({column: new})).rowcount == 1
            yield row[next(iter(primary)).name]
            edit.rollback()
        session.expire_all()


def other(column: Any, old: Any) -> Any:
    """Another value of the same sort; of a foreign key an existing one where there is one."""
    if isinstance(column.type, (DateTime, UTCDateTime)):
        return OTHER_TIME if old != OTHER_TIME else OTHER_TIME + timedelta(seconds=1)
    if isinstance(column.type, Boolean):
        return not old
    if isinstance(column.type, Integer):
        return (old or 0) + 7000
    if isinstance(column.type, Float):
        return (old or 0.0) + 1.5
    if isinstance(old, list):
        return []
    return "x" if old != "x" else "y"
