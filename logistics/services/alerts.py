"""Alerts: one per incident, updated as facts come; acknowledged with a word; delivered through the outbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.db import insert_ignoring, next_number
from logistics.domain.access import Scope
from logistics.domain.alert_routes import SEVERITIES, quiet_for
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Alert, AlertNote, Delivery
from logistics.services import alert_routing

SNOOZE_SHORTEST_MIN, SNOOZE_CRITICAL_MIN, SNOOZE_MIN = 5, 60, 24 * 60
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
    if worse or reopened:
        alert.snoozed_until = alert.snoozed_by = None  # it was put off as it was then
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


def snooze(
    session: Session, alert_id: int, *, minutes: int, word: str, username: str, scope: Scope, now: datetime
) -> Alert:
    """Put off what nobody has acknowledged yet: it leaves the list and climbs no ladder until the time is over.

    Raises Invalid naming the field, Conflict when somebody answers for it already or it is over.
    """
    alert = visible(session, alert_id, scope)
    longest = SNOOZE_CRITICAL_MIN if alert.severity == "critical" else SNOOZE_MIN
    if not word.strip():
        raise Invalid("field_missing", field="word")
    if not SNOOZE_SHORTEST_MIN <= minutes <= longest:
        raise Invalid("snooze_out_of_range", field="minutes", low=SNOOZE_SHORTEST_MIN, high=longest)
    if alert.acknowledged_at is not None:
        raise Conflict("alert_acknowledged", field="alert", by=alert.acknowledged_by)
    if alert.state != "open":
        raise Conflict("alert_over", field="alert")
    alert.snoozed_until, alert.snoozed_by, alert.updated_at = now + timedelta(minutes=minutes), username, now
    until = alert.snoozed_until.isoformat()
    note(session, alert, "snoozed", now=now, username=username, text=word.strip()[:500], params={"until": until})
    next_number(session, VERSION)
    return alert


def ladder(session: Session, site_code: str) -> list[str]:
    """The site of each rung: who is told at once, and who when nobody there answers."""
    return [rung.site_code for rung in alert_routing.rungs(session, site_code)]


def queue(session: Session, alert: Alert, what: str) -> None:
    """One row in the outbox for every channel that is to hear of it, by the routing table and the rung.

    A channel that has not been told yet what stands in the outbox is not told twice: the message is put into words
    when it is sent, and says what is known then.
    """
    at = alert.updated_at
    level = alert.level
    queued = session.execute(
        select(Delivery.channel_id, Delivery.id).where(
            Delivery.alert_id == alert.id, Delivery.state == "waiting", Delivery.attempts == 0
        )
    )
    waiting: dict[int, int] = dict(queued.all())  # type: ignore[arg-type,unused-ignore]
    for channel in alert_routing.channels_told(session, alert, level=level, at=at):
        wait = quiet_for(at, alert.severity, channel.quiet_from_min, channel.quiet_until_min)
        due = wall_now() + wait
        if channel.id in waiting:
            row = session.get_one(Delivery, waiting[channel.id])
            row.next_try_at = min(row.next_try_at, due)  # what became critical does not wait for the morning
            continue
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
                "next_try_at": due,
                "queued_at": at,
                "error": "",
            },
        )
