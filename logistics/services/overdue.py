"""Consignments that should have arrived and have not: one alert for each courier who is late at a laboratory.

A courier who loses an hour is one incident, not one for each of his twenty boxes; it ends when all have arrived.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Consignment
from logistics.services import alerts
from logistics.services.orders import local_day

GRACE = timedelta(minutes=15)
CRITICAL_AFTER = timedelta(minutes=60)
KIND = "overdue"
UNDER_WAY = ("in_transit", "waiting")
MOST_NAMED = 3


def key(consignment: Consignment) -> str:
    """The incident: who carries it, where to, on which local day it was expected."""
    day = local_day(consignment.expected_at).isoformat() if consignment.expected_at else ""
    return f"overdue:{consignment.holder}:{consignment.destination_code}:{day}"


def sweep(session: Session, *, now: datetime) -> list[str]:
    """Raise what is overdue, end what has arrived meanwhile. Returns the numbers that are overdue."""
    late = session.scalars(
        select(Consignment)
        .where(Consignment.state.in_(UNDER_WAY), Consignment.expected_at < now - GRACE)
        .order_by(Consignment.expected_at, Consignment.number)
    ).all()
    incidents: dict[str, list[Consignment]] = defaultdict(list)
    for consignment in late:
        incidents[key(consignment)].append(consignment)
    for incident_key, loads in incidents.items():
        _raise(session, incident_key, loads, now)
    still_open = select(Alert.incident_key).where(Alert.kind == KIND, Alert.state == "open")
    for incident_key in session.scalars(still_open).all():
        if incident_key not in incidents:
            alerts.end_alert(session, incident_key, now=now)
    return [consignment.number for consignment in late]


def _raise(session: Session, incident_key: str, loads: Sequence[Consignment], now: datetime) -> None:
    first = loads[0]
    expected = first.expected_at or now
    severity = "critical" if now - expected >= CRITICAL_AFTER else "warning"
    tubes = [line.specimen_id for one in loads for line in one.lines if line.outcome == "expected"]
    known = session.scalars(select(Alert).where(Alert.incident_key == incident_key)).first()
    told = known is not None and known.state == "open" and known.severity in (severity, "critical")
    if told and known is not None and set(tubes) <= set(known.specimen_ids):
        return  # not worse: how late it is shows on the page
    named = ", ".join(one.number for one in loads[:MOST_NAMED]) + (" …" if len(loads) > MOST_NAMED else "")
    alerts.raise_alert(
        session,
        kind=KIND,
        severity=severity,
        site_code=first.destination_code,
        origin_code=first.origin_code if len(loads) == 1 else None,
        box_code=first.box_code if len(loads) == 1 else None,
        consignment_number=first.number if len(loads) == 1 else None,
        incident_key=incident_key,
        params={
            "courier": first.holder or "",
            "consignment": named,
            "box": ", ".join(one.box_code for one in loads[:MOST_NAMED]) + (" …" if len(loads) > MOST_NAMED else ""),
            "boxes": len(loads),
            "tubes": len(tubes),
            "destination": first.destination_code,
            "expected_at": expected.isoformat(),
            "late_min": int((now - expected).total_seconds() // 60),
        },
        specimen_ids=tubes,
        occurred_at=expected,
        now=now,
    )
