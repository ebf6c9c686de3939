"""Versions of a draft: each edit is kept, undo and redo go between them, and nobody overwrites what he has not seen.

``Plan.revision`` grows with every change; an edit names the revision it was made on and is refused when somebody
else was quicker. ``Plan.version`` is the version that the draft shows; an edit after an undo drops what was undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.errors import Conflict
from logistics.models import Plan as PlanRow
from logistics.models import PlanVersion
from logistics.services import planning, planning_odds

FIRST = "made"
MOST = 200
"""Versions that are kept of one draft; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Step:
    """One edit as it is named on the buttons for undo and redo."""

    action: str
    params: Mapping[str, Any]
    by: str


def expect(row: PlanRow, revision: int) -> None:
    """Raises Conflict unless the plan is a draft that stands where the caller saw it."""
    if row.state != "ready":
        raise Conflict("plan_not_editable", field="plan", state=row.state)
    if row.revision != revision:
        raise Conflict("plan_changed_meanwhile", field="revision", revision=row.revision)


def record(
    session: Session,
    row: PlanRow,
    action: str,
    params: Mapping[str, Any],
    *,
    by: str,
    now: datetime,
    result: Mapping[str, Any] | None = None,
    marks: Mapping[str, Any] | None = None,
    problem: Mapping[str, Any] | None = None,
) -> None:
    """The draft after one edit: what is not given stays as it was."""
    if row.version == 0 and session.get(PlanVersion, (row.id, 0)) is None:
        session.add(_version(row, 0, FIRST, {}, by=row.created_by, at=row.created_at, problem=row.problem))
    session.execute(
        delete(PlanVersion).where(PlanVersion.plan_id == row.id, PlanVersion.number > row.version)
    )  # what was undone is gone for good
    if result is not None:
        planning.keep(row, result)
    if marks is not None:
        row.marks = dict(marks)
    if result is not None and action != "take_over":
        row.marks = planning_odds.without(row.marks)  # they were those of other routes
    if problem is not None:
        row.problem = dict(problem)
    row.version += 1
    session.add(_version(row, row.version, action, params, by=by, at=now, problem=problem or {}))
    _moved(session, row)
    _thin(session, row)


def _version(
    row: PlanRow,
    number: int,
    action: str,
    params: Mapping[str, Any],
    *,
    by: str,
    at: datetime,
    problem: Mapping[str, Any],
) -> PlanVersion:
    return PlanVersion(
        plan_id=row.id, number=number, at=at, by=by, action=action, params=dict(params),
        problem=dict(problem), result=dict(row.result), marks=dict(row.marks),
    )  # fmt: skip


def _moved(session: Session, row: PlanRow) -> None:
    row.revision += 1
    session.flush()
    next_number(session, planning.BOARD)


def _thin(session: Session, row: PlanRow) -> None:
    """Undo ends at the oldest that is kept, which must then hold the whole problem."""
    oldest = row.version - MOST
    first = session.get(PlanVersion, (row.id, oldest))
    if first is not None:
        first.problem = _problem(session, row, oldest)
        session.execute(delete(PlanVersion).where(PlanVersion.plan_id == row.id, PlanVersion.number < oldest))


def undo(session: Session, row: PlanRow) -> Step:
    """Back to the version before. Returns the step that was taken back; Conflict when there is none."""
    here = session.get(PlanVersion, (row.id, row.version))
    before = session.get(PlanVersion, (row.id, row.version - 1))
    if here is None or before is None:
        raise Conflict("nothing_to_undo", field="plan")
    _show(session, row, before)
    return _step(here)


def redo(session: Session, row: PlanRow) -> Step:
    """On to the version that was taken back last."""
    after = session.get(PlanVersion, (row.id, row.version + 1))
    if after is None:
        raise Conflict("nothing_to_redo", field="plan")
    _show(session, row, after)
    return _step(after)


def _show(session: Session, row: PlanRow, version: PlanVersion) -> None:
    row.problem = _problem(session, row, version.number)
    planning.keep(row, version.result)
    row.marks, row.version = dict(version.marks), version.number
    _moved(session, row)


def _problem(session: Session, row: PlanRow, number: int) -> dict[str, Any]:
    """The problem as it was in a version: that of the newest edit up to it which changed it."""
    query = (
        select(PlanVersion.problem)
        .where(PlanVersion.plan_id == row.id, PlanVersion.number <= number)
        .order_by(PlanVersion.number.desc())
    )
    return next((dict(found) for found in session.scalars(query) if found), dict(row.problem))


def steps(session: Session, row: PlanRow) -> tuple[Step | None, Step | None]:
    """(what undo would take back, what redo would do again)."""
    here = session.get(PlanVersion, (row.id, row.version)) if row.version else None
    before = session.get(PlanVersion, (row.id, row.version - 1)) if row.version else None
    after = session.get(PlanVersion, (row.id, row.version + 1))
    return (_step(here) if here and before else None, _step(after) if after else None)


def _step(version: PlanVersion) -> Step:
    return Step(version.action, version.params, version.by)
