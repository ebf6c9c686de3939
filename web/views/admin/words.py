"""The words of the administration's lists and selects."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from web.views.admin.base import blueprint

ROLES: dict[str, Any] = {
    "collector": _l("Collector"),
    "courier": _l("Courier"),
    "dispatcher": _l("Dispatcher"),
    "receiver": _l("Receiver"),
    "manager": _l("Laboratory manager"),
    "administrator": _l("Administrator"),
    "auditor": _l("Auditor"),
}
TIERS: dict[str, Any] = {
    "township": _l("Township"),
    "county_centre": _l("County centre"),
    "city_centre": _l("City centre"),
    "external": _l("External laboratory"),
}
REASON_KINDS: dict[str, Any] = {
    "reject": _l("Rejection"),
    "deviation": _l("Deviation"),
    "handover": _l("At handover"),
    "diversion": _l("Left elsewhere"),
    "collection": _l("At collection"),
    "recall": _l("Recall"),
}
CHANNEL_KINDS: dict[str, Any] = {
    "mail": _l("Mail"),
    "http": _l("Web address (JSON)"),
    "wecom": _l("WeCom robot"),
    "dingtalk": _l("DingTalk robot"),
    "feishu": _l("Feishu robot"),
}


@blueprint.context_processor
def _words() -> dict[str, Any]:
    return {
        "role_words": ROLES,
        "tier_words": TIERS,
        "reason_kinds": REASON_KINDS,
        "channel_kinds": CHANNEL_KINDS,
    }
