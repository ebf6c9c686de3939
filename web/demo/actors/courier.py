"""A courier: follows his published stops, reports where he is, signs for boxes and brings them in."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from logistics import clock
from web.demo import people, script
from web.demo.client import Refused, act
from web.demo.script import local
from web.demo.stage import Stage, Turns, insist

LOOK_AGAIN = timedelta(minutes=4)
FIX_EVERY = timedelta(minutes=2)
LOOK_AFTER_FIXES = 3
PATIENCE = timedelta(minutes=14)
TRUNK_PATIENCE = timedelta(minutes=30)  # the laboratory packs while the courier stands there
DETOUR, SPEED_KMH = 1.33, 40.0
UNLOAD_PATIENCE = timedelta(minutes=40)
Stop = Mapping[str, Any]


@dataclass
class Courier:
    """One courier for one day."""

    stage: Stage
    username: str

    def turns(self) -> Turns:
        luck = script.chance(self.stage.day, self.username)
        yield local(self.stage.day, time(7, 45)) + timedelta(minutes=luck.uniform(0, 10))
        self._post("/api/v1/courier/duty", {"on": True})
        visited = 0
        while clock.now() < self.stage.ends - timedelta(minutes=20):
            stop = self._next_stop()
            if stop is None:
                yield from self._bring_in_what_is_left(luck)
                here = self.stage.positions.get(self.username) or self._home()
                self._report(here, here, 1.0)
                yield clock.now() + LOOK_AGAIN
                continue
            if visited == 0:
                yield from self._take_down(luck)
            if self.username == self.stage.incidents.late_courier and visited == 2:
                yield clock.now() + self.stage.incidents.late_by
                stop = self._next_stop() or stop
            yield from self._drive(stop["site"], stop, luck)
            now_next = self._next_stop()
            if now_next is not None and now_next["site"] != stop["site"]:
                continue  # the plan was changed on the way
            yield from self._visit(stop, luck)
            visited += 1
        self._post("/api/v1/courier/duty", {"on": False})

    def _post(self, path: str, body: Mapping[str, Any]) -> None:
        self.stage.api(self.username).post(path, body)

    def _today(self) -> dict[str, Any]:
        return self.stage.api(self.username).get("/api/v1/courier/today")

    def _next_stop(self) -> Stop | None:
        """The first stop that is not done; reading it is seeing the plan."""
        document = self._today()
        if document["stops"] and document["plan"] and not document["plan"].get("seen"):
            self._post("/api/v1/courier/seen", {})
        left = [stop for stop in document["stops"] if stop["state"] == "planned" and stop["kind"] != "start"]
        return left[0] if left else None

    def _bring_in_what_is_left(self, luck: random.Random) -> Turns:
        """A plan that changed under way may leave a box aboard without a stop for it: it is brought in all the same."""
        aboard = [load for load in self._today()["consignments"] if load["holder"] == self.username]
        if not aboard:
            return
        site = aboard[0]["destination"]
        yield from self._drive(site, None, luck)
        api = self.stage.api(self.username)
        api.act(act("arrive", clock.now(), {}, {}, **self._where(site)))
        yield from self._bring_in(site)
        api.act(act("depart", clock.now(), {}, {}, **self._where(site)))

    def _drive(self, site: str, stop: Stop | None, luck: random.Random) -> Turns:
        """Leave so as to arrive about when planned; report the way, and look now and then whether the plan changed."""
        planned = datetime.fromisoformat(stop["arrive_at"]) if stop else clock.now()
        arrive = planned + timedelta(minutes=luck.gauss(0.0, 3.0))
        target = self.stage.sites[site]
        start = self.stage.positions.get(self.username) or self._home()
        travel = self._travel_time(start, target)
        if arrive - travel > clock.now():
            yield arrive - travel
        left_at = clock.now()
        fixes = 0
        while (done := (clock.now() - left_at) / travel) < 1.0:
            self._report(start, target, done)
            fixes += 1
            if stop is not None and fixes % LOOK_AFTER_FIXES == 0:
                now_next = self._next_stop()
                if now_next is not None and now_next["site"] != site:
                    return
            yield min(clock.now() + FIX_EVERY, left_at + travel)
        self._report(start, target, 1.0)

    def _home(self) -> tuple[float, float]:
        return self.stage.sites[self._today()["start_site"]]

    def _travel_time(self, start: tuple[float, float], target: tuple[float, float]) -> timedelta:
        """Straight distance with a detour at 40 km/h: the simulated road, not the planner's."""
        north_km = (target[0] - start[0]) * 111.2
        east_km = (target[1] - start[1]) * 96.5
        return timedelta(hours=max(0.02, (north_km**2 + east_km**2) ** 0.5 * DETOUR / SPEED_KMH))

    def _report(self, start: tuple[float, float], target: tuple[float, float], done: float) -> None:
        lat = start[0] + (target[0] - start[0]) * done
        lon = start[1] + (target[1] - start[1]) * done
        self.stage.positions[self.username] = (lat, lon)
        fix = {"at": clock.now().isoformat(), "lat": round(lat, 5), "lon": round(lon, 5), "accuracy_m": 12.0}
        self._post("/api/v1/positions", {"positions": [fix]})

    def _visit(self, stop: Stop, luck: random.Random) -> Turns:
        api = self.stage.api(self.username)
        where = self._where(stop["site"])
        api.act(act("arrive", clock.now(), {"stop": stop["id"]}, {}, **where))
        yield clock.now() + timedelta(minutes=luck.uniform(1, 3))
        self._hand_down(stop["site"])
        if stop["kind"] in {"pickup", "both"}:
            yield from self._pick_up(stop["site"], luck)
        if stop["kind"] in {"delivery", "both", "end"}:
            yield from self._bring_in(stop["site"])
        api.act(act("depart", clock.now(), {"stop": stop["id"]}, {}, **where))

    def _where(self, site: str) -> dict[str, Any]:
        lat, lon = self.stage.sites[site]
        return {"site": site, "position": {"lat": lat, "lon": lon}, "device": f"phone-{self.username}"}

    def _pick_up(self, site: str, luck: random.Random) -> Turns:
        """Take every sealed box that waits; wait a little when there is none yet."""
        until = clock.now() + (TRUNK_PATIENCE if site.startswith("H") else PATIENCE)
        while not (waiting := self._waiting_at(site)) and clock.now() < until:
            yield clock.now() + LOOK_AGAIN
        for load in waiting:
            yield from self._sign_for(load, site, luck)

    def _waiting_at(self, site: str) -> list[dict[str, Any]]:
        loads: list[dict[str, Any]] = self._today()["consignments"]
        return [load for load in loads if load["state"] == "sealed" and load["location"] == site and not _down(load)]

    def _take_down(self, luck: random.Random) -> Turns:
        """Before he leaves the laboratory: what goes down to his stops, signed for."""
        document = self._today()
        home = document["start_site"]
        for load in document["consignments"]:
            if _down(load) and load["state"] == "sealed" and load["location"] == home:
                yield from self._sign_for(load, home, luck)

    def _hand_down(self, site: str) -> None:
        """Give the township what was brought for it; the nurse signs on this phone."""
        for load in self._today()["consignments"]:
            if not (_down(load) and load["holder"] == self.username and load["destination"] == site):
                continue
            payload = {"other": f"nurse-{site}", "pin": people.PIN, "count": len(load["tubes"])}
            subject = {"consignment": load["number"]}
            try:
                self.stage.api(self.username).act(act("hand_over", clock.now(), subject, payload, **self._where(site)))
            except Refused as error:
                insist(f"{self.username} gives {load['number']}", error)
            box = self.stage.boxes.get(load["box"])
            if box is not None:
                box.carrier = None

    def _sign_for(self, load: Mapping[str, Any], site: str, luck: random.Random) -> Turns:
        box = self.stage.boxes.get(load["box"])
        other = f"nurse-{site}" if not site.startswith("H") else f"lab-{site.removeprefix('H')}"
        if site == "H421200":
            other = "lab-city"
        payload = {
            "other": other,
            "pin": people.PIN,
            "count": len(load["tubes"]),
            "box_temp_c": f"{box.model.temp_c:.1f}" if box else None,
        }
        subject = {"consignment": load["number"]}
        try:
            self.stage.api(self.username).act(act("hand_over", clock.now(), subject, payload, **self._where(site)))
        except Refused as error:
            yield insist(f"{self.username} takes {load['number']}", error)
            return
        if box is not None:
            box.carrier = self.username
            if site == self.stage.incidents.warm_box_site and box.temp_class == "cold_2_8":
                box.model.lose_cooling(warmth_c=3)  # somebody forgot to change the cold packs
        yield clock.now() + timedelta(minutes=luck.uniform(1, 2))

    def _bring_in(self, site: str) -> Turns:
        """Wait until the laboratory has signed for everything that was brought here."""
        until = clock.now() + UNLOAD_PATIENCE
        while clock.now() < until:
            mine = [
                load
                for load in self._today()["consignments"]
                if load["holder"] == self.username and load["destination"] == site
            ]
            if not mine:
                return
            yield clock.now() + timedelta(minutes=3)


def _down(load: Mapping[str, Any]) -> bool:
    """A load for a township, not from it."""
    return load.get("kind") == "return"
