"""Series of boxes as the temperature chart takes them: points, band, gaps, events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import url_for
from flask_babel import gettext
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.domain.access import Scope
from logistics.domain.cold_chain import Stay
from logistics.domain.custody import Event, EventType, consignment_stream, read_text
from logistics.models import Consignment, CourierPosition, CustodyEvent, Site, Specimen
from logistics.services import assessment
from logistics.services.assessment import TubeAssessment
from telemetry import charting, queries, tube_clock
from web.rendering import locale


def box_points(session: Session, box_code: str, start: datetime, end: datetime) -> tuple[list[Any], list[Any]]:
    """(points, gaps) of the first probe of each logger of a box in start … end: a picture where no script asks for
    all of them (``source``). A gap is never joined, one at the end shows, too."""
    points: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    first: dict[str, int] = {}
    for one in charting.lines(session, box_code, start, end, now=clock.now()):
        if first.setdefault(one.device_code, one.probe) != one.probe:
            continue
        known = zip(one.times, one.temps, strict=True)
        points += [{"at": _iso(at), "temp": round(temp_c, 2)} for at, temp_c in known if temp_c is not None]
        gaps += [{"from": _iso(begin), "to": _iso(until)} for begin, until in one.gaps]
    return points, gaps


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()


def band(session: Session, box_code: str | None) -> dict[str, float] | None:
    found = queries.band(session, box_code) if box_code else None
    return {"low": found.low_c, "high": found.high_c} if found else None


SHOWN = {
    EventType.PACKED: "info",
    EventType.SEALED: "info",
    EventType.HANDED_OVER: "brand",
    EventType.ARRIVED: "brand",
    EventType.RECEIVED: "ok",
    EventType.DECLARED_MISSING: "danger",
}


def event_lines(events: Iterable[Event]) -> list[dict[str, str]]:
    """Custody events as lines of the chart."""
    words = {
        EventType.PACKED: gettext("Packed"),
        EventType.SEALED: gettext("Sealed"),
        EventType.HANDED_OVER: gettext("Handover"),
        EventType.ARRIVED: gettext("Arrived"),
        EventType.RECEIVED: gettext("Received"),
        EventType.DECLARED_MISSING: gettext("Declared missing"),
    }
    return [
        {"at": event.occurred_at.isoformat(), "label": words[event.type], "tone": SHOWN[event.type]}
        for event in events
        if event.type in SHOWN
    ]


MOST_LOADS = 60


def box_events(session: Session, box_code: str, start: datetime, end: datetime, scope: Scope) -> list[dict[str, str]]:
    """The custody events of what the box carried in start … end, as far as it concerns the scope, as lines."""
    loads = session.execute(
        select(Consignment.number, Consignment.origin_code, Consignment.destination_code)
        .where(
            Consignment.box_code == box_code,
            Consignment.opened_at < end,
            or_(Consignment.closed_at.is_(None), Consignment.closed_at > start),
        )
        .order_by(Consignment.opened_at.desc())
        .limit(MOST_LOADS)
    ).all()
    streams = [
        consignment_stream(load.number) for load in loads if scope.covers(load.origin_code, load.destination_code)
    ]
    bodies = session.scalars(select(CustodyEvent.body).where(CustodyEvent.stream.in_(streams)))
    events = sorted((read_text(body) for body in bodies), key=lambda event: event.occurred_at)
    return event_lines(event for event in events if start <= event.occurred_at <= end)


PADDING = timedelta(minutes=20)
"""What is shown before a tube or a consignment came into its box."""


def source(endpoint: str, start: datetime, end: datetime, **values: Any) -> str | None:
    """Where the chart's script asks for all probes of this stretch, and for finer data when it is zoomed."""
    if not start < end:
        return None
    span: dict[str, Any] = {"from": start.isoformat(), "to": end.isoformat()}
    return url_for(endpoint, **values, **span)


def judged(
    session: Session,
    specimens: Sequence[Specimen],
    *,
    now: datetime,
    stays: Mapping[int, Sequence[Stay]] | None = None,
) -> list[TubeAssessment]:
    """The stability of tubes from where they have been: until they were decided about, or until now.

    ``stays``: when each was in which box, where that has been read already.
    """
    collected: dict[int, tuple[datetime, str]] = {}
    moments: dict[int, datetime] = {}
    for one in specimens:
        if one.collected_at is not None:
            at = assessment.judged_at(one, now=now).replace(second=0, microsecond=0)
            collected[one.id] = (one.collected_at, one.temp_class)
            moments[one.id] = max(at, one.collected_at)
    exposures, here_c = tube_clock.exposures(session, collected, now=now, decided=moments, stays=stays)
    return assessment.assess(session, specimens, exposures, now=now, here_c=here_c)


def on_the_map(
    sites: Mapping[str, Site], events: Sequence[Event], drive: Sequence[CourierPosition]
) -> dict[str, list[dict[str, Any]]]:
    """What a map of a way draws: the sites that have a place, when something happened at them, the drive between."""
    tiers = {"city_centre": "city", "county_centre": "county"}
    return {
        "sites": [
            {"code": site.code, "name": site.name(locale()), "tier": tiers.get(site.tier, "township"),
             "lat": site.lat, "lon": site.lon}
            for site in sites.values()
            if site.lat is not None
        ],
        "stops": [{"at": event.occurred_at.isoformat(), "site": event.site} for event in events if event.site in sites],
        "positions": [{"at": at.at.isoformat(), "lat": at.lat, "lon": at.lon} for at in drive],
    }  # fmt: skip
