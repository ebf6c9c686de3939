"""Facts that telemetry hands to logistics, and what they mean by rule alone.

Telemetry knows boxes, loggers and temperatures; which tubes were in the box, who is told and what a tube is
still good for is decided here. Temperatures °C, instants UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from logistics.domain.custody import Event
from logistics.domain.projection import ItemProjection, SpecimenProjection, project_item, project_specimen

Boxed = TypeVar("Boxed", SpecimenProjection, ItemProjection)


@dataclass(frozen=True, slots=True)
class ExcursionFact:
    """An excursion as it is known now. ``box_open``: some excursion of the box is still open."""

    excursion_id: int
    box_code: str
    device_code: str
    probe: int
    rule_code: str
    kind: str  # consecutive | cumulative | immediate
    side: str  # upper | lower
    limit_c: float
    start: datetime
    last_at: datetime
    end: datetime | None
    min_c: float
    max_c: float
    minutes: float
    box_open: bool
    withdrawn: bool = False

    @property
    def extreme_c(self) -> float:
        return self.max_c if self.side == "upper" else self.min_c

    @property
    def severity(self) -> str:
        return "critical" if self.kind == "immediate" else "warning"

    def params(self) -> dict[str, Any]:
        """What fills the alert's sentence. No personal data."""
        return {
            "box": self.box_code,
            "device": self.device_code,
            "rule": self.rule_code,
            "side": self.side,
            "limit_c": self.limit_c,
            "value_c": self.extreme_c,
            "minutes": round(self.minutes),
            "start": self.start.isoformat(),
            "end": self.end.isoformat() if self.end else None,
        }


@dataclass(frozen=True, slots=True)
class SilenceFact:
    """Loggers that do not speak (several behind one gateway are one fact), or speak again (``ended``)."""

    devices: tuple[str, ...]
    box_codes: tuple[str, ...]
    gateway: str | None
    since: datetime
    ended: bool = False

    @property
    def source(self) -> str:
        return self.gateway or self.devices[0]


@dataclass(frozen=True, slots=True)
class DeviceFact:
    """A logger's own trouble: it began to matter, or it is over (``ended``).

    ``since``: when it began; ``at``: when it was known to matter, or to be over. ``box_code``: where the logger was.
    """

    kind: str  # battery | lid | probe
    device_code: str
    probe: int
    box_code: str | None
    since: datetime
    at: datetime
    ended: bool = False
    battery_pct: float | None = None

    @property
    def key(self) -> str:
        """What the same trouble is told under; the next one of its kind is another."""
        return f"{self.kind}:{self.device_code}:{self.probe}:{self.since.isoformat()}"

    def params(self) -> dict[str, Any]:
        return {
            "device": self.device_code,
            "probe": self.probe,
            "box": self.box_code,
            "since": self.since.isoformat(),
            "minutes": round((self.at - self.since).total_seconds() / 60),
            "battery_pct": None if self.battery_pct is None else round(self.battery_pct),
        }


@dataclass(frozen=True, slots=True)
class ForecastFact:
    """A box will cross ``limit_c`` at about ``at`` ± ``error``, before it is expected to arrive."""

    box_code: str
    consignment_number: str
    device_code: str
    side: str  # upper | lower
    limit_c: float
    at: datetime
    error: timedelta
    expected_at: datetime | None

    def params(self) -> dict[str, Any]:
        """What fills the alert's sentence; the minute in steps of five, so that a trembling estimate is no news."""
        step = timedelta(minutes=5)
        day = self.at.replace(hour=0, minute=0, second=0, microsecond=0)
        return {
            "box": self.box_code,
            "device": self.device_code,
            "side": self.side,
            "limit_c": self.limit_c,
            "at": (day + round((self.at - day) / step) * step).isoformat(),
            "error_min": max(5, round(self.error / step) * 5),
            "expected_at": self.expected_at.isoformat() if self.expected_at else None,
        }


@dataclass(frozen=True, slots=True)
class Stay:
    """A tube's time in a box. ``until`` None: it is in there still."""

    box_code: str
    since: datetime
    until: datetime | None

    def overlaps(self, start: datetime, end: datetime | None) -> bool:
        """Whether the tube was in the box at some instant of start … end (None: until now)."""
        return (end is None or self.since <= end) and (self.until is None or self.until > start)


def stays(events: Iterable[Event]) -> list[Stay]:
    """The times in boxes that a tube's events tell, in event order."""
    return _stays(events, SpecimenProjection(), project_specimen)


def item_stays(events: Iterable[Event]) -> list[Stay]:
    """The same of a load item."""
    return _stays(events, ItemProjection(), project_item)


def _stays(events: Iterable[Event], state: Boxed, project: Callable[[Boxed, Event, str], Boxed]) -> list[Stay]:
    found: list[Stay] = []
    since: datetime | None = None
    for event in events:
        after = project(state, event, state.state)
        if after.box_code != state.box_code:
            if state.box_code is not None and since is not None:
                found.append(Stay(state.box_code, since, max(since, event.occurred_at)))
            since = event.occurred_at if after.box_code is not None else None
        state = after
    if state.box_code is not None and since is not None:
        found.append(Stay(state.box_code, since, None))
    return found
