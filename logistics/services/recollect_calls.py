"""Asking the collecting site for new tubes: one alert for each site and local day, over when they are registered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Specimen
from logistics.services import alerts
from logistics.services.orders import local_day
from logistics.services.recollection import open_tests

KIND = "recollect"


def ask(session: Session, specimen_ids: Iterable[int], *, now: datetime) -> list[Alert]:
    """Raise or bring up to date the call for new tubes at each site that collected one of these."""
    by_site: dict[str, list[Specimen]] = defaultdict(list)
    query = select(Specimen).where(Specimen.id.in_(sorted(set(specimen_ids)))).order_by(Specimen.id)
    for tube in session.scalars(query):
        by_site[tube.collecting_site_code].append(tube)
    found = []
    for site, tubes in sorted(by_site.items()):
        key = f"{KIND}:{site}:{local_day(now).isoformat()}"
        known = session.scalars(select(Alert).where(Alert.incident_key == key)).first()
        ids = sorted({*(known.specimen_ids if known else ()), *(tube.id for tube in tubes)})
        found.append(
            alerts.raise_alert(
                session,
                kind=KIND,
                severity="warning",
                site_code=site,
                origin_code=site,
                incident_key=key,
                params={"site": site, "tubes": len(ids), "laboratory": tubes[0].destination_code},
                specimen_ids=ids,
                occurred_at=now,
                now=now,
            )
        )
    return found


def sweep(session: Session, *, now: datetime) -> int:
    """End the calls whose tubes all have a new tube. Returns how many still wait."""
    waiting = 0
    for alert in session.scalars(select(Alert).where(Alert.kind == KIND, Alert.state == "open")).all():
        tubes = session.scalars(select(Specimen).where(Specimen.id.in_(alert.specimen_ids))).all()
        again = session.scalars(select(Specimen).where(Specimen.recollects_id.in_(alert.specimen_ids))).all()
        if any(open_tests(tube, [one for one in again if one.recollects_id == tube.id]) for tube in tubes):
            waiting += 1
        else:
            alerts.end_alert(session, alert.incident_key, now=now)
    return waiting
