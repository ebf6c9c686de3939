"""What an administrator changes in the catalogue (who performs a test) and of channels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.orm import Session

from logistics.errors import Invalid, NotFound
from logistics.models import Channel, Site, Test, TestSite
from logistics.models.network import TOWNSHIP
from logistics.services import alert_channels
from logistics.services.admin import Changes, write

SEVERITIES = ("critical", "warning", "info")
LOCALES = ("zh_CN", "en")
SECRETS = frozenset({"password", "key", "secret", "url"})
"""Fields of a channel that never go back to a page; a robot's address is its password."""

CHANNEL_FIELDS: Mapping[str, tuple[str, ...]] = {
    "mail": ("host", "port", "secure", "user", "password", "from", "to"),
    "http": ("url",),
    "wecom": ("key",),
    "dingtalk": ("key", "secret"),
    "feishu": ("key", "secret"),
}


def known_test(session: Session, code: str) -> Test:
    test = session.get(Test, code)
    if test is None:
        raise NotFound("test_unknown", field="test", test=code[:40])
    return test


def change_test(session: Session, code: str, *, active: bool, performing: Collection[str]) -> Changes:
    """Whether it can be ordered, and which laboratories perform it. A township performs none."""
    test = known_test(session, code)
    for site_code in performing:
        site = session.get(Site, site_code)
        if site is None or site.tier == TOWNSHIP:
            raise Invalid("site_unknown", field="performing", site=site_code[:40])
    if active and not performing:
        raise Invalid("performing_needed", field="performing")
    changes = write(test, {"active": active})
    before = sorted(one.site_code for one in test.sites)
    if before != sorted(performing):
        changes["performing"] = [before, sorted(performing)]
        kept = {one.site_code: one for one in test.sites}
        test.sites = [kept.get(site) or TestSite(test_code=code, site_code=site) for site in sorted(performing)]
    session.flush()
    return changes


# --- channels ---


def known_channel(session: Session, channel_id: int) -> Channel:
    channel = session.get(Channel, channel_id)
    if channel is None:
        raise NotFound("channel_unknown", field="channel")
    return channel


def save_channel(
    session: Session, channel: Channel | None, values: Mapping[str, Any], config: Mapping[str, str]
) -> tuple[Channel, Changes]:
    """Add or change a channel. A secret that comes empty keeps what is there. Raises Invalid naming the field."""
    if not values["name"]:
        raise Invalid("field_missing", field="name")
    if session.get(Site, values["site_code"] or "") is None:
        raise Invalid("site_unknown", field="site_code", site=str(values["site_code"])[:40])
    if values["min_severity"] not in SEVERITIES or values["locale"] not in LOCALES:
        raise Invalid("field_malformed", field="min_severity")
    if (values.get("quiet_from_min") is None) != (values.get("quiet_until_min") is None):
        raise Invalid("field_missing", field="quiet_until" if values.get("quiet_until_min") is None else "quiet_from")
    kind = values["kind"]
    if kind not in CHANNEL_FIELDS or (channel is not None and channel.kind != kind):
        raise Invalid("channel_kind_unknown", field="kind", kind=str(kind)[:40])
    before = dict(channel.config) if channel is not None else {}
    merged = {name: _kept(name, config.get(name, ""), before) for name in CHANNEL_FIELDS[kind]}
    merged = {name: value for name, value in merged.items() if value}
    if kind == "mail" and "user" not in merged:
        merged.pop("password", None)  # nobody to say it for: so a password can be taken away, too
    port = merged.get("port")
    if port is not None and not (str(port).isascii() and str(port).isdigit() and 1 <= int(port) <= 65535):
        raise Invalid("number_between", field="port", low=1, high=65535)
    alert_channels.check_config(kind, merged)
    row = channel or Channel(name=values["name"], kind=kind, site_code=values["site_code"], kinds=[])
    changes = write(row, values)
    if before != merged:
        # The audit log names the fields, never their contents.
        changes["config"] = [None, sorted(name for name in merged if merged.get(name) != before.get(name))]
        row.config = merged
    if channel is None:
        session.add(row)
    session.flush()
    return row, changes


def _kept(name: str, value: str, before: Mapping[str, Any]) -> str:
    text = value.strip()
    return str(before.get(name, "")) if name in SECRETS and not text else text


def open_fields(channel: Channel) -> dict[str, str]:
    """What may be shown of a channel's configuration."""
    return {name: str(value) for name, value in channel.config.items() if name not in SECRETS}
