"""The routing table in the database: rungs of the ladder with their routes, changing them, trying them on the past."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.domain.alert_kinds import KINDS
from logistics.domain.alert_routes import (
    DEPUTY,
    MANAGER,
    SEVERITIES,
    STEP_MIN,
    Past,
    Preview,
    Route,
    Rung,
    told,
    would_have_told,
)
from logistics.errors import Invalid, NotFound
from logistics.models import Alert, AlertLadder, AlertRoute, Channel, Site

STEPS_MIN = (5, 240)
TELLING = ("raised", "worse", "reopened")
LOOK_BACK = timedelta(days=7)
MOST_ALERTS = 2000


def sites_up(session: Session, site_code: str) -> list[str]:
    """The site and those above it."""
    found: list[str] = []
    code: str | None = site_code
    while code and code not in found:
        found.append(code)
        code = session.scalar(select(Site.parent_code).where(Site.code == code))
    return found


def rungs(session: Session, site_code: str, *, draft: AlertRoute | None = None) -> list[Rung]:
    """The ladder of a site: its manager, its deputy where a route names one, then the sites above alike.

    ``draft``: a route that is only being tried; it stands beside those of its site.
    """
    sites = sites_up(session, site_code)
    channels = session.scalars(select(Channel).where(Channel.active, Channel.site_code.in_(sites)).order_by(Channel.id))
    by_site: dict[str, list[Channel]] = {}
    usable: set[int] = set()
    for channel in channels:
        by_site.setdefault(channel.site_code, []).append(channel)
        usable.add(channel.id)
    query = select(AlertRoute).where(AlertRoute.active, AlertRoute.site_code.in_(sites)).order_by(AlertRoute.id)
    rows = [row for row in session.scalars(query) if draft is None or row.id != draft.id]
    if draft is not None and draft.active:
        rows.append(draft)
    found = []
    for site in sites:
        own = [row for row in rows if row.site_code == site and row.channel_id in usable]
        standard = [_standard(channel) for channel in by_site.get(site, ())] if not own else []
        managers = [_route(row) for row in own if row.rung == MANAGER]
        deputies = [_route(row) for row in own if row.rung == DEPUTY]
        found.append(Rung(site, MANAGER, [*managers, *standard]))
        if deputies:
            found.append(Rung(site, DEPUTY, deputies))
    return found


def _standard(channel: Channel) -> Route:
    return Route(channel.id, frozenset(channel.kinds), channel.min_severity)


def _route(row: AlertRoute) -> Route:
    return Route(
        row.channel_id,
        frozenset(row.kinds),
        row.min_severity,
        frozenset(row.weekdays),
        row.from_min,
        row.until_min,
    )


def channels_told(session: Session, alert: Alert, *, level: int, at: datetime) -> list[Channel]:
    """The channels that hear of the alert as it stands."""
    found = told(rungs(session, alert.site_code), level, kind=alert.kind, severity=alert.severity, at=at)
    rows = {
        one.id: one for one in session.scalars(select(Channel).where(Channel.id.in_([t.channel_id for t in found])))
    }
    return [rows[one.channel_id] for one in found]


def step(session: Session, site_code: str) -> timedelta:
    """How long the alerts of a site wait for an answer before the next rung is told."""
    row = session.get(AlertLadder, site_code)
    return timedelta(minutes=row.step_min if row is not None else STEP_MIN)


# --- changing ---


def set_step(session: Session, site_code: str, minutes: int, *, scope: Scope) -> AlertLadder:
    """Raises Invalid naming the field."""
    _own_site(session, site_code, scope)
    low, high = STEPS_MIN
    if not low <= minutes <= high:
        raise Invalid("number_between", field="step_min", low=low, high=high)
    row = session.get(AlertLadder, site_code)
    if row is None:
        row = AlertLadder(site_code=site_code, step_min=minutes)
        session.add(row)
    row.step_min = minutes
    session.flush()
    return row


def draft(session: Session, values: Mapping[str, Any], *, scope: Scope) -> AlertRoute:
    """The route that the values describe, checked and not added. Raises Invalid naming the field."""
    site = _own_site(session, values["site_code"], scope)
    channel = session.get(Channel, values["channel_id"] or 0)
    if channel is None or not channel.active or channel.site_code not in sites_up(session, site):
        raise Invalid("route_channel_unknown", field="channel_id")
    if values["rung"] not in {MANAGER, DEPUTY}:
        raise Invalid("field_malformed", field="rung")
    if values["min_severity"] not in SEVERITIES:
        raise Invalid("field_malformed", field="min_severity")
    if not set(values["kinds"]) <= set(KINDS):
        raise Invalid("field_malformed", field="kinds")
    if not set(values["weekdays"]) <= set(range(1, 8)):
        raise Invalid("field_malformed", field="weekdays")
    return AlertRoute(
        site_code=site,
        channel_id=channel.id,
        rung=values["rung"],
        kinds=sorted(values["kinds"]),
        min_severity=values["min_severity"],
        weekdays=sorted(values["weekdays"]),
        from_min=values["from_min"],
        until_min=values["until_min"],
        active=True,
    )


def add(session: Session, values: Mapping[str, Any], *, scope: Scope) -> AlertRoute:
    """Add a row to the routing table of a site."""
    row = draft(session, values, scope=scope)
    session.add(row)
    session.flush()
    return row


def remove(session: Session, route_id: int, *, scope: Scope) -> AlertRoute:
    """Raises NotFound('route_unknown') also for another laboratory's."""
    row = session.get(AlertRoute, route_id)
    if row is None or not scope.covers(row.site_code):
        raise NotFound("route_unknown", field="route")
    session.delete(row)
    session.flush()
    return row


