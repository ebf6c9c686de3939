"""What a forecast means: whose tubes are in the box, and the alert 'will leave its band before it arrives'."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.cold_chain import ForecastFact
from logistics.models import Alert, Consignment, Specimen
from logistics.services import alerts

UNDER_WAY = ("sealed", "waiting", "in_transit", "arrived")


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A box with tubes on its way; ``expected_at`` None when nobody planned its arrival."""

    box_code: str
    number: str
    expected_at: datetime | None


def under_way(session: Session) -> dict[str, UnderWay]:
    """The boxes with tubes that are sealed and not yet received, by code."""
    rows = session.execute(
        select(Consignment.box_code, Consignment.number, Consignment.expected_at)
        .where(Consignment.state.in_(UNDER_WAY), Consignment.closed_at.is_(None), Consignment.tube_count > 0)
        .order_by(Consignment.opened_at)
    )
    return {row.box_code: UnderWay(row.box_code, row.number, row.expected_at) for row in rows}


def forecast_changed(session: Session, fact: ForecastFact, *, now: datetime) -> Alert | None:
    """Raise the alert of a box that will leave its band, or bring its time up to date."""
    consignment = session.get(Consignment, fact.consignment_number)
    if consignment is None:
        return None
    tubes = session.scalars(select(Specimen.id).where(Specimen.box_code == fact.box_code).order_by(Specimen.id)).all()
    return alerts.raise_alert(
        session,
        kind="forecast",
        severity="warning",
        site_code=consignment.destination_code,
        origin_code=consignment.origin_code,
        box_code=fact.box_code,
        consignment_number=consignment.number,
        incident_key=_key(fact.box_code, consignment.number),
        params=fact.params(),
        specimen_ids=tubes,
        occurred_at=now,
        now=now,
    )


def forecast_over(session: Session, box_code: str, *, now: datetime) -> None:
    """The box will stay within its band after all, has left it (which is another alert), or has arrived."""
    prefix = _key(box_code, "")
    open_ones = select(Alert.incident_key).where(Alert.incident_key.startswith(prefix), Alert.state == "open")
    for key in session.scalars(open_ones).all():
        alerts.end_alert(session, key, now=now)


def _key(box_code: str, number: str) -> str:
    return f"forecast:{box_code}:{number}"
