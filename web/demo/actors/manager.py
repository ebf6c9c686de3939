"""A laboratory manager: reads the inbox and answers each alert with a word."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

from logistics import clock
from web.demo import script
from web.demo.client import Refused
from web.demo.script import local
from web.demo.stage import Stage, Turns, insist

LOOK_EVERY = timedelta(minutes=15)
WORDS = ("收到，正在处理", "已通知卫生院", "收到，到货后复核")


@dataclass
class Manager:
    """The manager of one county laboratory."""

    stage: Stage
    username: str

    def turns(self) -> Turns:
        luck = script.chance(self.stage.day, self.username)
        yield local(self.stage.day, time(8, 30))
        api = self.stage.api(self.username)
        while clock.now() < self.stage.ends:
            yield clock.now() + LOOK_EVERY
            for alert in api.get("/api/v1/alerts", state="open")["alerts"]:
                if alert["acknowledged_at"] is None and luck.random() < 0.5:
                    try:
                        api.post(f"/api/v1/alerts/{alert['id']}/acknowledge", {"word": luck.choice(WORDS)})
                    except Refused as error:
                        insist(f"{self.username} acknowledges", error)
