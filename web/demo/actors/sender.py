"""The laboratory sends: reports and control material down with the round, special tubes out under a contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any

from logistics import clock
from web.demo import outside, people, script
from web.demo.client import Refused, act
from web.demo.script import local
from web.demo.stage import Stage, Turns, insist

DOWN_AT = time(7, 32)  # before the couriers leave
OUT_FROM, OUT_UNTIL = time(15, 30), time(17, 15)
LOOK_EVERY = timedelta(minutes=10)
ON_THE_ROAD = timedelta(minutes=55)
# Site of the county → what it gets: kind, description, quantity, temperature class.
DOWN: Mapping[str, tuple[tuple[str, str, int, str], ...]] = {
    "421281100": (("report", "检验报告", 14, ""), ("consumables", "EDTA 采血管", 100, "")),
    "421281101": (("report", "检验报告", 9, ""),),
    "421281103": (("report", "检验报告", 11, ""),),
    "421281104": (("quality_control", "血细胞分析质控品", 2, "cold_2_8"),),
}


@dataclass
class SendingDown:
    """The early shift of a county laboratory makes up what the couriers take along."""

    stage: Stage
    username: str
    site: str

    def turns(self) -> Turns:
        luck = script.chance(self.stage.day, f"{self.username} down")
        yield local(self.stage.day, DOWN_AT)
        free = self._free()
        for goal, loads in DOWN.items():
            seal = f"SL{luck.randrange(10_000_000):07d}"
            self._send(goal, loads, free, seal)

    def _free(self) -> dict[str, list[str]]:
        """Empty bags and boxes that stand here, by 'bag' or temperature class."""
        found: dict[str, list[str]] = {}
        for box in self.stage.api(self.username).get("/api/v1/boxes", site=self.site)["boxes"]:
            if not box["consignment"]:
                kind = "bag" if box["kind"] == "bag" else box["temp_class"]
                found.setdefault(kind, []).append(box["code"])
        return found

    def _send(self, goal: str, loads: Any, free: dict[str, list[str]], seal: str) -> None:
        waiting = free.get(loads[0][3] or "bag", [])
        if not waiting:
            return  # every bag is still out: it goes tomorrow
        box = waiting.pop(0)
        api = self.stage.api(self.username)
        for kind, description, quantity, temp_class in loads:
            payload = {"kind": kind, "description": description, "quantity": quantity, "destination": goal}
            if temp_class:
                payload |= {"temp_class": temp_class, "lot": "QC2603"}
            item = api.act(act("register_item", clock.now(), {}, payload, how="typed", site=self.site))["item"]
            api.act(act("pack_item", clock.now(), {"item": item, "box": box}, site=self.site))
        api.act(act("seal", clock.now(), {"box": box}, {"seal": seal}, site=self.site))


@dataclass
class SendingOut:
    """The city hands special tubes to a carrier; the external laboratory confirms them with its own account."""

    stage: Stage
    username: str
    site: str

    def turns(self) -> Turns:
        luck = script.chance(self.stage.day, f"{self.username} out")
        yield local(self.stage.day, OUT_FROM)
        while clock.now() < local(self.stage.day, OUT_UNTIL):
            number, count = self._pack(f"SL{luck.randrange(10_000_000):07d}")
            if number is None:
                yield clock.now() + LOOK_EVERY
                continue
            yield clock.now() + timedelta(minutes=5)
            yield from self._release(number, count)
            yield clock.now() + ON_THE_ROAD
            received = act("confirm_send_out", clock.now(), {"consignment": number}, {"condition": "good"}, how="typed",
                           site=outside.EXTERNAL_CODE)  # fmt: skip
            self.stage.api(outside.EXTERNAL_USER).act(received)
            return

    def _pack(self, seal: str) -> tuple[str | None, int]:
        api = self.stage.api(self.username)
        here = api.get("/api/v1/specimens", site=self.site, state="received", limit=500)["specimens"]
        going = [one for one in here if one["destination"] == outside.EXTERNAL_CODE and not one["on_hold"]]
        boxes = api.get("/api/v1/boxes", site=self.site)["boxes"]
        free = [box for box in boxes if not box["consignment"] and box["kind"] == "box"]
        box = next((one for one in free if going and one["temp_class"] == going[0]["temp_class"]), None)
        if box is None:
            return None, 0
        acts = [
            act("pack", clock.now(), {"specimen": one["accession"], "box": box["code"]}, site=self.site)
            for one in going
            if one["temp_class"] == box["temp_class"]
        ]
        done = [answer["result"] for answer in api.acts(acts) if answer["status"] == "done"]
        if not done:
            return None, 0
        number = str(done[0]["consignment"])
        api.act(act("seal", clock.now(), {"consignment": number}, {"seal": seal}, site=self.site))
        return number, len(done)

    def _release(self, number: str, count: int) -> Turns:
        payload = {
            "count": count,
            "taker_name": "周涛",
            "taker_organisation": "示例冷链物流",
            "witness": "manager-city",
            "pin": people.PIN,
            "box_temp_c": "4.8",
        }
        try:
            self.stage.api(self.username).act(
                act("release_send_out", clock.now(), {"consignment": number}, payload, how="typed", site=self.site)
            )
        except Refused as error:
            yield insist(f"{self.username} releases {number}", error)
