"""The page of the simulated day: what to look at and when; pause, speed, next morning."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, render_template, request
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from logistics import clock
from logistics.db import transaction
from logistics.errors import Invalid, NotFound
from web import auth
from web.access import access
from web.demo import control, logins
from web.demo.script import ZONE, Incidents, local
from web.settings import Settings

blueprint = Blueprint("demo", __name__)


@dataclass(frozen=True, slots=True)
class Scene:
    """A moment of the day: when, who should look, and what there is to see."""

    at: time
    icon: str
    role: str
    title: Any
    text: Any


def scenes() -> tuple[Scene, ...]:
    """The day's story in order of time."""
    story = Incidents()
    return (
        Scene(time(7, 35), "route", "dispatcher", _l("The day is planned"),
              _l("The dispatcher plans 77 sites with couriers, windows and use-by times, and publishes the routes.")),
        Scene(time(8, 0), "tube", "collector", _l("Blood is taken"),
              _l("Seventy townships register orders, print labels and scan each tube as it is collected.")),
        Scene(time(9, 45), "seal", "collector", _l("Boxes are sealed"),
              _l("Tubes go into boxes of the right temperature class; the manifest locks with the seal.")),
        Scene(time(10, 5), "truck", "courier", _l("Couriers are on the road"),
              _l("Each handover is signed by both sides; boxes report their temperature every five minutes.")),
        Scene(story.silent_from, "radio", "manager", _l("A logger falls silent"),
              _l("A box of Chaanling sends nothing any more. Silence is unknown, neither warm nor cold.")),
        Scene(time(10, 45), "thermometer", "manager", _l("A box gets warm"),
              _l("The cold packs of a box from Zhaoliqiao were not changed. One alert names the tubes it concerns.")),
        Scene(story.urgent_at, "phone", "dispatcher", _l("An urgent call"),
              _l("Liushanhu has a patient who cannot wait; the call is put into a running route.")),
        Scene(time(11, 30), "clock", "dispatcher", _l("A courier is late"),
              _l("The second courier of Chibi loses almost an hour; the board shows who waits for him.")),
        Scene(time(12, 0), "missing", "receiver", _l("A tube is missing, another is rejected"),
              _l("At Chibi one tube is not in its box and is declared missing by name; another is unfit for testing.")),
        Scene(time(13, 15), "arrow-right", "receiver", _l("Special tests travel on"),
              _l("The county centres pack what only the city tests; trunk couriers bring it there.")),
        Scene(story.silent_until, "radio", "manager", _l("The silent logger sends its store"),
              _l("Its readings arrive late and are judged by the time they were measured.")),
        Scene(story.found_at, "check-circle", "receiver", _l("The missing tube is found"),
              _l("It lay in another box. The record shows both: missing, and found.")),
    )  # fmt: skip


def settings() -> Settings:
    found: Settings = current_app.extensions["labrelay.settings"]
    if not found.demo:
        raise NotFound("not_found")
    return found


@blueprint.get("/demo")
@access("any")
def story() -> str:
    """The storyline of the simulated day."""
    settings()
    now = clock.now()
    day = now.astimezone(ZONE).date()
    shown = [{"scene": scene, "at": local(day, scene.at), "past": local(day, scene.at) <= now} for scene in scenes()]
    return render_template("demo/story.html", scenes=shown, logins=logins(), now=now)


@blueprint.post("/api/v1/demo/clock")
@access("any")
def turn() -> Response:
    """{rate: 0 | 1 | 10 | 60 | 120 | 300} or {again: true} for the next morning."""
    found = settings()
    body: dict[str, Any] = request.get_json()
    started: datetime | None = None
    if body.get("again") is True:
        started = control.begin_again(found)
    elif isinstance(body.get("rate"), (int, float)) and not isinstance(body["rate"], bool):
        control.set_rate(found, float(body["rate"]))
    else:
        raise Invalid("field_missing", field="rate")
    with transaction() as session:
        auth.audit(session, "demo_clock", current_user.username, **body)
    return jsonify({"now": clock.now().isoformat(), "rate": clock.current().rate, "started": started is not None})
