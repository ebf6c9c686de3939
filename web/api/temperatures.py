"""The temperatures of a box as its chart draws them; a narrower stretch of time gives finer data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request
from msgspec.json import encode
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.db import db
from logistics.errors import Invalid, NotFound
from logistics.models import Box, Consignment
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
    start, end = _instant("from"), _instant("to")
    if not start < end or end - start > charting.LONGEST:
        raise Invalid("chart_span_bad", field="from", days=charting.LONGEST.days)
    one = _visible(session, code, start, end)
    lines = charting.lines(session, one.code, start, end, now=clock.now(), points=_points())
    events = charts.box_events(session, one.code, start, end, scope())
    return Response(encode(answer(session, one, start, end, lines, events)), mimetype="application/json")


def answer(
    session: Session,
    one: Box,
    start: datetime,
    end: datetime,
    lines: Sequence[charting.Line],
    events: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """What the chart draws."""
    now = clock.now()
    profile = profiles.of_box(session, one, at=min(end, now))
    return {
        "from": start.timestamp(),
        "to": end.timestamp(),
        "band": {"low": profile.low_c, "high": profile.high_c},
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
            for row in queries.excursions(session, one.code, start, end)
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
