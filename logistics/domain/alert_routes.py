"""Who is told of an alert: the routing table, the ladder, quiet hours. Pure: values in, values out.

Times of day are local minutes after midnight; a window whose ends are equal is the whole day, one that ends before it
begins goes over midnight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SEVERITIES = ("info", "warning", "critical")
ZONE = ZoneInfo("Asia/Shanghai")
DAY_MIN = 24 * 60
MANAGER, DEPUTY = "manager", "deputy"
STEP_MIN = 30
"""Without an acknowledgement for this long, the next rung of the ladder is told."""


@dataclass(frozen=True, slots=True)
class Route:
    """What goes to a channel. Empty ``kinds`` and ``weekdays`` (1 = Monday) mean all of them."""

    channel_id: int
    kinds: frozenset[str] = frozenset()
    min_severity: str = "warning"
    weekdays: frozenset[int] = frozenset()
    from_min: int = 0
    until_min: int = 0

    def takes(self, kind: str, severity: str, at: datetime) -> bool:
        local = at.astimezone(ZONE)
        if self.kinds and kind not in self.kinds:
            return False
        if SEVERITIES.index(severity) < SEVERITIES.index(self.min_severity):
            return False
        if self.weekdays and local.isoweekday() not in self.weekdays:
            return False
        return in_window(local.hour * 60 + local.minute, self.from_min, self.until_min)


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder: who at which site, and the routes that lead there."""

    site_code: str
    who: str
    routes: Sequence[Route] = ()


@dataclass(frozen=True, slots=True)
class Told:
    channel_id: int
    level: int


def in_window(minute: int, from_min: int, until_min: int) -> bool:
    if from_min == until_min:
        return True
    if from_min < until_min:
        return from_min <= minute < until_min
    return minute >= from_min or minute < until_min


def told(rungs: Sequence[Rung], level: int, *, kind: str, severity: str, at: datetime) -> list[Told]:
    """The channels of the rungs that the alert has climbed; where none of them takes it, the next above that does.

    So nothing is told to nobody as long as somebody above wants to hear of it. No channel twice.
    """
    found: list[Told] = []
    for place, rung in enumerate(rungs):
        if place > level and found:
            break
        known = {one.channel_id for one in found}
        found += [
            Told(channel, place)
            for channel in dict.fromkeys(route.channel_id for route in rung.routes if route.takes(kind, severity, at))
            if channel not in known
        ]
    return found


def quiet_for(at: datetime, severity: str, from_min: int | None, until_min: int | None) -> timedelta:
    """How long a message has to wait for the end of the channel's quiet hours; critical ones never do."""
    if severity == "critical" or from_min is None or until_min is None or from_min == until_min:
        return timedelta(0)
    local = at.astimezone(ZONE)
    minute = local.hour * 60 + local.minute
    if not in_window(minute, from_min, until_min):
        return timedelta(0)
    wait = timedelta(minutes=(until_min - minute) % DAY_MIN)
    return wait - timedelta(seconds=local.second, microseconds=local.microsecond)


# --- trying routes on what happened ---


@dataclass(frozen=True, slots=True)
class Past:
    """An alert as it went: (instant, severity, reason) of each telling, and until when nobody had answered."""

    alert_id: int
    kind: str
    tellings: Sequence[tuple[datetime, str, str]]
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel would have got. ``sent_at`` lies after ``at`` by the quiet hours."""

    alert_id: int
    channel_id: int
    at: datetime
    sent_at: datetime
    level: int
    reason: str


@dataclass(frozen=True)
class Preview:
    messages: list[Message] = field(default_factory=list)
    told_to_nobody: list[int] = field(default_factory=list)


def would_have_told(
    past: Iterable[Past],
    rungs: Sequence[Rung],
    *,
    step: timedelta,
    quiet: dict[int, tuple[int | None, int | None]],
) -> Preview:
    """Play alerts against routes: what each channel would have got, and which alerts nobody."""
    preview = Preview()
    for one in past:
        count = len(preview.messages)
        severity = one.tellings[0][1] if one.tellings else "warning"
        for at, grade, reason in _events(one, rungs, step):
            severity = grade or severity
            since = one.tellings[0][0]
            level = min(int((at - since) / step), len(rungs) - 1) if severity != "info" else 0
            for to in told(rungs, level, kind=one.kind, severity=severity, at=at):
                wait = quiet_for(at, severity, *quiet.get(to.channel_id, (None, None)))
                preview.messages.append(Message(one.alert_id, to.channel_id, at, at + wait, to.level, reason))
        if len(preview.messages) == count:
            preview.told_to_nobody.append(one.alert_id)
    return preview


def _events(one: Past, rungs: Sequence[Rung], step: timedelta) -> list[tuple[datetime, str, str]]:
    events = list(one.tellings)
    if not events:
        return events
    begun = events[0][0]
    for level in range(1, len(rungs)):
        at = begun + level * step
        if at >= one.answered_at:
            break
        events.append((at, "", "escalated"))
    return sorted(events, key=lambda event: event[0])
