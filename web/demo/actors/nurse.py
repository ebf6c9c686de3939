"""A township's collector: orders in the morning, tubes one by one, boxes sealed before the courier comes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any

from logistics import clock
from web.demo import script
from web.demo.actors.sender import DOWN
from web.demo.client import Refused, act
from web.demo.script import local
from web.demo.stage import Stage, Turns, insist

SURNAMES = "李王张刘陈杨黄赵吴周"
PER_ROUND = 3
SEAL_BEFORE = timedelta(minutes=12)
UNPACK_EVERY, UNPACK_UNTIL = timedelta(minutes=15), time(17)  # what couriers brought down


@dataclass
class Tube:
    accession: str
    temp_class: str
    packed: bool = False


@dataclass
class Nurse:
    """The collector of one township."""

    stage: Stage
    site: str
    tubes: list[Tube] = field(default_factory=list)
    boxes: dict[str, str] = field(default_factory=dict)  # temperature class → box code

    @property
    def username(self) -> str:
        return f"nurse-{self.site}"

    def turns(self) -> Turns:
        luck = script.chance(self.stage.day, self.username)
        api = self.stage.api(self.username)
        yield local(self.stage.day, time(7, 50)) + timedelta(minutes=luck.uniform(0, 20))
        for box in api.get("/api/v1/boxes", home=self.site)["boxes"]:
            if not box["consignment"]:
                self.boxes.setdefault(box["temp_class"], box["code"])
        self._register(luck)
        yield from self._collect(luck)
        yield local(self.stage.day, time(9, 35)) + timedelta(minutes=luck.uniform(0, 20))
        self._pack_and_seal(luck)
        yield from self._tell_ready()
        if self.site == self.stage.incidents.urgent_site:
            yield from self._urgent(luck)
        while self.site in DOWN and clock.now() < local(self.stage.day, UNPACK_UNTIL):
            yield clock.now() + UNPACK_EVERY
            self._unpack_deliveries()

    def _register(self, luck: random.Random) -> None:
        count = luck.randint(script.TUBES_LOW, script.TUBES_HIGH)
        day = self.stage.day.strftime("%y%m%d")
        acts, wanted = [], []
        for number in range(1, count + 1):
            tests = luck.choices([tests for tests, _ in script.TESTS], [weight for _, weight in script.TESTS])[0]
            accession = f"{day}{self.site[-5:]}{number:03d}"
            payload = {
                "tests": list(tests),
                "priority": "urgent" if luck.random() < 0.08 else "routine",
                "patient_ref": luck.choice(SURNAMES) + "**",
                "order_number": accession,
                "source": "imported",
            }
            acts.append(act("register", clock.now(), {"specimen": accession}, payload, how="imported"))
            wanted.append(accession)
        if self.site == self.stage.incidents.send_out_site:
            acts.append(self._special(day))
            wanted.append(f"{day}{self.site[-5:]}700")
        answers = self.stage.api(self.username).acts(acts)
        done = {answer["result"].get("specimen") for answer in answers if answer["status"] == "done"}
        known = {one["accession"]: one for one in self._specimens()}
        self.tubes = [Tube(number, known[number]["temp_class"]) for number in wanted if number in done & known.keys()]

    def _special(self, day: str) -> dict[str, Any]:
        """A tube for a test that no laboratory of the network performs: the city sends it out."""
        accession = f"{day}{self.site[-5:]}700"
        payload = {"tests": ["VITD"], "patient_ref": "孙**", "order_number": accession, "source": "imported"}
        return act("register", clock.now(), {"specimen": accession}, payload, how="imported")

    def _specimens(self) -> list[dict[str, Any]]:
        api = self.stage.api(self.username)
        found: list[dict[str, Any]] = api.get("/api/v1/specimens", site=self.site, limit=100)["specimens"]
        return found

    def _collect(self, luck: random.Random) -> Turns:
        for start in range(0, len(self.tubes), PER_ROUND):
            yield clock.now() + timedelta(minutes=luck.uniform(6, 14))
            some = self.tubes[start : start + PER_ROUND]
            now = clock.now()
            acts = [
                act("collect", now - timedelta(seconds=40 * place), {"specimen": tube.accession})
                for place, tube in enumerate(reversed(some))
            ]
            self.stage.api(self.username).acts(acts)

    def _pack_and_seal(self, luck: random.Random) -> None:
        api = self.stage.api(self.username)
        consignments: dict[str, str] = {}
        acts = [
            act("pack", clock.now(), {"specimen": tube.accession, "box": self.boxes[tube.temp_class]})
            for tube in self.tubes
            if tube.temp_class in self.boxes and not tube.packed
        ]
        for answer in api.acts(acts) if acts else []:
            if answer["status"] == "done":
                consignments[answer["result"]["box"]] = answer["result"]["consignment"]
        for code, number in consignments.items():
            if code in self.stage.boxes:
                self.stage.boxes[code].model.open_lid(clock.now(), timedelta(minutes=luck.uniform(1, 3)))
            seal = f"SL{luck.randrange(10_000_000):07d}"
            api.act(act("seal", clock.now(), {"consignment": number}, {"seal": seal}))

    def _tell_ready(self) -> Turns:
        for _attempt in range(3):
            try:
                self.stage.api(self.username).act(act("ready", clock.now(), {}, {}, how="typed"))
            except Refused as error:
                yield insist(f"{self.username} ready", error)
            else:
                return

    def _unpack_deliveries(self) -> None:
        """What the courier brought down: every item scanned, its condition said, the receipt closed."""
        api = self.stage.api(self.username)
        found = api.get("/api/v1/consignments", state="delivered", destination=self.site)["consignments"]
        for load in found:
            subject = {"consignment": load["number"]}
            lines = api.get(f"/api/v1/consignments/{load['number']}")["items"]
            acts = [
                act("receive_item", clock.now(), {**subject, "item": line["item"]}, {"condition": "good"})
                for line in lines
                if line["outcome"] == "expected"
            ]
            api.acts([*acts, act("close_receipt", clock.now(), subject, {}, how="typed")])

    def _urgent(self, luck: random.Random) -> Turns:
        """Late in the morning a patient cannot wait: one more tube in the spare box, and a call."""
        yield local(self.stage.day, self.stage.incidents.urgent_at)
        api = self.stage.api(self.username)
        accession = f"{self.stage.day:%y%m%d}{self.site[-5:]}900"
        payload = {"tests": ["LFT"], "priority": "stat", "patient_ref": "陈**", "order_number": accession}
        api.act(act("register", clock.now(), {"specimen": accession}, payload, how="typed"))
        yield clock.now() + timedelta(minutes=4)
        api.act(act("collect", clock.now(), {"specimen": accession}))
        free = [box for box in api.get("/api/v1/boxes", site=self.site)["boxes"] if not box["consignment"]]
        cold = next((box["code"] for box in free if box["temp_class"] == "cold_2_8"), None)
        if cold is not None:
            packed = api.act(act("pack", clock.now(), {"specimen": accession, "box": cold}))
            seal = f"SL{luck.randrange(10_000_000):07d}"
            api.act(act("seal", clock.now(), {"consignment": packed["consignment"]}, {"seal": seal}))
        call = {"note": "胸痛患者，加急 / chest pain, urgent", "within_min": 90}
        api.act(act("urgent_call", clock.now(), {}, call, how="typed"))
