"""Topics that are not ours: which device publishes where (DeviceTopic), and what the ingest subscribes to for them."""

from __future__ import annotations

from collections.abc import Iterable

from paho.mqtt.matcher import MQTTMatcher
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid
from telemetry import topics
from telemetry.models import Device
from telemetry.registry_models import DeviceTopic

MOST_BYTES = 200


def devices_of(session: Session, names: Iterable[str]) -> dict[str, str]:
    """Topic → device for those that a pattern fits. Of several the one with the fewest wildcards, then the longest."""
    wanted = set(names)
    if not wanted:
        return {}
    matcher = MQTTMatcher()  # type: ignore[no-untyped-call]
    for pattern, device_code in session.execute(select(DeviceTopic.pattern, DeviceTopic.device_code)):
        matcher[pattern] = (_rank(pattern), device_code)
    found: dict[str, str] = {}
    for topic in wanted:
        fitting = sorted(matcher.iter_match(topic))  # type: ignore[no-untyped-call]
        if fitting:
            found[topic] = fitting[0][1]
    return found


def _rank(pattern: str) -> tuple[int, int, int, str]:
    levels = pattern.split("/")
    return (levels.count("#"), levels.count("+"), -len(levels), pattern)


def filters(session: Session) -> list[str]:
    """What has to be subscribed to besides our own topics: the patterns of active devices, sorted."""
    query = select(DeviceTopic.pattern).join(Device, Device.code == DeviceTopic.device_code).where(Device.active)
    return sorted(session.scalars(query))


def checked(pattern: str) -> str:
    """A topic filter as it may be stored. Raises Invalid('topic_bad')."""
    pattern = pattern.strip()
    levels = pattern.split("/")
    whole = all(level in ("+", "#") or not ({"+", "#", "\0"} & set(level)) for level in levels)
    hashed = "#" not in levels[:-1]
    # A filter that begins with a wildcard would bring everything that anybody publishes; ours need no filter.
    wide = levels[0] in ("", "+", "#", "$share", "$SYS") or pattern.startswith(f"{topics.PREFIX}/")
    if not pattern or not whole or not hashed or wide or len(pattern.encode()) > MOST_BYTES:
        raise Invalid("topic_bad", field="topics", topic=pattern[:60])
    return pattern


def replace(session: Session, device_code: str, patterns: Iterable[str]) -> list[str]:
    """Make these the device's topics. Raises Invalid, or Conflict when one is another device's."""
    wanted = sorted({checked(pattern) for pattern in patterns if pattern.strip()})
    held = {row.pattern: row for row in session.scalars(select(DeviceTopic).where(DeviceTopic.pattern.in_(wanted)))}
    for pattern, row in held.items():
        if row.device_code != device_code:
            raise Conflict("topic_taken", field="topics", topic=pattern, device=row.device_code)
    for row in session.scalars(select(DeviceTopic).where(DeviceTopic.device_code == device_code)):
        if row.pattern not in wanted:
            session.delete(row)
    session.add_all(DeviceTopic(pattern=one, device_code=device_code) for one in wanted if one not in held)
    session.flush()
    return wanted


def of_device(session: Session, device_code: str) -> list[str]:
    return sorted(session.scalars(select(DeviceTopic.pattern).where(DeviceTopic.device_code == device_code)))
