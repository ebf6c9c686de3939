"""The loggers of the simulated boxes: they measure on the simulated clock and publish over MQTT, QoS 1.

One connection plays the gateway of all. A logger keeps its readings until the server's receipt and sends them
again after a silence, so the late batch of the silent logger is real store and forward.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
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
from web.demo.stage import Box, Stage

log = logging.getLogger(__name__)
INTERVAL = timedelta(minutes=5)
TICK_S = 0.25
MOST_KEPT = 200


@dataclass
class Logger:
    """A logger in a box: its next measurement, its counter, and what has no receipt yet."""

    box: Box
    next_at: datetime
    seq: int
    kept: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))
    silent: bool = False


class Loggers(threading.Thread):
    """Publishes until told to stop. ``seq_file`` keeps the counters from one start to the next."""

    def __init__(self, stage: Stage, mqtt_url: str, seq_file: Path, stop: threading.Event) -> None:
        super().__init__(name="loggers", daemon=True)
        self._stage = stage
        self._stop_event = stop
        self._seq_file = seq_file
        self._url = urlsplit(mqtt_url)
        counters = json.loads(seq_file.read_text()) if seq_file.exists() else {}
        now = clock.now()
        self._loggers = {
            box.device: Logger(box, now + INTERVAL * (index % 10) / 10, int(counters.get(box.device, 0)))
            for index, box in enumerate(stage.boxes.values())
        }
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="gateway-demo", protocol=mqtt.MQTTv311, clean_session=True
        )

    def run(self) -> None:
        self._client.on_connect = self._connected
        self._client.on_message = self._receipt
        if self._url.username:
            self._client.username_pw_set(self._url.username, self._url.password)
        self._client.reconnect_delay_set(1, 10)
        self._client.connect_async(self._url.hostname or "127.0.0.1", self._url.port or 1883)
        self._client.loop_start()
        try:
            while not self._stop_event.wait(TICK_S):
                self._tick(clock.now())
        finally:
            self._save()
            self._client.disconnect()
            self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_rest: Any) -> None:
        client.subscribe(topics.receipt("+"), qos=1)

    def _receipt(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        device = message.topic.split("/")[2]
        logger = self._loggers.get(device)
        if logger is None:
            return
        stored = json.loads(message.payload).get("stored_up_to")
        while logger.kept and stored is not None and logger.kept[0][0] <= stored:
            logger.kept.popleft()

    def _tick(self, now: datetime) -> None:
        measured = False
        for device, logger in self._loggers.items():
            if logger.next_at > now:
                continue
            self._measure(device, logger, now)
            measured = True
        if measured:
            self._save()

    def _measure(self, device: str, logger: Logger, now: datetime) -> None:
        incidents = self._stage.incidents
        at = logger.next_at
        # After a jump of the clock there is nothing to measure in between: the box was on the shelf.
        while logger.next_at <= now:
            logger.next_at += INTERVAL
        reading = logger.box.model.step(at)
        logger.seq += 1
        body = json.dumps({"seq": logger.seq, "readings": [self._wire(reading, logger.box)]})
        logger.kept.append((logger.seq, body))
        mute = logger.box.home == incidents.silent_logger_site and logger.box.temp_class == "cold_2_8"
        local_time = at.astimezone(self._stage.ends.tzinfo).time()
        logger.silent = mute and incidents.silent_from <= local_time < incidents.silent_until
        if logger.silent:
            return
        for _seq, text in list(logger.kept) if mute else [(logger.seq, body)]:
            self._client.publish(topics.readings(device), text, qos=1)

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
