"""The navigation of each role, as data. An item shows when its page exists and the role may open it."""

from __future__ import annotations

from collections.abc import Mapping
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


# Pages whose address does not begin with that of the item they belong to: the first of these that the reader has.
ELSEWHERE = {
    "dispatch.compare": ("dispatch.plans",),
    "assessments.page": ("manager.excursions",),
    "alert_routes.deliveries": ("alert_routes.table",),
    "loads.item": ("loads.incoming", "loads.boxes"),
}


def items_for(app: Flask, user: Any) -> list[dict[str, Any]]:
    role = getattr(user, "role", None)
    mine = [
        (item, url_for(item.endpoint))
        for item in ITEMS
        if role in item.roles and item.endpoint in app.view_functions and role in roles_of(app, item.endpoint)
    ]
    marked = _marked({item.endpoint: url.rstrip("/") for item, url in mine})
    return [
        {
            "url": url,
            "label": item.label,
            "icon": item.icon,
            "active": item.endpoint == marked,
            "endpoint": item.endpoint,
        }
        for item, url in mine
    ]


def _marked(addresses: Mapping[str, str]) -> str | None:
    """The item that the page belongs to: whose address is the most of the page's, else where it is reached from."""
    path = request.path.rstrip("/")
    over = [one for one, address in addresses.items() if f"{path}/".startswith(f"{address}/")]
    if over:
        return max(over, key=lambda one: len(addresses[one]))
    return next((one for one in ELSEWHERE.get(request.endpoint or "", ()) if one in addresses), None)


def home_url(app: Flask, user: Any) -> str:
    items = items_for(app, user)
    return str(items[0]["url"]) if items else url_for("auth.account")
