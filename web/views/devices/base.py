"""What the loggers' pages share: the blueprint, who may, reading times and options from forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, request
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.exports import ZONE
from logistics.models import Box, Site
from telemetry import fleet
from telemetry.models import Device
from web.auth import scope
from web.forms import flag, text
from web.rendering import localdatetime, locale

blueprint = Blueprint("devices", __name__, url_prefix="/devices")
READERS = ("manager", "administrator", "auditor")
MOVERS = ("manager", "administrator")
EDITOR = "administrator"
_MOST_LINES = 64


def mine(session: Session, code: str) -> Device:
    """The logger, when it is in the user's sight. Raises NotFound."""
    return fleet.require(session, scope(), code)


def may_move() -> bool:
    return current_user.role in MOVERS


def local_time(name: str, *, now: datetime) -> datetime:
    """'2026-03-09T08:30' as it stands on the clock here; empty is now. Raises Invalid('time_unreadable')."""
    value = text(name, limit=25)
    if not value:
        return now
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise Invalid("time_unreadable", field=name, value=value) from None
    return at if at.tzinfo else at.replace(tzinfo=ZONE)


def local_day(name: str) -> datetime:
    """'2027-03-09' as the end of that day here. Raises Invalid."""
    value = text(name, limit=10)
    try:
        return datetime.fromisoformat(value).replace(tzinfo=ZONE) + timedelta(days=1)
    except ValueError:
        raise Invalid("day_unreadable", field=name) from None


def options() -> dict[str, Any]:
    """The options of a format as typed: lines ``name = meaning``, a zone, ports, arrival. Raises Invalid."""
    found: dict[str, Any] = {}
    fields, probes = _lines("fields"), _lines("probes")
    if fields:
        found["fields"] = fields
    if probes:
        found["probes"] = {name: _whole(number, "probes") for name, number in probes.items()}
    if zone := text("zone"):
        found["zone"] = zone
    if ports := text("ports"):
        found["ports"] = [_whole(part, "ports") for part in ports.replace(",", " ").split()]
    if flag("arrival"):
        found["arrival"] = True
    return found


def _lines(name: str) -> dict[str, str]:
    lines = [line.strip() for line in request.form.get(name, "")[:8000].splitlines() if line.strip()]
    if len(lines) > _MOST_LINES:
        raise Invalid("option_value", field=name, name=name)
    found = {}
    for line in lines:
        left, equals, right = line.rpartition("=")
        if not equals or not left.strip() or not right.strip():
            raise Invalid("option_line", field=name, line=line[:60])
        found[left.strip()] = right.strip()
    return found


def _whole(value: str, field: str) -> int:
    if not value.isdecimal() or len(value) > 3:
        raise Invalid("number_unreadable", field=field, value=value[:20])
    return int(value)


def as_lines(given: Mapping[str, Any] | None) -> str:
    """A mapping as it is typed."""
    return "\n".join(f"{name} = {value}" for name, value in (given or {}).items())


def sites_in_sight(session: Session) -> list[tuple[str, str]]:
    """(code, name) of the sites that the user may choose."""
    own = scope()
    query = select(Site).where(Site.active).order_by(Site.code)
    return [(one.code, one.name(locale())) for one in session.scalars(query) if own.covers(one.code)]


def boxes_in_sight(session: Session) -> list[str]:
    own = scope()
    query = select(Box.code, Box.home_code).where(Box.active).order_by(Box.code)
    return [code for code, home in session.execute(query) if own.covers(home)]


def topics() -> Iterable[str]:
    return request.form.get("topics", "")[:4000].splitlines()


def iso_local(text: str | None) -> str:
    """An instant that is kept as text, as it stands on the clock here."""
    return localdatetime(datetime.fromisoformat(text)) if text else "–"


blueprint.add_app_template_filter(as_lines, "as_lines")
blueprint.add_app_template_filter(iso_local, "iso_local")
