"""Consignments that should have arrived and have not: one alert each, ended when they arrive."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Consignment
from logistics.services import alerts

GRACE = timedelta(minutes=15)
CRITICAL_AFTER = timedelta(minutes=60)
KIND = "overdue"
UNDER_WAY = "in_transit"


def key(number: str) -> str:
    return f"overdue:{number}"


def sweep(session: Session, *, now: datetime) -> list[str]:
    """Raise what is overdue, end what has arrived meanwhile. Returns the numbers that are overdue."""
    late = session.scalars(
        select(Consignment)
        .where(Consignment.state == UNDER_WAY, Consignment.expected_at < now - GRACE)
        .order_by(Consignment.number)
    ).all()
    known = {
        alert.incident_key: alert
        for alert in session.scalars(select(Alert).where(Alert.kind == KIND, Alert.state == "open"))
    }
    for consignment in late:
        expected = consignment.expected_at
        if expected is None:
            continue
        behind = now - expected
        severity = "critical" if behind >= CRITICAL_AFTER else "warning"
        alert = known.pop(key(consignment.number), None)
        if alert is not None and alert.severity in (severity, "critical"):
            continue  # told already, and not worse in kind: the age shows on the page
        alerts.raise_alert(
            session,
            kind=KIND,
            severity=severity,
            site_code=consignment.destination_code,
            origin_code=consignment.origin_code,
            box_code=consignment.box_code,
            consignment_number=consignment.number,
            incident_key=key(consignment.number),
            params={
                "consignment": consignment.number,
                "box": consignment.box_code,
                "destination": consignment.destination_code,
                "expected_at": expected.isoformat(),
                "late_min": int(behind.total_seconds() // 60),
            },
            specimen_ids=[line.specimen_id for line in consignment.lines],
            occurred_at=expected,
            now=now,
        )
    for incident_key in known:
        alerts.end_alert(session, incident_key, now=now)
    return [consignment.number for consignment in late]
