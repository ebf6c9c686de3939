"""Tubes that will not keep until they arrive, tubes that have expired, and couriers who are off their plan.

One incident for each consignment (or site, where tubes stand on the shelf) and for each courier and day; what is no
longer so ends by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.alert_kinds import severity
from logistics.domain.transitions import BOXED
from logistics.models import Alert, Consignment, Plan, Specimen, Stop
from logistics.services import alerts
from logistics.services.clocks import UNDER_WAY
from logistics.services.orders import local_day

AT_RISK, EXPIRED, OFF_PLAN = "at_risk", "expired", "off_plan"
PRESSING = timedelta(minutes=30)
"""Expiring so long before the arrival that nothing but another way helps: critical."""
LATE = timedelta(minutes=30)
"""Later than this at a stop, a courier is off the plan."""


def sweep(session: Session, *, now: datetime) -> None:
    """Raise, bring up to date and end these alerts."""
    _end_others(session, AT_RISK, _at_risk(session, now), now)
    _end_others(session, EXPIRED, _expired(session, now), now)
    _end_others(session, OFF_PLAN, _off_plan(session, now), now)


def _at_risk(session: Session, now: datetime) -> set[str]:
    """Consignments whose first tube cannot be used any more when it arrives."""
    rows = session.execute(
        select(Consignment, Specimen)
        .join(Specimen, Specimen.consignment_number == Consignment.number)
        .where(
            Consignment.closed_at.is_(None),
            Consignment.expected_at.is_not(None),
            Specimen.state.in_(sorted(BOXED)),
            Specimen.use_by_at.is_not(None),
            Specimen.use_by_at > now,
            Specimen.use_by_at <= Consignment.expected_at,
        )
        .order_by(Consignment.number, Specimen.use_by_at)
    )
    found: dict[Consignment, list[Specimen]] = defaultdict(list)
    for consignment, tube in rows:
        found[consignment].append(tube)
    keys = set()
    for consignment, tubes in found.items():
        first, eta = tubes[0], consignment.expected_at or now
        early = eta - (first.use_by_at or eta)
        keys.add(
            _raise(
                session,
                AT_RISK,
                consignment,
                tubes,
                {
                    "eta": eta.isoformat(),
                    "use_by": first.use_by_at.isoformat() if first.use_by_at else None,
                    "test": first.use_by_test,
                },
                grade="critical" if early >= PRESSING else severity(AT_RISK),
                occurred_at=now,
                now=now,
            )
        )
    return keys


def _expired(session: Session, now: datetime) -> set[str]:
    """Tubes that nobody has decided about and whose first test is out of time."""
    tubes = session.scalars(
        select(Specimen)
        .where(Specimen.state.in_(sorted(UNDER_WAY)), Specimen.use_by_at <= now)
        .order_by(Specimen.use_by_at, Specimen.id)
    ).all()
    numbers = {tube.consignment_number for tube in tubes if tube.consignment_number}
    carried = session.scalars(select(Consignment).where(Consignment.number.in_(numbers)))
    loads = {one.number: one for one in carried}
    groups: dict[tuple[str, str], list[Specimen]] = defaultdict(list)
    for tube in tubes:
        groups[tube.consignment_number or "", tube.location_code or tube.destination_code].append(tube)
    keys = set()
    for (number, site), some in groups.items():
        first = some[0]
        use_by = first.use_by_at or now
        facts = {"use_by": use_by.isoformat(), "test": first.use_by_test, "site": site}
        where = loads.get(number) or first
        grade = severity(EXPIRED)
        keys.add(_raise(session, EXPIRED, where, some, facts, grade=grade, occurred_at=use_by, now=now))
    return keys


def _raise(
    session: Session,
    kind: str,
    where: Consignment | Specimen,
    tubes: Sequence[Specimen],
    facts: Mapping[str, Any],
    *,
    grade: str,
    occurred_at: datetime,
    now: datetime,
) -> str:
    load = where if isinstance(where, Consignment) else None
    place = load.number if load else f"{tubes[0].location_code}:{local_day(now).isoformat()}"
    key = f"{kind}:{place}"
    known = session.scalars(select(Alert).where(Alert.incident_key == key)).first()
    ids = sorted(tube.id for tube in tubes)
    told = known is not None and known.state == "open" and set(ids) <= set(known.specimen_ids)
    if told and known is not None and known.severity in {grade, "critical"}:
        return key  # how it stands is on the page
    alerts.raise_alert(
        session,
        kind=kind,
        severity=grade,
        site_code=load.destination_code if load else tubes[0].destination_code,
        origin_code=load.origin_code if load else tubes[0].collecting_site_code,
        box_code=load.box_code if load else None,
        consignment_number=load.number if load else None,
        incident_key=key,
        params={
            **facts,
            "consignment": load.number if load else ", ".join(sorted({tube.accession for tube in tubes})[:3]),
            "destination": load.destination_code if load else tubes[0].destination_code,
            "tubes": len(ids),
        },
        specimen_ids=ids,
        occurred_at=occurred_at,
        now=now,
    )
    return key


def _off_plan(session: Session, now: datetime) -> set[str]:
    """Couriers who should have been at a stop half an hour ago and have not arrived."""
    query = (
        select(Stop, Plan.scope_code)
        .join(Plan, Plan.id == Stop.plan_id)
        .where(
            Plan.state == "published",
            Stop.state == "planned",
            Stop.arrive_at.between(now - timedelta(hours=14), now - LATE),
        )
        .order_by(Stop.arrive_at)
    )
    first: dict[str, tuple[Stop, str]] = {}
    for stop, scope_code in session.execute(query):
        first.setdefault(stop.courier, (stop, scope_code))
    keys = set()
    for courier, (stop, scope_code) in first.items():
        key = f"{OFF_PLAN}:{courier}:{local_day(now).isoformat()}"
        keys.add(key)
        known = session.scalars(select(Alert).where(Alert.incident_key == key)).first()
        if known is not None and known.state == "open":
            continue
        alerts.raise_alert(
            session,
            kind=OFF_PLAN,
            severity=severity(OFF_PLAN),
            site_code=scope_code,
            incident_key=key,
            params={
                "courier": courier,
                "destination": stop.site_code,
                "planned": stop.arrive_at.isoformat(),
                "eta": (stop.eta_at or now).isoformat(),
            },
            occurred_at=stop.arrive_at,
            now=now,
        )
    return keys


def _end_others(session: Session, kind: str, standing: Iterable[str], now: datetime) -> None:
    keep = set(standing)
    for key in session.scalars(select(Alert.incident_key).where(Alert.kind == kind, Alert.state == "open")).all():
        if key not in keep:
            alerts.end_alert(session, key, now=now)
