"""Keeping the use-by times of tubes under way up to date: which come next, and what is written.

Work is bounded: one round takes at most ``MOST`` tubes, the pressing ones first. New are those without a clock, those
whose box changed, and those about which late readings said something; then those that grew warmer or colder; then
whoever waited longest, so that time without data counts, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring, next_number
from logistics.domain.stability import Exposure
from logistics.domain.transitions import BOXED, State
from logistics.models import Specimen, SpecimenClock, SpecimenTest
from logistics.services import stability
from logistics.services.arrivals import BOARD
from logistics.services.stability import RuleBook

UNDER_WAY = frozenset({State.COLLECTED, State.RECEIVED, *BOXED})
"""States of tubes whose clock still runs towards a decision."""
MOST = 240
"""Tubes a round; at one round in 15 s some 57,000 an hour."""
OFTEN = timedelta(minutes=1)
WORTH_A_WORD = timedelta(minutes=1)
MOVED_C = 0.5


def due(
    session: Session, boxes_c: Mapping[str, float | None], *, now: datetime, most: int = MOST
) -> list[tuple[int, datetime, str]]:
    """(id, collected_at, temperature class) of the tubes whose clock is to be worked out now, pressing ones first.

    ``boxes_c``: the newest temperature of each box that has a logger; None: it does not speak.
    """
    query = (
        select(
            Specimen.id,
            Specimen.collected_at,
            Specimen.temp_class,
            Specimen.box_code,
            SpecimenClock.computed_at,
            SpecimenClock.dirty,
            SpecimenClock.box_code,
            SpecimenClock.temp_c,
        )
        .outerjoin(SpecimenClock, SpecimenClock.specimen_id == Specimen.id)
        .where(
            Specimen.state.in_(sorted(UNDER_WAY)),
            Specimen.collected_at.is_not(None),
            or_(
                SpecimenClock.specimen_id.is_(None),
                SpecimenClock.dirty,
                SpecimenClock.box_code.is_distinct_from(Specimen.box_code),
                SpecimenClock.computed_at <= now - OFTEN,
            ),
        )
    )
    ranked = []
    for tube, collected_at, temp_class, box, computed_at, dirty, box_then, temp_then in session.execute(query):
        if collected_at is None:
            continue
        fresh = computed_at is None or dirty or box != box_then
        moved = box is not None and box in boxes_c and _moved(temp_then, boxes_c[box])
        rank = 0 if fresh else 1 if moved else 2
        ranked.append((rank, computed_at or collected_at, tube, collected_at, temp_class))
    ranked.sort(key=lambda one: one[:3])
    return [(tube, collected_at, temp_class) for _, _, tube, collected_at, temp_class in ranked[:most]]


def _moved(then: float | None, now_c: float | None) -> bool:
    if then is None or now_c is None:
        return then is not now_c
    return abs(then - now_c) >= MOVED_C


def refresh(
    session: Session,
    exposures: Mapping[int, Exposure],
    here_c: Mapping[int, float | None],
    *,
    now: datetime,
) -> int:
    """Write use-by, verdict and clock of these tubes from their exposures up to ``now``. Returns how many changed.

    ``here_c``: where each is now; None: its box does not speak, and the strictest rule is charged from here on.
    """
    changed = 0
    ids = sorted(exposures)
    book = RuleBook(session, now)
    _begin(session, ids, now)
    clocks = _locked(session, ids)
    for specimen in session.scalars(select(Specimen).where(Specimen.id.in_(ids)).order_by(Specimen.id)):
        temp_c = here_c.get(specimen.id)
        before = (specimen.use_by_at, specimen.stability)
        found = stability.verdicts(book, specimen, exposures[specimen.id], at=now, temp_c=temp_c)
        stability.write(specimen, found)
        clock = clocks[specimen.id]
        clock.computed_at, clock.dirty, clock.box_code, clock.temp_c = now, False, specimen.box_code, temp_c
        clock.used_share = max((one.used_share for one in found.values()), default=None)
        clock.outside_s = max((one.outside.total_seconds() for one in found.values()), default=0.0)
        clock.unknown_s = exposures[specimen.id].unknown.total_seconds()
        clock.version = book.version
        changed += _worth_a_word(before, (specimen.use_by_at, specimen.stability))
    if changed:
        next_number(session, BOARD)  # wakes the pages that show it
    return changed


def _locked(session: Session, ids: Sequence[int]) -> dict[int, SpecimenClock]:
    """The clocks, locked in the order of their tubes: the ingest marks what a round is working out."""
    query = select(SpecimenClock).where(SpecimenClock.specimen_id.in_(ids)).order_by(SpecimenClock.specimen_id)
    return {one.specimen_id: one for one in session.scalars(query.with_for_update())}


def _begin(session: Session, ids: Sequence[int], now: datetime) -> None:
    """A clock for each tube that has none; another worker may do the same in this moment."""
    blank = {"computed_at": now, "dirty": True, "outside_s": 0.0, "unknown_s": 0.0, "version": 0}
    if ids:
        insert_ignoring(session, SpecimenClock.__table__, [{"specimen_id": one, **blank} for one in ids])


def _worth_a_word(before: tuple[datetime | None, str], after: tuple[datetime | None, str]) -> bool:
    if before[1] != after[1] or (before[0] is None) != (after[0] is None):
        return True
    return before[0] is not None and after[0] is not None and abs(after[0] - before[0]) >= WORTH_A_WORD


def say_again(session: Session, specimen_ids: Iterable[int]) -> None:
    """These tubes' clocks are to be worked out in the next round: what is known of their past has changed."""
    ids: Sequence[int] = sorted(set(specimen_ids))
    if ids:
        _locked(session, ids)
        session.execute(update(SpecimenClock).where(SpecimenClock.specimen_id.in_(ids)).values(dirty=True))


def say_again_for(session: Session, test_code: str) -> None:
    """The rules of a test changed: the clocks of tubes with it are worked out again, a part in each round."""
    tubes = select(SpecimenTest.specimen_id).where(SpecimenTest.test_code == test_code)
    session.execute(update(SpecimenClock).where(SpecimenClock.specimen_id.in_(tubes)).values(dirty=True))
