"""``labrelay demo play``: one day after the other until told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection
from datetime import datetime

import httpx

from logistics import clock
from telemetry.simulator import BoxModel
from web.demo import people
from web.demo.actors.courier import Courier
from web.demo.actors.dispatcher import Dispatcher
from web.demo.actors.manager import Manager
from web.demo.actors.nurse import Nurse
from web.demo.actors.receiver import CITY, Receiver
from web.demo.actors.sender import SendingDown, SendingOut
from web.demo.client import connect
from web.demo.control import shared_clock
from web.demo.loggers import Gateway, Loggers
from web.demo.script import COUNTY, ZONE
from web.demo.stage import Box, Director, Stage, Turns
from web.settings import Settings

log = logging.getLogger(__name__)
WAIT_FOR_WEB_S = 120.0
IDLE_S = 0.5
ROOM_C, VAN_C = 20.0, 23.0


def play(settings: Settings, stop: threading.Event) -> None:
    """Play days. ``settings`` name the clock, the web server and the broker."""
    clock.install(shared_clock(settings))
    base_url = f"http://{settings.host}:{settings.port}"
    _wait_for(base_url, stop)
    while not stop.is_set():
        ended = play_day(settings, base_url, stop)
        log.info("the simulated day is %s", ended)
        if ended == "over":
            shared_clock(settings).set_rate(0)
            _wait_for_next_day(stop)


def play_day(settings: Settings, base_url: str, stop: threading.Event) -> str:
    """One day from wherever the clock stands. Returns 'over', 'restarted' or 'stopped'."""
    gateway = Gateway(settings.mqtt_url) if settings.mqtt_url else None
    with connect(base_url) as http:
        stage = make_stage(http)
        director = Director(stage, stop)
        for name, turns in actors(stage):
            director.add(name, turns)
        if gateway is not None:
            loggers = Loggers(stage, gateway.publish, settings.var_dir / "demo-seq.json")
            gateway.start(loggers.receipt)
            director.add("loggers", loggers.turns())
        try:
            return director.play()
        finally:
            if gateway is not None:
                gateway.stop()


def make_stage(http: httpx.Client) -> Stage:
    """The network as the administrator's API shows it, each box with fresh cold packs."""
    now = clock.now()
    stage = Stage(day=now.astimezone(ZONE).date(), http=http)
    api = stage.api("admin")
    for site in api.get("/api/v1/sites")["sites"]:
        if site["tier"] == "external":
            continue  # nobody of ours works there
        stage.sites[site["code"]] = (site["lat"], site["lon"])
    bound = {entry["box"]: entry["code"] for entry in api.get("/api/v1/devices")["devices"] if entry["box"]}
    for box in api.get("/api/v1/boxes")["boxes"]:
        device = bound.get(box["code"])
        if device is None:
            continue
        seed = stage.day.toordinal()
        stage.boxes[box["code"]] = put_box(box["code"], box["temp_class"], box["home"], device, now, seed)
    return stage


def put_box(code: str, temp_class: str, home: str, device: str, start: datetime, seed: int) -> Box:
    """A box with fresh cold packs in a room, and in a heated van while somebody carries it."""

    def around(_at: datetime) -> float:
        return VAN_C if box.carrier else ROOM_C

    box = Box(
        code, temp_class, home, device, BoxModel(device, start=start, temp_class=temp_class, seed=seed, ambient=around)
    )
    return box


def actors(stage: Stage, counties: Collection[str] | None = None) -> list[tuple[str, Turns]]:
    """Everybody's day; with ``counties`` (six digits) only theirs and the city's."""
    everybody: list[tuple[str, Turns]] = []
    for code in stage.sites:
        short = code.removeprefix("H")
        if counties is not None and short[:6] not in counties and code != CITY:
            continue
        if not code.startswith("H"):
            everybody.append((f"nurse-{short}", Nurse(stage, code).turns()))
            continue
        if code == CITY:
            everybody.append(("lab-city", Receiver(stage, "lab-city", code).turns()))
            everybody.append(("lab-city sends out", SendingOut(stage, "lab-city", code).turns()))
            couriers = [f"courier-city-{n}" for n in range(1, people.TRUNK_COURIERS + 1)]
        else:
            desk = Receiver(stage, f"lab-{short}", code)
            everybody += [(f"lab-{short}", desk.turns()), (f"lab-{short} forward", desk.forwarding())]
            couriers = [f"courier-{short}-{n}" for n in range(1, people.COURIERS_PER_COUNTY + 1)]
            if short == COUNTY:
                everybody.append((f"lab-{short} sends down", SendingDown(stage, f"lab-{short}", code).turns()))
            if short != COUNTY:  # at Chibi the alerts are left to whoever plays the manager
                everybody.append((f"manager-{short}", Manager(stage, f"manager-{short}").turns()))
        everybody += [(name, Courier(stage, name).turns()) for name in couriers]
    everybody.append(("dispatch-city", Dispatcher(stage, "dispatch-city").turns()))
    return everybody


def _wait_for(base_url: str, stop: threading.Event) -> None:
    deadline = time.monotonic() + WAIT_FOR_WEB_S
    while not stop.is_set():
        try:
            if httpx.get(f"{base_url}/readyz", timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() > deadline:
            raise SystemExit("The web server does not answer.")
        stop.wait(IDLE_S)


def _wait_for_next_day(stop: threading.Event) -> None:
    """The day is over and the clock stands still until somebody begins the next one on the page."""
    stood_at = clock.now()
    while not stop.wait(IDLE_S):
        if clock.now() != stood_at:
            return
