"""Until when a load must be at the laboratory, and how long it may be on the road."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Box, Consignment, ConsignmentLine, Pickup, Site, Specimen
from logistics.services.pickups import at_minute

ROUND_RIDE, TRUNK_RIDE = timedelta(hours=2), timedelta(hours=3, minutes=30)
"""Longest ride by rule, within the box's hold time (laboratories report transport within two hours)."""
CUTOFF_MARGIN = timedelta(minutes=45)
"""Planned arrival before a laboratory's routine cut-off: a plan that just holds does not survive a delay."""
MISSED_GRACE = timedelta(hours=2)
"""What has missed its time is still fetched and brought within this."""


class Limits:
    """The limits of one day as they stand ``now``."""

    def __init__(self, session: Session, day: str, now: datetime) -> None:
        self.session, self.day, self.now = session, day, now

    def _site(self, code: str) -> Site:
        return self.session.get_one(Site, code)

    def boxes(self, pickup: Pickup) -> list[Consignment]:
        """The sealed boxes that wait for this pickup."""
        query = select(Consignment).where(
            Consignment.origin_code == pickup.site_code,
            Consignment.destination_code == pickup.destination_code,
            Consignment.state == "sealed",
        )
        return list(self.session.scalars(query))

    def due(self, pickup: Pickup, boxes: Iterable[Consignment]) -> datetime:
        """The earliest of: what was asked for, the laboratory's cut-off, the first use-by.

        An urgent call is not bound by the routine cut-off: the laboratory is told and stays.
        """
        limits = [at_minute(self.day, 24 * 60 - 1)]
        if pickup.due_at is not None:
            limits.append(pickup.due_at)
        cutoff = self.cutoff(pickup.destination_code)
        if pickup.priority == "routine" and cutoff is not None:
            limits.append(max(cutoff - CUTOFF_MARGIN, min(cutoff, self.now + MISSED_GRACE)))
        numbers = [box.number for box in boxes]
        if numbers:
            limits += self.of_tubes(numbers)
        return min(limits)

    def of_tubes(self, numbers: list[str]) -> list[datetime]:
        """Use-by times of what is in these consignments."""
        return [use_by for use_by, _ in self._tubes(numbers) if use_by is not None]

    def going_on(self, numbers: list[str], destination: str) -> list[datetime | None] | None:
        """Use-by times (None = it keeps) of the tubes that are tested further up; None when there are none."""
        found = [use_by for use_by, to in self._tubes(numbers) if to != destination]
        return found or None

    def _tubes(self, numbers: list[str]) -> list[tuple[datetime | None, str]]:
        rows = self.session.execute(
            select(Specimen.use_by_at, Specimen.destination_code)
            .join(ConsignmentLine, ConsignmentLine.specimen_id == Specimen.id)
            .where(ConsignmentLine.consignment_number.in_(numbers), ConsignmentLine.outcome == "expected")
        )
        return [(use_by, to) for use_by, to in rows]

    def cutoff(self, code: str) -> datetime | None:
        minute = self._site(code).cutoff_min
        return None if minute is None else at_minute(self.day, minute)

    def ride(self, pickup: Pickup, boxes: Iterable[Consignment]) -> timedelta:
        """The longest ride: asked for, by the boxes' hold time, by rule."""
        limits = [timedelta(minutes=pickup.max_ride_min)] if pickup.max_ride_min else []
        codes = [box.box_code for box in boxes]
        if codes:
            holds = self.session.scalars(select(Box.hold_h).where(Box.code.in_(codes)))
            limits += [timedelta(hours=hold) for hold in holds]
        limits.append(ROUND_RIDE if self._site(pickup.site_code).tier == "township" else TRUNK_RIDE)
        return min(limits)
