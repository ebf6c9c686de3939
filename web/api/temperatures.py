"""The temperatures of a box, or of the boxes that a tube was in, as their chart draws them; a narrower stretch of time
gives finer data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from flask_login import current_user
from msgspec.json import encode
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.errors import Invalid, NotFound
from logistics.models import Box, Consignment
from logistics.queries import journey
from telemetry import charting, profiles, queries
from web import charts
from web.access import access
from web.alert_texts import rule_words
from web.auth import scope

blueprint = Blueprint("temperatures", __name__, url_prefix="/api/v1")
READERS = ("collector", "courier", "receiver", "manager", "dispatcher", "auditor")


@blueprint.get("/boxes/<code>/temperatures")
@access(*READERS)
def box(code: str) -> Response:
    """Query: from, to (ISO 8601 with zone), points. Times in the answer are seconds since 1970."""
    session = db.session()
    start, end = _span()
    one = _visible(session, code, start, end)
    events = charts.box_events(session, one.code, start, end, scope())
    found = answer(session, one, start, end, events, [(one.code, start, end)], points=_points())
    return Response(encode(found), mimetype="application/json")


@blueprint.get("/specimens/<int:specimen_id>/temperatures")
@access(*READERS)
def specimen(specimen_id: int) -> Response:
    """The same of the boxes that a tube was in, while it was in each (and a while before); with the last one's band."""
    session = db.session()
    start, end = _span()
    one = journey.visible(session, scope(), current_user.username, specimen_id)
    found = journey.journey(session, one, role=current_user.role, now=clock.now())
    stays = [
        (stay.box_code, max(start, stay.since - charts.PADDING), min(end, stay.until or end)) for stay in found.stays
    ]
    last = session.get(Box, stays[-1][0]) if stays else None
    events = charts.event_lines(event for event in found.events if start <= event.occurred_at <= end)
    drawn = answer(session, last, start, end, events, [stay for stay in stays if stay[1] < stay[2]], points=_points())
    return Response(encode(drawn), mimetype="application/json")


def _span() -> tuple[datetime, datetime]:
    start, end = _instant("from"), _instant("to")
    if not start < end or end - start > charting.LONGEST:
        raise Invalid("chart_span_bad", field="from", days=charting.LONGEST.days)
    return start, end


def answer(
    session: Session,
    banded: Box | None,
    start: datetime,
    end: datetime,
    events: Sequence[Mapping[str, str]],
    stays: Sequence[tuple[str, datetime, datetime]],
    *,
    points: int = charting.POINTS,
) -> dict[str, Any]:
    """What the chart draws: the probes of the boxes in ``stays`` (box, from, to), and the band of ``banded``."""
    now = clock.now()
    profile = profiles.of_box(session, banded, at=min(end, now)) if banded is not None else None
    lines = charting.joined(line for stay in stays for line in charting.lines(session, *stay, now=now, points=points))
    return {
        "from": start.timestamp(),
        "to": end.timestamp(),
        "band": {"low": profile.low_c, "high": profile.high_c} if profile is not None else None,
        "series": [
            {
                "device": each.device_code,
                "probe": each.probe,
                "at": each.times,
                "temp": each.temps,
                "gaps": each.gaps,
                "count": each.count,
                "min": each.min_c,
                "max": each.max_c,
                "thinned": each.thinned,
            }
            for each in lines
        ],
        "excursions": [
            {
                "from": row.start_at.timestamp(),
                "to": row.end_at.timestamp() if row.end_at else min(end, now).timestamp(),
                "label": rule_words(row.rule_code),
                "side": row.side,
            }
            for stay in stays
            for row in queries.excursions(session, *stay)
        ],
        "events": events,
    }


def _instant(name: str) -> datetime:
    typed = request.args.get(name, "")
    try:
        found = datetime.fromisoformat(typed.replace(" ", "+"))
    except ValueError:
        raise Invalid("profile_time_unreadable", field=name) from None
    if found.tzinfo is None:
        raise Invalid("profile_time_unreadable", field=name)
    return found


def _points() -> int:
    typed = request.args.get("points", str(charting.POINTS))
    if not (typed.isascii() and typed.isdigit() and 100 <= int(typed) <= charting.MOST_POINTS):
        raise Invalid("chart_points_bad", field="points", low=100, high=charting.MOST_POINTS)
    return int(typed)


def _visible(session: Session, code: str, start: datetime, end: datetime) -> Box:
    """The box when it is at home or stands in the caller's area, or carried something from or for it meanwhile."""
    one = session.get(Box, code)
    mine = scope()
    if one is None:
        raise NotFound("box_unknown", field="box", box=code[:64])
    if mine.covers(one.home_code, one.location_code):
        return one
    carried = session.execute(
        select(Consignment.origin_code, Consignment.destination_code).where(
            Consignment.box_code == code,
            Consignment.opened_at < end,
            or_(Consignment.closed_at.is_(None), Consignment.closed_at > start),
        )
    )
    if not any(mine.covers(origin, destination) for origin, destination in carried):
        raise NotFound("box_unknown", field="box", box=code[:64])
    return one
