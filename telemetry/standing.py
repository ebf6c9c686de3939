"""The excursions that stand in the database, brought into line with what a new evaluation found.

What late readings did to an excursion is put on record: it grew, ended, opened again, moved, was split, merged with
others, or vanished. Logistics is told of whatever its alerts depend on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.cold_chain import ExcursionFact
from logistics.services import cold_chain
from telemetry.excursion import Excursion
from telemetry.models import ExcursionChange, ExcursionRow

# While an excursion lasts, logistics hears again when it is worse by this much.
_WORSE_C = 1.0
# Of the same incident may be what the box went through this long before and after (a box is on its way for hours).
_SAME_JOURNEY = timedelta(days=2)
# An open excursion that only goes on is no line in its history: there would be one a reading.
RECORDED = frozenset({"moved", "ended", "reopened", "grew", "shrank", "split", "merged"})


class Binding(Protocol):
    """A probe's time in a box (telemetry.evaluate.Bound)."""

    @property
    def device(self) -> str: ...
    @property
    def probe(self) -> int: ...
    @property
    def box_code(self) -> str: ...
    @property
    def since(self) -> datetime: ...
    @property
    def until(self) -> datetime | None: ...


@dataclass(slots=True)
class Matched:
    """What is stored beside what was found. ``merged``: row → rows that went into it; ``split``: (row, part of it)."""

    pairs: list[tuple[ExcursionRow, Excursion]] = field(default_factory=list)
    raised: list[tuple[Excursion, ExcursionRow | None]] = field(default_factory=list)  # with the row it split off
    vanished: list[ExcursionRow] = field(default_factory=list)
    merged: dict[int, list[ExcursionRow]] = field(default_factory=dict)  # id of the row that stays → the others
    divided: set[int] = field(default_factory=set)  # ids of rows of which a part split off


def match(stored: Sequence[ExcursionRow], found: Sequence[Excursion]) -> Matched:
    """Pair what is stored with what is found: same rule and start, else same rule and overlapping in time.

    So an excursion that late readings moved, merged or split keeps its row, and with it its acknowledgement.
    """
    result = Matched()
    taken: dict[int, Excursion] = {}  # id of a row → what it becomes
    rest: list[Excursion] = []
    by_key = {(row.rule_key, row.kind, row.side, row.start_at): row for row in stored}
    for excursion in found:
        same = by_key.get((*_identity(excursion), excursion.start))
        if same is None:
            rest.append(excursion)
        else:
            taken[same.id] = excursion
    for excursion in rest:
        near = [row for row in stored if row.id not in taken and _overlap(row, excursion)]
        if near:
            # What somebody has answered for stays, so that his answer does.
            kept = min(near, key=lambda row: (row.acknowledged_at is None, row.start_at))
            taken[kept.id] = excursion
        else:
            origin = next((row for row in stored if _overlap(row, excursion)), None)
            result.raised.append((excursion, origin))
            if origin is not None:
                result.divided.add(origin.id)
    by_id = {row.id: row for row in stored}
    result.pairs = [(by_id[row_id], excursion) for row_id, excursion in taken.items()]
    for row in stored:
        if row.id in taken:
            continue
        into = next((one for one, excursion in result.pairs if _overlap(row, excursion)), None)
        if into is None:
            result.vanished.append(row)
        else:
            result.merged.setdefault(into.id, []).append(row)
    return result


def _identity(excursion: Excursion) -> tuple[str, str, str]:
    key, kind, side = excursion.rule.identity
    return key, kind.value, side.value


def _overlap(row: ExcursionRow, excursion: Excursion) -> bool:
    if (row.rule_key, row.kind, row.side) != _identity(excursion):
        return False
    return row.start_at <= (excursion.end or excursion.last_at) and excursion.start <= (row.end_at or row.last_at)


def write(session: Session, binding: Binding, since: datetime | None, found: Sequence[Excursion], now: datetime) -> int:
    """Make the rows of a binding that start at or after ``since`` say what was found. Returns how many changed."""
    matched = match(_standing(session, binding, since), found)
    absorbed = [(row, into) for into, rows in matched.merged.items() for row in rows]
    for row in matched.vanished:
        _take_back(session, row, {}, now)
    for row, into in absorbed:
        _take_back(session, row, {"into": into}, now)
    session.flush()  # frees the withdrawn rows' keys before others take them
    told = _bring_up_to_date(session, matched, now)
    told += _raise(session, binding, matched, now)
    session.flush()
    if told or matched.vanished:
        _tell(session, binding.box_code, told, matched.vanished, now)
    return len(told) + len(matched.vanished) + len(absorbed)


def _standing(session: Session, binding: Binding, since: datetime | None) -> list[ExcursionRow]:
    wanted = select(ExcursionRow).where(
        ExcursionRow.device_code == binding.device,
        ExcursionRow.probe == binding.probe,
        ExcursionRow.box_code == binding.box_code,
        ExcursionRow.state != "withdrawn",
        ExcursionRow.start_at >= (since if since is not None and since > binding.since else binding.since),
    )
    if binding.until is not None:
        wanted = wanted.where(ExcursionRow.start_at < binding.until)
    return list(session.scalars(wanted.order_by(ExcursionRow.start_at, ExcursionRow.id)).all())


def _take_back(session: Session, row: ExcursionRow, detail: dict[str, Any], now: datetime) -> None:
    row.state, row.updated_at, row.revision = "withdrawn", now, row.revision + 1
    session.add(ExcursionChange(excursion_id=row.id, at=now, what="withdrawn", detail=detail))


