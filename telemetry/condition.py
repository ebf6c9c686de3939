"""What is wrong with a logger itself: battery low, lid open too long, probe off. Pure, with hysteresis.

The state is plain JSON kept with the device: key → ``{"since": …, "told": …}`` with the keys ``battery``,
``lid:<probe>`` and ``probe:<probe>``; nothing wrong is no key. Times are event times: what is told late is told with
its true times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

BATTERY_LOW_PCT = 15.0
BATTERY_GOOD_PCT = 25.0  # cold cells say less: a battery at the limit must not come and go with each box
LID_OPEN_MOST = timedelta(minutes=10)
LID_CLOSED_FOR = timedelta(minutes=2)
PROBE_OFF_INTERVALS = 2  # faults over this many intervals are no bad contact; good readings over as many end it

State = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that a device said. ``fault``: the probe gave no temperature."""

    at: datetime
    probe: int
    fault: bool = False
    lid_open: bool | None = None
    battery_pct: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A condition that began to matter, or that is over. ``since``: when it began; ``value``: the battery's %."""

    kind: str  # battery | lid | probe
    probe: int
    since: datetime
    at: datetime
    ended: bool
    value: float | None = None


def step(state: State, seen: Iterable[Seen], interval: timedelta) -> tuple[dict[str, dict[str, Any]], list[Change]]:
    """The state after these, in the order of their times, and what is to be told."""
    after: dict[str, dict[str, Any]] = {key: dict(value) for key, value in state.items()}
    told: list[Change] = []
    for one in sorted(seen, key=lambda one: (one.at, one.probe)):
        if one.battery_pct is not None:
            told += _battery(after, one)
        if one.lid_open is not None:
            told += _run(after, "lid", one, one.lid_open, LID_OPEN_MOST, LID_CLOSED_FOR)
        span = interval * PROBE_OFF_INTERVALS
        told += _run(after, "probe", one, one.fault, span, span)
    return after, told


def _battery(after: dict[str, dict[str, Any]], one: Seen) -> list[Change]:
    known = after.get("battery")
    value = one.battery_pct
    if value is None:
        return []
    if known is None and value < BATTERY_LOW_PCT:
        after["battery"] = {"since": one.at.isoformat(), "told": True}
        return [Change("battery", one.probe, one.at, one.at, False, value)]
    if known is not None and value > BATTERY_GOOD_PCT:
        since = datetime.fromisoformat(after.pop("battery")["since"])
        return [Change("battery", one.probe, since, one.at, True, value)]
    return []


def _run(
    after: dict[str, dict[str, Any]], kind: str, one: Seen, wrong: bool, most: timedelta, good_for: timedelta
) -> list[Change]:
    """A condition that lasts: told when it lasted ``most``, over when it was good for ``good_for``."""
    key = f"{kind}:{one.probe}"
    known = after.get(key)
    if known is None:
        if wrong:
            after[key] = {"since": one.at.isoformat(), "told": False}
        return []
    since = datetime.fromisoformat(known["since"])
    if wrong:
        known.pop("good_since", None)
        if known["told"] or one.at - since < most:
            return []
        known["told"] = True
        return [Change(kind, one.probe, since, one.at, False)]
    if not known["told"]:
        del after[key]
        return []
    good_since = datetime.fromisoformat(known.setdefault("good_since", one.at.isoformat()))
    if one.at - good_since < good_for:
        return []
    del after[key]
    return [Change(kind, one.probe, since, good_since, True)]
