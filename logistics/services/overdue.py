"""Consignments that should have arrived and have not: one alert for each courier who is late at a laboratory.

A courier who loses an hour is one incident, not one for each of his twenty boxes; it ends when all have arrived. What
stands at a site on its way, what was left at a site that is not its destination, and what reached the laboratory and
nobody took over there are concerned, too. When the validated hold time of a box ends, the next rung is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from logistics.models import Alert, Box, Consignment
from logistics.services import alerts
from logistics.services.arrivals import hold_until
from logistics.services.orders import local_day

GRACE = timedelta(minutes=15)
CRITICAL_AFTER = timedelta(minutes=60)
UNATTENDED_AFTER = timedelta(minutes=30)
"""So long may a box stand at its laboratory before somebody takes it over."""
KIND = "overdue"
UNDER_WAY = ("in_transit", "waiting")
ARRIVED = "arrived"
MOST_NAMED = 3
TRAVELLING = frozenset({"expected", "recalled"})


def key(consignment: Consignment) -> str:
    """The incident: who carries it or where it stands, where to, on which local day it was expected."""
    day = local_day(consignment.expected_at).isoformat() if consignment.expected_at else ""
    return f"overdue:{consignment.holder or consignment.location_code}:{consignment.destination_code}:{day}"


def sweep(session: Session, *, now: datetime) -> list[str]:
    """Raise what is overdue, end what has arrived meanwhile. Returns the numbers that are overdue."""
    late = [(one, box) for one, box in _under_way(session, now) if _is_late(one, box, now)]
    incidents: dict[str, list[tuple[Consignment, Box]]] = defaultdict(list)
    for consignment, box in late:
        incidents[key(consignment)].append((consignment, box))
    for incident_key, loads in incidents.items():
        _raise(session, incident_key, loads, now)
    still_open = select(Alert.incident_key).where(Alert.kind == KIND, Alert.state == "open")
    for incident_key in session.scalars(still_open).all():
        if incident_key not in incidents:
            alerts.end_alert(session, incident_key, now=now)
    return [consignment.number for consignment, _ in late]


def _under_way(session: Session, now: datetime) -> list[tuple[Consignment, Box]]:
    query = (
        select(Consignment, Box)
        .join(Box, Box.code == Consignment.box_code)
        .where(
            or_(
                Consignment.state.in_(UNDER_WAY),
                and_(Consignment.state == ARRIVED, Consignment.arrived_at < now - UNATTENDED_AFTER),
            )
        )
        .order_by(Consignment.expected_at, Consignment.number)
    )
    return [(consignment, box) for consignment, box in session.execute(query)]


def _is_late(one: Consignment, box: Box, now: datetime) -> bool:
    if one.state == ARRIVED:
        return True  # half an hour, and nobody has taken it over
    return _hold_over(one, box, now) or (one.expected_at is not None and one.expected_at < now - GRACE)


def _hold_over(one: Consignment, box: Box, now: datetime) -> bool:
    until = hold_until(one, box)
    return until is not None and until < now


def _raise(session: Session, incident_key: str, loads: Sequence[tuple[Consignment, Box]], now: datetime) -> None:
    first = loads[0][0]
    over = sorted(until for one, box in loads if (until := hold_until(one, box)) is not None and until < now)
    expected = min(first.expected_at or now, *over, now)
    late = max(now - expected, timedelta(0))
    severity = "critical" if over or late >= CRITICAL_AFTER else "warning"
    tubes = [line.specimen_id for one, _ in loads for line in one.lines if line.outcome in TRAVELLING]
    known = session.scalars(select(Alert).where(Alert.incident_key == incident_key)).first()
    told = known is not None and known.state == "open" and known.severity in (severity, "critical")
    new_over = bool(over) and not (known is not None and known.params.get("hold_until"))
    if told and known is not None and not new_over and set(tubes) <= set(known.specimen_ids):
        return  # not worse: how late it is shows on the page
    alone = first if len(loads) == 1 else None
    alert = alerts.raise_alert(
        session,
        kind=KIND,
        severity=severity,
        site_code=first.destination_code,
        origin_code=alone.origin_code if alone else None,
        box_code=alone.box_code if alone else None,
        consignment_number=alone.number if alone else None,
        incident_key=incident_key,
        params={
            "courier": first.holder or "",
            "consignment": _named([one.number for one, _ in loads]),
            "box": _named([one.box_code for one, _ in loads]),
            "boxes": len(loads),
            "tubes": len(tubes),
            "destination": first.destination_code,
            "expected_at": (first.expected_at or expected).isoformat(),
            "late_min": int(late.total_seconds() // 60),
            "stands": first.location_code,
            "hold_until": over[0].isoformat() if over else None,
        },
        specimen_ids=tubes,
        occurred_at=expected,
        now=now,
    )
    if new_over and told:
        _climb(session, alert, now)


def _climb(session: Session, alert: Alert, now: datetime) -> None:
    """The hold time of the box has ended meanwhile: the next rung of the ladder is told at once."""
    rungs = alerts.ladder(session, alert.site_code)
    alert.level, alert.level_at = min(alert.level + 1, len(rungs) - 1), now
    alerts.note(session, alert, "escalated", now=now, params={"level": alert.level, "site": rungs[alert.level]})
    alerts.queue(session, alert, "hold_ended")


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
