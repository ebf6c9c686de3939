"""The loggers, boxes and messages that bench/ingest.py and bench/faults.py work with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.db import db
from logistics.models import Box
from telemetry import devices, topics
from tests import factories as f
from web.settings import Settings

MINUTE = timedelta(minutes=1)
BEGIN = timedelta(days=40)
"""So long before now the loggers were put into their boxes."""
LOADED = timedelta(hours=1)


def settings_for(url: str, folder: str, mqtt_url: str | None = None) -> Settings:
    environ = {"LABRELAY_VAR_DIR": folder, "LABRELAY_DATABASE_URL": url, "LABRELAY_LOG_LEVEL": "ERROR"}
    return Settings.from_env(environ | ({"LABRELAY_MQTT_URL": mqtt_url} if mqtt_url else {}))


def prepare(settings: Settings, loggers: dict[str, int], watched: int = 0) -> None:
    """Tables and people; loggers in empty cold boxes, a number for each prefix; ``watched`` ones ``LB-…`` in boxes
    with a sealed tube each."""
    from web.app import create_app
    from web.migrations import upgrade_tables

    app = create_app(settings)
    upgrade_tables(app)
    early = wall_now() - BEGIN
    with app.app_context():
        session = db.session()
        f.world(session)
        for prefix, count in (loggers | {"LB": watched}).items():
            for number in range(count):
                _logger(session, f"{prefix}-{number:03d}", early)
        session.commit()
        for number in range(watched):
            _load(session, f"BX-LB-{number:03d}", f"26{number:08d}")
        db.session.remove()


def _logger(session: Session, code: str, early: datetime) -> None:
    box = f"BX-{code}"
    session.add(Box(code=box, temp_class="cold_2_8", capacity=50, home_code=f.TOWN, location_code=f.TOWN))
    session.flush()
    devices.register(session, code, now=early, interval_s=60)
    devices.bind(session, code, box, at=early, now=early)


def _load(session: Session, box: str, accession: str) -> None:
    at = wall_now() - LOADED
    tube = {"specimen": accession}
    f.done(session, "nurse", f.act("register", tube, {"tests": ["CBC"], "patient_ref": "张**"}, at=at))
    f.done(session, "nurse", f.act("collect", tube, at=at))
    number = f.done(session, "nurse", f.act("pack", {**tube, "box": box}, at=at))["consignment"]
    f.done(session, "nurse", f.act("seal", {"consignment": number}, {"seal": f"SL{number[-6:]}"}, at=at))


def payload(seq: int, begin: datetime, readings: int = 1, temp_c: float = 4.6) -> bytes:
    """Message ``seq`` of a logger: ``readings`` minutes of measurements, later ones with higher numbers."""
    entries = [
        {
            "at": (begin + (seq * readings + place) * MINUTE).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "probe": 1,
            "temp_c": round(temp_c + (seq + place) % 7 / 10, 1),
            "battery_pct": 87,
        }
        for place in range(readings)
    ]
    return json.dumps({"seq": seq, "readings": entries}, separators=(",", ":")).encode()


def lines(
    folder: Path, prefix: str, loggers: int, each: int, first: int, readings: int = 1
) -> Iterator[tuple[str, Path]]:
    """(topic, file) for each logger: ``each`` messages, a line each, numbered from ``first``."""
    begin = wall_now().replace(microsecond=0) - BEGIN + timedelta(hours=1)
    for number in range(loggers):
        path = folder / f"{prefix}-{number:03d}-{first}"
        path.write_bytes(b"".join(payload(seq, begin, readings) + b"\n" for seq in range(first, first + each)))
        yield topics.readings(f"{prefix}-{number:03d}"), path
