"""Tubes that were collected and not sent: one alert a site and day when they wait longer than the setting allows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Site, Specimen
from logistics.queries import unsent
from logistics.services import alerts
from logistics.services.orders import ZONE, local_day

KIND = "unsent"
PRESSING = timedelta(hours=1)
"""A tube that expires within this time makes the alert critical."""


def sweep(session: Session, *, longer_than: timedelta, now: datetime) -> list[str]:
    """Raise what waits too long, end what has gone. Returns the codes of the sites concerned.

    Nothing is raised while a site is closed: nobody could send, and the morning tells it again.
    """
    waiting: dict[str, list[Specimen]] = {}
    for tube in unsent.overdue(session, before=now - longer_than):
        waiting.setdefault(tube.location_code or "", []).append(tube)
    sites = {site.code: site for site in session.scalars(select(Site).where(Site.code.in_(sorted(waiting))))}
    day = local_day(now).isoformat()
    for code, tubes in waiting.items():
        if code in sites and is_open(sites[code], now):
            _raise(session, sites[code], tubes, f"{KIND}:{code}:{day}", longer_than, now)
    for alert in session.scalars(select(Alert).where(Alert.kind == KIND, Alert.state == "open")).all():
        same_day = alert.incident_key == f"{KIND}:{alert.origin_code}:{day}"
        if not same_day or alert.origin_code not in waiting:
            alerts.end_alert(session, alert.incident_key, now=now)
    return sorted(waiting)


def is_open(site: Site, now: datetime) -> bool:
    """Whether the site works at this time of the (local) day."""
    here = now.astimezone(ZONE)
    return site.opens_min <= here.hour * 60 + here.minute < site.closes_min


def _raise(
    session: Session, site: Site, tubes: Sequence[Specimen], key: str, longer_than: timedelta, now: datetime
) -> None:
    use_by = min((tube.use_by_at for tube in tubes if tube.use_by_at is not None), default=None)
    severity = "critical" if use_by is not None and use_by - now <= PRESSING else "warning"
    ids = sorted(tube.id for tube in tubes)
    known = session.scalars(select(Alert).where(Alert.incident_key == key)).first()
    told = known is not None and known.state == "open" and known.severity in {severity, "critical"}
    if told and known is not None and set(ids) <= set(known.specimen_ids):
        return  # not worse: how long they wait shows on the page
    oldest = min(tube.collected_at or now for tube in tubes)
    alerts.raise_alert(
        session,
        kind=KIND,
        severity=severity,
        site_code=site.parent_code if site.tier == "township" and site.parent_code else site.code,
        origin_code=site.code,
        incident_key=key,
        params={
            "site": site.code,
            "tubes": len(ids),
            "hours": f"{longer_than / timedelta(hours=1):g}",
            "oldest": oldest.isoformat(),
            "use_by": use_by.isoformat() if use_by else None,
        },
        specimen_ids=ids,
        occurred_at=oldest + longer_than,
        now=now,
    )