def _own_site(session: Session, code: str | None, scope: Scope) -> str:
    if not code or session.get(Site, code) is None or not scope.covers(code):
        raise Invalid("site_unknown", field="site_code", site=str(code)[:40])
    return code


# --- trying on the past ---


def preview(
    session: Session, site_codes: Collection[str] | None, *, now: datetime, draft: AlertRoute | None = None
) -> tuple[Preview, dict[int, Alert]]:
    """What the table (with ``draft``) would have told of the last week's alerts, and those alerts by id.

    ``site_codes`` None: of all sites.
    """
    query = select(Alert).where(Alert.raised_at >= now - LOOK_BACK).order_by(Alert.raised_at).limit(MOST_ALERTS)
    if site_codes is not None:
        query = query.where(Alert.site_code.in_(sorted(site_codes)))
    found = {alert.id: alert for alert in session.scalars(query)}
    channels = session.execute(select(Channel.id, Channel.quiet_from_min, Channel.quiet_until_min)).all()
    quiet = {channel: (begins, ends) for channel, begins, ends in channels}
    whole = Preview()
    for site in sorted({alert.site_code for alert in found.values()}):
        past = [_past(alert, now) for alert in found.values() if alert.site_code == site]
        one = would_have_told(past, rungs(session, site, draft=draft), step=step(session, site), quiet=quiet)
        whole.messages.extend(one.messages)
        whole.told_to_nobody.extend(one.told_to_nobody)
    return whole, found


def _past(alert: Alert, now: datetime) -> Past:
    """How the alert went: its severity before it grew worse is not kept, so 'worse' is what it is now."""
    notes = [note for note in alert.notes if note.kind in TELLING]
    grew = any(note.kind == "worse" for note in notes)
    tellings = []
    grade = "warning" if grew and alert.severity == "critical" else alert.severity
    for note in notes:
        if note.kind == "worse":
            grade = alert.severity
        tellings.append((note.at, grade, note.kind))
    answered = alert.acknowledged_at or (alert.ended_at if alert.state == "closed" else None) or now
    return Past(alert.id, alert.kind, tellings, answered)


def by_id(session: Session, ids: Iterable[int]) -> dict[int, Channel]:
    """Channels by their id."""
    wanted: Sequence[int] = sorted(set(ids))
    return {one.id: one for one in session.scalars(select(Channel).where(Channel.id.in_(wanted)))}
