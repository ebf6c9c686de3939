"""How the installation is: what there is, and whether each of its parts works."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, render_template
from flask_babel import gettext
from sqlalchemy.orm import Session

from logistics.clock import wall_now
from logistics.db import db
from logistics.queries import admin as queries
from logistics.queries.admin import Backlog
from telemetry.status import ingest_status
from web.access import access
from web.processes import accepts
from web.settings import Settings
from web.views.admin.base import READERS, blueprint

LATE = timedelta(minutes=2)
GB = 1024**3
DISK_LOW, DISK_FULL = 5 * GB, 1 * GB


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the installation: ``tone`` ok, warn, danger or neutral (not in use)."""

    name: str
    icon: str
    tone: str
    word: str
    note: str = ""
    at: Any = None


@blueprint.get("/")
@access(*READERS)
def overview() -> str:
    session = db.session()
    settings: Settings = current_app.extensions["labrelay.settings"]
    parts = [_database(settings), _ingest(session), _broker(settings), *_work(session), _disk(settings.var_dir)]
    return render_template("admin/overview.html", counts=queries.counts(session), parts_list=parts)


def _database(settings: Settings) -> Part:
    if not settings.embedded_database:
        return Part(gettext("Database"), "clipboard", "ok", gettext("answers"), "PostgreSQL")
    file = Path(str(db.engine.url.database))
    size = f"{file.stat().st_size / 1024**2:.1f} MB" if file.exists() else ""
    return Part(gettext("Database"), "clipboard", "ok", gettext("answers"), f"SQLite · {size}")


def _ingest(session: Session) -> Part:
    found = ingest_status(session)
    tones = {"ok": "ok", "behind": "warn", "down": "danger", "none": "neutral"}
    words = {
        "ok": gettext("receives"),
        "behind": gettext("falls behind"),
        "down": gettext("does not answer"),
        "none": gettext("never started here"),
    }
    note = gettext("%(n)s messages wait", n=found.waiting) if found.waiting else ""
    return Part(gettext("Temperature ingest"), "thermometer", tones[found.state], words[found.state], note,
                found.beat_at)  # fmt: skip


def _broker(settings: Settings) -> Part:
    name = gettext("MQTT broker")
    if not settings.mqtt_url:
        return Part(name, "radio", "neutral", gettext("not set for this process"))
    parts = urlsplit(settings.mqtt_url)
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    if accepts(port, parts.hostname or "127.0.0.1"):
        return Part(name, "radio", "ok", gettext("answers"), f"{parts.hostname}:{port}")
    return Part(name, "radio", "danger", gettext("does not answer"), f"{parts.hostname}:{port}")


def _work(session: Session) -> list[Part]:
    return [
        _queue(gettext("Worker: plans"), "route", queries.jobs(session)),
        _queue(gettext("Outbox: alerts"), "bell", queries.deliveries(session)),
    ]


def _queue(name: str, icon: str, found: Backlog) -> Part:
    late = found.oldest is not None and wall_now() - found.oldest > LATE
    if late:
        word, tone = gettext("work is left lying"), "danger"
    else:
        word, tone = (gettext("at work"), "ok") if found.waiting else (gettext("nothing waits"), "ok")
    notes = [gettext("%(n)s wait", n=found.waiting)] if found.waiting else []
    notes += [gettext("%(n)s failed", n=found.failed)] if found.failed else []
    return Part(name, icon, tone, word, " · ".join(notes), found.oldest if late else None)


def _disk(folder: Path) -> Part:
    usage = shutil.disk_usage(folder if folder.exists() else folder.parent)
    tone = "danger" if usage.free < DISK_FULL else "warn" if usage.free < DISK_LOW else "ok"
    words = {"ok": gettext("enough room"), "warn": gettext("getting full"), "danger": gettext("almost full")}
    note = gettext("%(free)s of %(total)s GB free", free=usage.free // GB, total=usage.total // GB)
    return Part(gettext("Disk"), "bars", tone, words[tone], note)
