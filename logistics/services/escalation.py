"""Alerts that nobody acknowledges climb to the next rung after the site's minutes. What was put off wakes."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.domain.alert_routes import STEP_MIN
from logistics.models import Alert
from logistics.services import alert_routing, alerts

STEP = timedelta(minutes=STEP_MIN)
"""Where a site wants no other: without an acknowledgement for this long, the next rung of the ladder is told."""
CLIMBING = ("warning", "critical")


def sweep(session: Session, *, now: datetime) -> list[int]:
    """Raise the level of what waited too long. Returns the ids of the alerts that climbed."""
    woken = _wake(session, now)
    waiting = session.scalars(
        select(Alert)
        .where(
            Alert.acknowledged_at.is_(None),
            Alert.state != "closed",
            Alert.severity.in_(CLIMBING),
            or_(Alert.snoozed_until.is_(None), Alert.snoozed_until <= now),
            Alert.raised_at <= now - timedelta(minutes=alert_routing.STEPS_MIN[0]),
        )
        .order_by(Alert.id)
        .with_for_update()
    ).all()
    climbed = [alert.id for alert in waiting if _climb(session, alert, now)]
    if climbed or woken:
        next_number(session, alerts.VERSION)
    return climbed


def _climb(session: Session, alert: Alert, now: datetime) -> bool:
    """As many rungs as time has passed for; a worker that was away tells them all at once, in one message each."""
    sites = alerts.ladder(session, alert.site_code)
    step = alert_routing.step(session, alert.site_code)
    since = max(alert.level_at or alert.raised_at, alert.snoozed_until or alert.raised_at)
    before = alert.level
    while now - since >= step and alert.level < len(sites) - 1:
        alert.level += 1
        since += step
    if alert.level == before:
        return False
    alert.level_at, alert.updated_at = since, now
    params = {"level": alert.level, "site": sites[alert.level]}
    alerts.note(session, alert, "escalated", now=now, params=params)
    alerts.queue(session, alert, f"level:{alert.level}")
    return True


def _wake(session: Session, now: datetime) -> int:
    """What was put off and is still open is told again when its time is over."""
    over = session.scalars(
        select(Alert)
        .where(Alert.snoozed_until <= now, Alert.snoozed_by.is_not(None))
        .order_by(Alert.id)
        .with_for_update()
    ).all()
    for alert in over:
        alert.snoozed_by = None
        if alert.acknowledged_at is None and alert.state == "open" and alert.snoozed_until is not None:
            alert.updated_at = now
            alerts.note(session, alert, "woken", now=now)
            alerts.queue(session, alert, f"woken:{alert.snoozed_until.isoformat()}")
    return len(over)
