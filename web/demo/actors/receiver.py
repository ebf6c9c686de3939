"""A laboratory's receiver: signs for what arrives, checks every tube, decides, and sends special tests on."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from logistics import clock
from web.demo import people, script
from web.demo.client import Refused, act
from web.demo.script import local
from web.demo.stage import Stage, Turns, insist

LOOK_EVERY = timedelta(minutes=3)
FORWARD_AT, FORWARD_UNTIL = time(13, 10), time(15, 0)
CITY = "H421200"
REJECTS = ("CLOTTED", "HAEMOLYSED", "QNS")
REJECT_SHARE = 0.012


@dataclass
class Receiver:
    """The receiving desk of one laboratory."""

    stage: Stage
    username: str
    site: str
    missing: str | None = None

    def turns(self) -> Turns:
        luck = script.chance(self.stage.day, self.username)
        yield local(self.stage.day, time(8, 0)) + timedelta(minutes=luck.uniform(0, 5))
        found_at = local(self.stage.day, self.stage.incidents.found_at)
        while clock.now() < self.stage.ends:
            boxes = self._arrived()
            for box in boxes:  # first everything is signed for, so that the courier can go on
                yield from self._sign(box)
            for box in boxes:
                yield clock.now() + timedelta(minutes=luck.uniform(1, 2))
                self._check(box["number"], box["origin"], luck)
            if self.missing and clock.now() >= found_at:
                self._found()
            yield clock.now() + LOOK_EVERY

    def forwarding(self) -> Turns:
        """The colleague who packs what only the city tests, in time for the trunk run; the rest waits a day."""
        yield local(self.stage.day, FORWARD_AT)
        luck = script.chance(self.stage.day, f"{self.username} forward")
        while clock.now() < local(self.stage.day, FORWARD_UNTIL) and not self._forward(luck):
            yield clock.now() + timedelta(minutes=5)

    def _arrived(self) -> list[dict[str, Any]]:
        api = self.stage.api(self.username)
        found: list[dict[str, Any]] = api.get("/api/v1/consignments", state="arrived,delivered", destination=self.site)[
            "consignments"
        ]
        return found

    def _sign(self, consignment: Mapping[str, Any]) -> Turns:
        if consignment["state"] != "arrived":
            return
        payload = {"other": consignment["holder"], "pin": people.PIN, "count": consignment["tube_count"]}
        box = self.stage.boxes.get(consignment["box"])
        if box is not None:
            payload["box_temp_c"] = f"{box.model.temp_c:.1f}"
            box.carrier = None
        subject = {"consignment": consignment["number"]}
        try:
            self.stage.api(self.username).act(act("hand_over", clock.now(), subject, payload, site=self.site))
        except Refused as error:
            yield insist(f"{self.username} takes {consignment['number']}", error)
        else:
            yield clock.now() + timedelta(minutes=1)

    def _check(self, number: str, origin: str, luck: random.Random) -> None:
        """Scan every tube; on the scripted box one is not there, and one is not fit."""
        api = self.stage.api(self.username)
        if api.get(f"/api/v1/consignments/{number}")["state"] != "delivered":
            return  # not signed for yet: the next look finds it again
        tubes = [
            line["specimen"]
            for line in api.get(f"/api/v1/consignments/{number}")["tubes"]
            if line["outcome"] == "expected"
        ]
        incidents = self.stage.incidents
        acts = []
        absent = (
            tubes[-1]["accession"] if origin == incidents.missing_tube_site and not self.missing and tubes else None
        )
        for tube in tubes:
            subject = {"specimen": tube["accession"], "consignment": number}
            if tube["accession"] == absent:
                self.missing = absent
                acts.append(act("declare_missing", clock.now(), subject, {}, how="ticked", site=self.site))
            else:
                acts.append(act("receive", clock.now(), subject, {"condition": "good"}, site=self.site))
        held = {a["result"].get("specimen") for a in api.acts(acts) if a["result"].get("on_hold")}
        acts = []
        acts.append(act("close_receipt", clock.now(), {"consignment": number}, {}, how="typed", site=self.site))
        present = [tube for tube in tubes if tube["accession"] != absent]
        bad = {tube["accession"] for tube in present if luck.random() < REJECT_SHARE}
        if origin == incidents.rejected_tube_site and present:
            bad.add(present[0]["accession"])
        acts += [
            self._decision(tube, tube["accession"] in bad, luck) for tube in present if self._decides(tube, bad, held)
        ]
        api.acts(acts)

    def _decides(self, tube: Mapping[str, Any], bad: set[str], held: set[str | None]) -> bool:
        """What is not fit is rejected; what is tested here is accepted, unless a manager has to decide."""
        fit = tube["destination"] == self.site and tube["accession"] not in held
        return fit or tube["accession"] in bad

    def _decision(self, tube: Mapping[str, Any], bad: bool, luck: random.Random) -> dict[str, Any]:
        subject = {"specimen": tube["accession"]}
        if bad:
            return act("reject", clock.now(), subject, {"reason": luck.choice(REJECTS)}, how="typed", site=self.site)
        return act("accept", clock.now(), subject, {}, site=self.site)

    def _forward(self, luck: random.Random) -> bool:
        """Tubes for the city go into a trunk box each of their class, sealed and reported. False: none is here yet."""
        api = self.stage.api(self.username)
        here = api.get("/api/v1/specimens", site=self.site, state="received", limit=500)["specimens"]
        going = [tube for tube in here if tube["destination"] != self.site and not tube["on_hold"]]
        if not going:
            return False
        free: dict[str, str] = {}
        for box in api.get("/api/v1/boxes", home=self.site)["boxes"]:
            if not box["consignment"] and box["kind"] == "box" and box["location"] == self.site:
                free.setdefault(box["temp_class"], box["code"])
        acts = [
            act("pack", clock.now(), {"specimen": tube["accession"], "box": free[tube["temp_class"]]}, site=self.site)
            for tube in going
            if tube["temp_class"] in free
        ]
        numbers = {a["result"]["consignment"] for a in api.acts(acts) if a["status"] == "done"}
        for number in sorted(numbers):
            seal = f"SL{luck.randrange(10_000_000):07d}"
            api.act(act("seal", clock.now(), {"consignment": number}, {"seal": seal}, site=self.site))
        if numbers:
            api.act(act("ready", clock.now(), {}, {}, how="typed", site=self.site))
        return bool(numbers)

    def _found(self) -> None:
        """The missing tube lay in the absorbent of another box."""
        accession, self.missing = self.missing, None
        api = self.stage.api(self.username)
        api.acts([act("found", clock.now(), {"specimen": accession}, {"condition": "good"}, site=self.site)])
