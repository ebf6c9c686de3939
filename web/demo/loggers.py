"""The loggers of the simulated boxes: they measure on the simulated clock and publish with QoS 1.

A logger keeps its readings until the server's receipt and sends them again after a silence, so the late batch of
the silent logger is real store and forward.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from logistics import clock
from telemetry import topics
from telemetry.reading import Reading
from web.demo.script import ZONE
from web.demo.stage import Box, Stage, Turns

INTERVAL = timedelta(minutes=5)
GROUPS = 10  # loggers do not all speak at the same second
MOST_KEPT = 200
Publish = Callable[[str, str], None]


@dataclass
class Logger:
    """A logger in a box: its counter, and what has no receipt yet."""

    box: Box
    seq: int
    kept: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))


class Loggers:
    """All loggers of the stage. ``seq_file`` keeps the counters from one start to the next."""

    def __init__(self, stage: Stage, publish: Publish, seq_file: Path) -> None:
        self._stage = stage
        self._publish = publish
        self._seq_file = seq_file
        counters = json.loads(seq_file.read_text()) if seq_file.exists() else {}
        self._loggers = {box.device: Logger(box, int(counters.get(box.device, 0))) for box in stage.boxes.values()}

    def turns(self) -> Turns:
        """Every thirty seconds a tenth of the loggers measures and speaks."""
        everybody = list(self._loggers.items())
        group = 0
        while True:
            at = clock.now()
            for device, logger in everybody[group::GROUPS]:
                self._measure(device, logger, at)
            self._save()
            group = (group + 1) % GROUPS
            yield at + INTERVAL / GROUPS

    def receipt(self, device: str, first: int, last: int) -> None:
        """The server has stored everything from the first number to the last one. What is older is sent again first."""
        logger = self._loggers.get(device)
        while logger and logger.kept and first <= logger.kept[0][0] <= last:
            logger.kept.popleft()

    def _measure(self, device: str, logger: Logger, at: datetime) -> None:
        logger.seq += 1
        entry = self._wire(logger.box.model.step(at), logger.box)
        logger.kept.append((logger.seq, json.dumps({"seq": logger.seq, "readings": [entry]})))
        if self._silent(logger.box, at):
            return
        # After a silence the store goes out, oldest first; what has its receipt already is not in it.
        moody = self._moody(logger.box)
        for _seq, text in list(logger.kept) if moody else [logger.kept[-1]]:
            self._publish(topics.readings(device), text)

    def _moody(self, box: Box) -> bool:
        return box.home == self._stage.incidents.silent_logger_site and box.temp_class == "cold_2_8"

    def _silent(self, box: Box, at: datetime) -> bool:
        story = self._stage.incidents
        return self._moody(box) and story.silent_from <= at.astimezone(ZONE).time() < story.silent_until

    def _wire(self, reading: Reading, box: Box) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "at": reading.at.isoformat().replace("+00:00", "Z"),
            "probe": reading.probe,
            "temp_c": reading.temp_c,
            "battery_pct": reading.battery_pct,
            "lid_open": reading.lid_open,
        }
        place = self._stage.positions.get(box.carrier) if box.carrier else self._stage.sites.get(box.home)
        if place:
            entry["lat"], entry["lon"] = round(place[0], 5), round(place[1], 5)
        return entry

    def _save(self) -> None:
        temporary = self._seq_file.with_suffix(".tmp")
        temporary.write_text(json.dumps({device: logger.seq for device, logger in self._loggers.items()}))
        temporary.replace(self._seq_file)


class Gateway:
    """One MQTT connection that speaks for all loggers and hears their receipts."""

    def __init__(self, mqtt_url: str) -> None:
        url = urlsplit(mqtt_url)
        self._hears: Callable[[str, int, int], None] = lambda device, first, last: None
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="gateway-demo", protocol=mqtt.MQTTv311)
        self._client.on_connect = self._connected
        self._client.on_message = self._heard
        if url.username:
            self._client.username_pw_set(url.username, url.password)
        self._client.reconnect_delay_set(1, 10)
        self._client.connect_async(url.hostname or "127.0.0.1", url.port or 1883)

    def start(self, hears: Callable[[str, int, int], None]) -> None:
        self._hears = hears
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, text: str) -> None:
        self._client.publish(topic, text, qos=1)

    def _connected(self, client: mqtt.Client, *_rest: Any) -> None:
        client.subscribe(topics.receipt("+"), qos=1)

    def _heard(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        said = json.loads(message.payload)
        if said.get("stored_up_to") is not None:
            self._hears(message.topic.split("/")[2], int(said["stored_from"]), int(said["stored_up_to"]))
