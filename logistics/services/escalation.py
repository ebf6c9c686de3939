"""Alerts that nobody acknowledges climb: after N minutes the site above is told, too."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import next_number
from logistics.models import Alert
from logistics.services import alerts

STEP = timedelta(minutes=30)
"""Without an acknowledgement for this long, the next rung of the ladder is told."""
CLIMBING = ("warning", "critical")


def sweep(session: Session, *, now: datetime) -> list[int]:
    """Raise the level of what waited too long. Returns the ids of the alerts that climbed."""
    waiting = session.scalars(
        select(Alert)
        .where(
            Alert.acknowledged_at.is_(None),
            Alert.state != "closed",
            Alert.severity.in_(CLIMBING),
            Alert.raised_at <= now - STEP,
        )
        .order_by(Alert.id)
        .with_for_update()
    ).all()
    climbed = []
    for alert in waiting:
        ladder = alerts.ladder(session, alert.site_code)
        target = min(int((now - alert.raised_at) / STEP), len(ladder) - 1)
        if target <= alert.level:
            continue
        alert.level, alert.updated_at = target, now
        alerts.note(session, alert, "escalated", now=now, params={"level": target, "site": ladder[target]})
        alerts.queue(session, alert, f"level:{target}")
        climbed.append(alert.id)
    if climbed:
        next_number(session, alerts.VERSION)
    return climbed
