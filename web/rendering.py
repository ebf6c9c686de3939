"""What every template may use: local times, names in the reader's language, sentences, navigation."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, current_app, request
from flask_login import current_user

from logistics import clock
from logistics.domain import seals
from web import i18n, nav
from web.messages import sentence

ZONE = ZoneInfo(i18n.TIMEZONE)


def locale() -> str:
    return i18n.current_locale()


def local(at: datetime | None) -> datetime | None:
    return at.astimezone(ZONE) if at else None


def localtime(at: datetime | None, form: str = "%H:%M") -> str:
    return at.astimezone(ZONE).strftime(form) if at else "–"


def localdate(at: datetime | None) -> str:
    return localtime(at, "%Y-%m-%d")


def localdatetime(at: datetime | None) -> str:
    return localtime(at, "%Y-%m-%d %H:%M")


def name(thing: Any) -> str:
    """The name of a site, test, user or reason in the reader's language."""
    return thing.name(locale()) if thing is not None else "–"


def other_language_url(code: str) -> str:
    query = request.args.to_dict(flat=False)
    query["lang"] = [code]
    pairs = "&".join(f"{key}={value}" for key, values in query.items() for value in values)
    return f"{_own_path()}?{pairs}"


def _own_path() -> str:
    """Where this page can be asked for: a form that was refused stands at an address that takes no GET."""
    adapter = current_app.create_url_adapter(request)
    if adapter is None or adapter.test(request.path, method="GET"):
        return request.path
    came = urlsplit(request.referrer or "")
    return came.path if came.netloc == request.host else "/"


class SaidOnce:
    """For long tables: what a macro makes of the same values is made once a page."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, Any], Any] = {}

    def __call__(self, macro: Any, value: Any) -> Any:
        key = (macro.name, value)
        if key not in self._made:
            self._made[key] = macro(value)
        return self._made[key]


def init_app(app: Flask) -> None:
    settings = app.extensions["labrelay.settings"]
    app.jinja_env.globals["said_once"] = SaidOnce
    app.jinja_env.filters.update(
        localtime=localtime, localdate=localdate, localdatetime=localdatetime, name=name, sentence=sentence,
        masked=seals.masked,
    )  # fmt: skip
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.context_processor
    def _common() -> dict[str, Any]:
        return {
            "locale": locale(),
            "html_lang": i18n.html_lang(),
            "languages": i18n.LOCALES,
            "other_language_url": other_language_url,
            "nav_items": nav.items_for(app, current_user),
            "demo": settings.demo,
            "tile_url": settings.tile_url or "",
            "clock_now": clock.now(),
            "clock_rate": clock.current().rate,
        }
