"""The city's dispatcher: plans the day, publishes, and takes urgent calls into the plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any

from logistics import clock
from web.demo.actors.receiver import CITY
from web.demo.client import Refused
from web.demo.script import local
from web.demo.stage import Stage, Turns, insist

SEARCH_S = 6
LOOK_EVERY = timedelta(minutes=3)


@dataclass
class Dispatcher:
    """Plans the whole city in the morning and again when the trunk boxes of the afternoon stand ready."""

    stage: Stage
    username: str
    seconds: float = SEARCH_S
    handled: set[int] = field(default_factory=set)

    def turns(self) -> Turns:
        yield local(self.stage.day, time(7, 32))
        yield from self._plan()
        while clock.now() < self.stage.ends:
            yield clock.now() + LOOK_EVERY
            self._urgent_calls()

    def _plan(self) -> Turns:
        api = self.stage.api(self.username)
        plan = api.post("/api/v1/plans", {"day": self.stage.day.isoformat(), "scope": CITY, "seconds": self.seconds})
        while True:
            yield clock.now() + timedelta(minutes=2)
            found = api.get(f"/api/v1/plans/{plan['id']}")
            if found["state"] == "ready":
                break
            if found["state"] == "failed":
                return
        api.post(f"/api/v1/plans/{plan['id']}/publish", {})

    def _urgent_calls(self) -> None:
        """Offer and take the best insertion of each urgent call."""
        api = self.stage.api(self.username)
        for call in self._open_calls():
            if call["id"] in self.handled:
                continue
            try:
                api.post(f"/api/v1/pickups/{call['id']}/insert", {})
            except Refused as error:
                insist(f"urgent call {call['id']}", error)
            else:
                self.handled.add(call["id"])

    def _open_calls(self) -> list[dict[str, Any]]:
        board = self.stage.api(self.username).get("/api/v1/board")
        return [call for call in board.get("pickups", []) if call["kind"] == "urgent" and call["state"] == "open"]
