"""Rows written by one statement are those that were given, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import bulk
from logistics.models import Act, Counter, CustodyLane

pytestmark = pytest.mark.both_databases
AT = datetime(2026, 3, 2, 8, 30, 0, 123456, tzinfo=UTC)


def _act(number: int) -> dict[str, object]:
    return {
        "id": f"act-{number}", "type": "note", "body_sha256": "0" * 64, "body": '{"note":"\\"张**\\" \\\\ {x}"}',
        "username": "o'neil", "device": "", "seq": number or None, "occurred_at": AT, "recorded_at": AT,
        "status": "done", "answer": "{}", "answer_sha256": "1" * 64, "answered_at": AT,
    }  # fmt: skip


def test_rows_are_inserted_as_they_were_given(session: Session) -> None:
    """Quotes, backslashes, Chinese, microseconds, nothing at all: each comes back as it was."""
    rows = [_act(number) for number in range(3)]
    bulk.insert_rows(session.connection(), Act.__table__, rows)  # type: ignore[arg-type]
    kept = session.execute(select(*Act.__table__.columns).order_by(Act.id)).mappings().all()
    assert [dict(row) for row in kept] == rows


def test_only_the_named_columns_of_the_named_rows_change(session: Session) -> None:
    bulk.insert_rows(session.connection(), Act.__table__, [_act(number) for number in range(3)])  # type: ignore[arg-type]
    changed = [{"id": "act-0", "status": "void", "answer": "a"}, {"id": "act-2", "status": "applied", "answer": "b"}]
    bulk.update_rows(session.connection(), Act.__table__, ("status", "answer"), changed)  # type: ignore[arg-type]
    kept = session.execute(select(Act.id, Act.status, Act.answer, Act.username).order_by(Act.id)).all()
    assert [tuple(row) for row in kept] == [
        ("act-0", "void", "a", "o'neil"), ("act-1", "done", "{}", "o'neil"), ("act-2", "applied", "b", "o'neil"),
    ]  # fmt: skip


def test_changed_rows_are_written_and_read_anew(session: Session) -> None:
    """New and changed rows of the models are in the database, and the session holds nothing back."""
    known = Counter(name="known", value=1)
    session.add(known)
    session.flush()
    known.value = 2
    session.add(Counter(name="new", value=7))
    assert bulk.write_changed(session, (Counter,))
    assert not session.new
    assert not session.dirty
    kept = {row.name: row.value for row in session.execute(select(Counter.name, Counter.value))}
    assert (kept["known"], kept["new"]) == (2, 7)
    assert known.value == 2


def test_nothing_is_written_when_other_rows_wait_too(session: Session) -> None:
    """Rows may refer to others: what is not of these models is for the session to put in order."""
    session.add_all([Counter(name="new", value=7), CustodyLane(lane=9, last=0)])
    assert not bulk.write_changed(session, (Counter,))
    assert len(session.new) == 2