def _bring_up_to_date(session: Session, matched: Matched, now: datetime) -> list[ExcursionRow]:
    told: list[ExcursionRow] = []
    for row, excursion in matched.pairs:
        what, worth_telling = _update(row, excursion, now)
        detail = _detail(excursion)
        if row.id in matched.merged:
            what, worth_telling = "merged", True
            detail["from"] = [one.id for one in matched.merged[row.id]]
        elif row.id in matched.divided:
            what, worth_telling = "split", True
        if what in RECORDED:
            session.add(ExcursionChange(excursion_id=row.id, at=now, what=what, detail=detail))
        if worth_telling:
            told.append(row)
    return told


def _raise(session: Session, binding: Binding, matched: Matched, now: datetime) -> list[ExcursionRow]:
    told: list[ExcursionRow] = []
    for excursion, origin in matched.raised:
        row = ExcursionRow(
            box_code=binding.box_code,
            device_code=binding.device,
            probe=binding.probe,
            recorded_at=now,
            updated_at=now,
            **_values(excursion),
        )
        session.add(row)
        session.flush()
        detail = _detail(excursion) | ({} if origin is None else {"of": origin.id})
        session.add(ExcursionChange(excursion_id=row.id, at=now, what="raised", detail=detail))
        told.append(row)
    return told


def _update(row: ExcursionRow, excursion: Excursion, now: datetime) -> tuple[str, bool]:
    """Bring a row up to date. Returns what happened and whether logistics should hear of it."""
    values = _values(excursion)
    if all(getattr(row, name) == value for name, value in values.items()):
        return "same", False
    if excursion.end is None:
        what = "reopened" if row.end_at is not None else "goes on"
    elif row.end_at is None:
        what = "ended"
    else:
        what = "grew" if excursion.minutes >= row.minutes else "shrank"
    if row.start_at != excursion.start:
        what = "moved"
    before = excursion.rule.excess_c(excursion.peak if row.peak is None else row.peak)
    worse = excursion.rule.excess_c(excursion.peak) // _WORSE_C > before // _WORSE_C
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at, row.revision = now, row.revision + 1
    return what, worse or what != "goes on"


def _values(excursion: Excursion) -> dict[str, Any]:
    key, kind, side = _identity(excursion)
    return {
        "rule_code": excursion.rule.code,
        "rule_key": key,
        "kind": kind,
        "side": side,
        "limit_c": excursion.rule.limit_c,
        "profile": excursion.profile.snapshot(),
        "start_at": excursion.start,
        "triggered_at": excursion.triggered_at,
        "last_at": excursion.last_at,
        "end_at": excursion.end,
        "ended_by": excursion.ended_by.value if excursion.ended_by else None,
        "state": "open" if excursion.end is None else "ended",
        "min_c": excursion.min_c,
        "max_c": excursion.max_c,
        "mean_c": excursion.mean_c,
        "peak": excursion.peak,
        "minutes": excursion.minutes,
        "area_c_min": excursion.area_c_min,
        "reading_count": excursion.count,
        "gap_count": excursion.gaps,
    }


def _detail(excursion: Excursion) -> dict[str, Any]:
    return {
        "start": excursion.start.isoformat(),
        "end": excursion.end.isoformat() if excursion.end else None,
        "min_c": excursion.min_c,
        "max_c": excursion.max_c,
        "minutes": round(excursion.minutes, 1),
    }


def _tell(
    session: Session, box_code: str, told: Sequence[ExcursionRow], vanished: Sequence[ExcursionRow], now: datetime
) -> None:
    """Logistics hears first of what stands and then of what vanished: its alert is about box and journey, and must
    not read 'it was nothing' while another excursion of the same journey stands."""
    box_open = is_open(session, box_code)
    again = [row for row in _beside(session, box_code, vanished) if row not in told] if vanished else []
    for row in [*told, *again, *vanished]:
        cold_chain.excursion_changed(session, fact(row, box_open), now=now)


def _beside(session: Session, box_code: str, vanished: Sequence[ExcursionRow]) -> list[ExcursionRow]:
    """The excursions of the box that still stand and may belong to the same journey."""
    since = min(row.start_at for row in vanished) - _SAME_JOURNEY
    until = max(row.last_at for row in vanished) + _SAME_JOURNEY
    query = select(ExcursionRow).where(
        ExcursionRow.box_code == box_code,
        ExcursionRow.state != "withdrawn",
        ExcursionRow.start_at.between(since, until),
    )
    return list(session.scalars(query.order_by(ExcursionRow.start_at)).all())


def is_open(session: Session, box_code: str) -> bool:
    """Whether some excursion of the box is open."""
    found = session.scalar(
        select(ExcursionRow.id).where(ExcursionRow.box_code == box_code, ExcursionRow.state == "open").limit(1)
    )
    return found is not None


def fact(row: ExcursionRow, box_open: bool) -> ExcursionFact:
    """The row as logistics hears of it."""
    return ExcursionFact(
        excursion_id=row.id,
        box_code=row.box_code,
        device_code=row.device_code,
        probe=row.probe,
        rule_code=row.rule_code,
        kind=row.kind,
        side=row.side,
        limit_c=row.limit_c,
        start=row.start_at,
        last_at=row.last_at,
        end=row.end_at,
        min_c=row.min_c,
        max_c=row.max_c,
        minutes=row.minutes,
        box_open=box_open,
        withdrawn=row.state == "withdrawn",
    )
