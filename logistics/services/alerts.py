"""Alerts: one per incident, updated as facts come; acknowledged with a word; delivered through the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.db import insert_ignoring, next_number
from logistics.domain.access import Scope
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, AlertNote, Channel, Delivery, Site

SEVERITIES = ("info", "warning", "critical")
VERSION = "alerts"  # counter that wakes inbox pages


def raise_alert(
    session: Session,
    *,
    kind: str,
    severity: str,
    site_code: str,
    incident_key: str,
    params: Mapping[str, Any],
    occurred_at: datetime,
    now: datetime,
    origin_code: str | None = None,
    box_code: str | None = None,
    consignment_number: str | None = None,
    specimen_ids: Sequence[int] = (),
) -> Alert:
    """Raise the alert of an incident, or bring it up to date when it is there already.

    ``site_code`` is the laboratory whose manager decides. Only a new incident, and one that grew worse, is
    told again through the channels; everything else is a note in its history.
    """
    alert = session.scalars(select(Alert).where(Alert.incident_key == incident_key).with_for_update()).first()
    if alert is None:
        alert = Alert(
            incident_key=incident_key,
            kind=kind,
            severity=severity,
            site_code=site_code,
            origin_code=origin_code,
            box_code=box_code,
            consignment_number=consignment_number,
            params=dict(params),
            specimen_ids=list(specimen_ids),
            occurred_at=occurred_at,
            raised_at=now,
            updated_at=now,
            state="open",
        )
        session.add(alert)
        session.flush()
        note(session, alert, "raised", now=now)
        queue(session, alert, "raised")
    else:
        _update(session, alert, severity, params, specimen_ids, now)
    next_number(session, VERSION)
    return alert


def _update(
    session: Session, alert: Alert, severity: str, params: Mapping[str, Any], specimen_ids: Sequence[int], now: datetime
) -> None:
    worse = SEVERITIES.index(severity) > SEVERITIES.index(alert.severity)
    reopened = alert.state != "open"
    tubes = sorted({*alert.specimen_ids, *specimen_ids})
    if not worse and not reopened and dict(params) == alert.params and tubes == sorted(alert.specimen_ids):
        return
    alert.params = {**alert.params, **params}
    alert.specimen_ids = tubes
    alert.updated_at = now
    if reopened:
        alert.state, alert.ended_at = "open", None
    if worse:
        alert.severity = severity
    note(session, alert, "worse" if worse else "reopened" if reopened else "updated", now=now, params=params)
    if worse or reopened:
        queue(session, alert, f"update:{len(alert.notes) + 1}")


def undecided_excursions(session: Session, consignment_number: str) -> list[Alert]:
    """The excursions of this consignment that nobody has decided yet."""
    query = select(Alert).where(
        Alert.consignment_number == consignment_number, Alert.kind == "excursion", Alert.state != "closed"
    )
    return [one for one in session.scalars(query) if not any(note.kind == "assessed" for note in one.notes)]


def undecided_load_excursion(session: Session, consignment_number: str, item_number: str) -> Alert | None:
    """The same for a load item: control material whose box left its band on the way down."""
    query = select(Alert).where(
        Alert.consignment_number == consignment_number, Alert.kind == "excursion", Alert.state != "closed"
    )
    for alert in session.scalars(query):
        if item_number in alert.params.get("items", ()) and not any(note.kind == "assessed" for note in alert.notes):
            return alert
    return None


def end_alert(session: Session, incident_key: str, *, now: datetime, params: Mapping[str, Any] | None = None) -> None:
    """The incident is over; it stays in the inbox until somebody has acknowledged it."""
    alert = session.scalars(select(Alert).where(Alert.incident_key == incident_key)).first()
    if alert is None or alert.state != "open":
        return
    alert.state, alert.ended_at, alert.updated_at = "ended", now, now
    alert.params = {**alert.params, **(params or {})}
    note(session, alert, "ended", now=now, params=params)
    next_number(session, VERSION)


def acknowledge(session: Session, alert_id: int, *, word: str, username: str, scope: Scope, now: datetime) -> Alert:
    """Somebody answers for it from here. Raises Invalid without a word, Conflict when it was acknowledged before."""
    alert = visible(session, alert_id, scope)
    if not word.strip():
        raise Invalid("field_missing", field="word")
    if alert.acknowledged_at is not None:
        raise Conflict("alert_acknowledged", field="alert", by=alert.acknowledged_by)
    alert.acknowledged_by, alert.acknowledged_at, alert.comment = username, now, word.strip()[:500]
    alert.updated_at = now
    note(session, alert, "acknowledged", now=now, username=username, text=alert.comment)
    next_number(session, VERSION)
    return alert


def visible(session: Session, alert_id: int, scope: Scope) -> Alert:
    alert = session.get(Alert, alert_id, with_for_update=True)
    if alert is None or not scope.covers(alert.site_code):
        raise NotFound("alert_unknown", field="alert")
    return alert


def note(
    session: Session,
    alert: Alert,
    kind: str,
    *,
    now: datetime,
    username: str | None = None,
    text: str = "",
    params: Mapping[str, Any] | None = None,
) -> None:
    alert.notes.append(AlertNote(at=now, kind=kind, username=username, text=text, params=dict(params or {})))


def ladder(session: Session, site_code: str) -> list[str]:
    """The site and those above it: who is told at once, and who when nobody there answers."""
    found: list[str] = []
    code: str | None = site_code
    while code and code not in found:
        found.append(code)
        code = session.scalar(select(Site.parent_code).where(Site.code == code))
    return found


def queue(session: Session, alert: Alert, what: str) -> None:
    """One row in the outbox for every channel that wants to hear of it.

    Told are the laboratory's own channels and those of the rungs that the alert has climbed; where these have
    none that wants it, the next ones above, so that nothing is told to nobody.
    """
    rungs = ladder(session, alert.site_code)
    found = session.scalars(select(Channel).where(Channel.active, Channel.site_code.in_(rungs)).order_by(Channel.id))
    by_site: dict[str, list[Channel]] = {}
    for channel in found:
        if _wants(channel, alert):
            by_site.setdefault(channel.site_code, []).append(channel)
    told: list[Channel] = []
    for level, site_code in enumerate(rungs):
        if level > alert.level and told:
            break
        told += by_site.get(site_code, [])
    for channel in told:
        insert_ignoring(
            session,
            Delivery.__table__,
            {
                "alert_id": alert.id,
                "channel_id": channel.id,
                "dedup_id": f"{alert.id}:{channel.id}:{what}",
                "title": "",
                "text": "",
                "state": "waiting",
                "attempts": 0,
                "next_try_at": wall_now(),
                "error": "",
            },
        )


def _wants(channel: Channel, alert: Alert) -> bool:
    if channel.kinds and alert.kind not in channel.kinds:
        return False
    return SEVERITIES.index(alert.severity) >= SEVERITIES.index(channel.min_severity)
