"""The inbox: alerts within a scope, one row an incident, with what a manager needs to decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, not_, select, text, true
from sqlalchemy.orm import Session

from logistics.domain.access import DISPATCHER, Scope
from logistics.domain.alert_kinds import DISPATCH_KINDS
from logistics.errors import NotFound
from logistics.models import Alert, Box, Channel, Consignment, Delivery, Site, Specimen, User
from logistics.models.alerts import UNANSWERED
from logistics.queries import board

TABS = ("open", "snoozed", "acknowledged", "ended", "all")
"""open: nobody answers for it yet; snoozed: put off until later; acknowledged: somebody does and it lasts; ended:
answered and over."""
MAX_ROWS = 200
COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class Entry:
    """An alert with the things it is about. ``holder``: who has the box; None: ``place`` has it."""

    alert: Alert
    site: Site | None
    origin: Site | None
    box: Box | None
    consignment: Consignment | None
    holder: User | None
    place: Site | None
    acknowledged_by: User | None


@dataclass(frozen=True, slots=True)
class Detail:
    """One alert whole: its history, what was sent where, its tubes, and the people named."""

    entry: Entry
    deliveries: Sequence[tuple[Delivery, Channel]]
    tubes: Sequence[Specimen]
    people: dict[str, User] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)


def of_tab(tab: str, now: datetime) -> ColumnElement[bool]:
    put_off = and_(Alert.snoozed_until.is_not(None), Alert.snoozed_until > now)
    return {
        "open": and_(text(UNANSWERED), not_(put_off)),
        "snoozed": and_(text(UNANSWERED), put_off),
        "acknowledged": and_(Alert.acknowledged_at.is_not(None), Alert.state == "open"),
        "ended": and_(Alert.acknowledged_at.is_not(None), Alert.state != "open"),
    }.get(tab, true())


def _in(scope: Scope) -> Select[Alert]:
    query = select(Alert)
    if not scope.everything:
        query = query.where(Alert.site_code.in_(sorted(scope.sites)))
    return query


def version(session: Session) -> str:
    """Changes when an alert does, or custody (who has the box)."""
    custody, alerts = board.version(session)
    return f"{alerts}.{custody}"


def counts(session: Session, scope: Scope, *, now: datetime) -> dict[str, int]:
    """How many alerts stand in each tab; of what is over, no more than COUNTED are counted."""
    return {name: _counted(session, _in(scope).where(of_tab(name, now))) for name in TABS}


def _counted(session: Session, query: Select[Alert]) -> int:
    some = query.with_only_columns(Alert.id).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def inbox(
    session: Session, scope: Scope, *, now: datetime, tab: str = "open", kind: str = "", limit: int = MAX_ROWS
) -> list[Entry]:
    """Alerts of the sites in ``scope``: what is open and grave first, then the newest."""
    query = _in(scope).where(of_tab(tab, now))
    if kind:
        query = query.where(Alert.kind == kind)
    lasting = case((Alert.state == "open", 0), else_=1)
    rank = case({"critical": 0, "warning": 1}, value=Alert.severity, else_=2)
    if tab == "open":
        query = query.order_by(lasting, rank, Alert.occurred_at.desc(), Alert.id.desc())
    else:
        query = query.order_by(Alert.updated_at.desc(), Alert.id.desc())
    return entries(session, session.scalars(query.limit(min(limit, MAX_ROWS))).all())


def one(session: Session, scope: Scope, alert_id: int) -> Alert:
    """Raises NotFound('alert_unknown') for alerts of other sites, too."""
    found = session.get(Alert, alert_id)
    if found is None or not scope.covers(found.site_code):
        raise NotFound("alert_unknown", field="alert")
    return found


def may_acknowledge(role: str, alert: Alert) -> bool:
    return role == "manager" or (role == DISPATCHER and alert.kind in DISPATCH_KINDS)


def entries(session: Session, alerts: Sequence[Alert]) -> list[Entry]:
    """The alerts with their boxes, places and people, in a handful of queries."""
    boxes = _by(session, Box, Box.code, (alert.box_code for alert in alerts))
    loads = _by(session, Consignment, Consignment.number, (alert.consignment_number for alert in alerts))
    sites = _by(
        session,
        Site,
        Site.code,
        (code for alert in alerts for code in (alert.site_code, alert.origin_code, _place(alert, boxes, loads))),
    )
    names = {alert.acknowledged_by for alert in alerts} | {_holder(alert, boxes, loads) for alert in alerts}
    people = _by(session, User, User.username, names)
    return [
        Entry(
            alert,
            sites.get(alert.site_code),
            sites.get(alert.origin_code or ""),
            boxes.get(alert.box_code or ""),
            loads.get(alert.consignment_number or ""),
            people.get(_holder(alert, boxes, loads) or ""),
            sites.get(_place(alert, boxes, loads) or ""),
            people.get(alert.acknowledged_by or ""),
        )
        for alert in alerts
    ]


def _place(alert: Alert, boxes: dict[str, Box], loads: dict[str, Consignment]) -> str | None:
    load, box = loads.get(alert.consignment_number or ""), boxes.get(alert.box_code or "")
    return load.location_code if load else box.location_code if box else None


def _holder(alert: Alert, boxes: dict[str, Box], loads: dict[str, Consignment]) -> str | None:
    load, box = loads.get(alert.consignment_number or ""), boxes.get(alert.box_code or "")
    return load.holder if load else box.holder if box else None


def _by(session: Session, model: Any, column: Any, keys: Any) -> dict[str, Any]:
    wanted = sorted({key for key in keys if key})
    if not wanted:
        return {}
    return {getattr(row, column.key): row for row in session.scalars(select(model).where(column.in_(wanted)))}


def detail(session: Session, scope: Scope, alert_id: int) -> Detail:
    alert = one(session, scope, alert_id)
    deliveries = [
        (delivery, channel)
        for delivery, channel in session.execute(
            select(Delivery, Channel)
            .join(Channel, Channel.id == Delivery.channel_id)
            .where(Delivery.alert_id == alert.id)
            .order_by(Delivery.id)
        )
    ]
    tubes = session.scalars(
        select(Specimen).where(Specimen.id.in_(alert.specimen_ids)).order_by(Specimen.accession)
    ).all()
    people = _by(session, User, User.username, [*(note.username for note in alert.notes), *(t.holder for t in tubes)])
    noted = [note.params.get("site") for note in alert.notes]
    sites = _by(session, Site, Site.code, [*noted, *(tube.location_code for tube in tubes)])
    return Detail(entries(session, [alert])[0], deliveries, tubes, people, sites)
