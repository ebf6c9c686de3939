"""The navigation of each role, as data. An item shows when its page exists and the role may open it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask, request, url_for
from flask_babel import lazy_gettext as _l

from web.access import roles_of


@dataclass(frozen=True, slots=True)
class Item:
    endpoint: str
    label: Any
    icon: str
    roles: tuple[str, ...]  # in whose navigation it stands


ITEMS = (
    Item("admin.overview", _l("Administration"), "settings", ("administrator",)),
    Item("collector.worklist", _l("Worklist"), "tube", ("collector",)),
    Item("collector.box", _l("Packing"), "box", ("collector",)),
    Item("loads.incoming", _l("Deliveries"), "handover", ("collector",)),
    Item("collector.outcomes", _l("Outcomes"), "check", ("collector",)),
    Item("courier.today", _l("Today"), "route", ("courier",)),
    Item("receiver.desk", _l("Receiving"), "lab", ("receiver",)),
    Item("receiver.incoming", _l("Incoming"), "truck", ("receiver",)),
    Item("receiver.forward", _l("Forward"), "box", ("receiver",)),
    Item("dispatch.board", _l("Live board"), "map", ("dispatcher",)),
    Item("dispatch.plans", _l("Plans"), "route", ("dispatcher",)),
    Item("loads.boxes", _l("Where the boxes are"), "box", ("dispatcher",)),
    Item("manager.inbox", _l("Alerts"), "bell", ("manager", "administrator")),
    Item("unsent.listing", _l("Not sent"), "hourglass", ("collector", "receiver", "dispatcher", "manager")),
    Item("manager.excursions", _l("Excursions"), "thermometer", ("manager", "auditor")),
    Item("devices.fleet", _l("Loggers"), "radio", ("manager", "administrator", "auditor")),
    Item("profiles.listing", _l("Alarm profiles"), "settings", ("manager", "administrator")),
    Item("loads.send", _l("Loads"), "swap", ("receiver", "manager")),
    Item("send_outs.listing", _l("To be sent out"), "signature", ("receiver", "manager")),
    Item("nonconformities.listing", _l("Nonconformities"), "warning", ("receiver", "manager", "collector", "auditor")),
    Item("recalls.listing", _l("Recalls"), "undo", ("manager", "receiver", "collector")),
    Item("review.listing", _l("For review"), "swap", ("manager", "auditor")),
    Item("handovers.listing", _l("Half signed"), "signature", ("dispatcher", "manager", "auditor")),
    Item("alert_routes.table", _l("Who is told"), "bell", ("manager", "administrator", "auditor")),
    Item("stability.listing", _l("Stability limits"), "hourglass", ("manager", "administrator", "auditor")),
    Item("manager.dashboard", _l("Indicators"), "chart", ("manager", "auditor", "administrator")),
    Item(
        "search.specimens",
        _l("Search"),
        "search",
        ("collector", "dispatcher", "receiver", "manager", "auditor"),
    ),
    Item(
        "registers.page",
        _l("Register"),
        "clipboard",
        ("collector", "courier", "dispatcher", "receiver", "manager", "auditor"),
    ),
    Item("label_ledger.batches", _l("Labels"), "barcode", ("collector", "receiver", "manager", "administrator")),
    Item("integrity.page", _l("Integrity"), "shield", ("auditor",)),
    Item("admin.audit_log", _l("Audit log"), "list", ("auditor",)),
)


def items_for(app: Flask, user: Any) -> list[dict[str, Any]]:
    role = getattr(user, "role", None)
    found = []
    shown = _shown(request.endpoint)
    for item in ITEMS:
        if role not in item.roles or item.endpoint not in app.view_functions:
            continue
        if role in roles_of(app, item.endpoint):
            url = url_for(item.endpoint)
            inside = shown is None and request.path.startswith(f"{url.rstrip('/')}/")
            found.append(
                {
                    "url": url,
                    "label": item.label,
                    "icon": item.icon,
                    "active": item.endpoint == shown or inside,
                    "endpoint": item.endpoint,
                }
            )
    return found


def _shown(endpoint: str | None) -> str | None:
    """The item a page belongs to: its own, else the first of the same blueprint."""
    known = [item.endpoint for item in ITEMS]
    if endpoint is None or endpoint in known:
        return endpoint
    room = endpoint.partition(".")[0] + "."
    return next((one for one in known if one.startswith(room)), None)


def home_url(app: Flask, user: Any) -> str:
    items = items_for(app, user)
    return str(items[0]["url"]) if items else url_for("auth.account")
