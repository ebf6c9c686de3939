"""Berlinger's text exports: Fridge-tag 2, 2 L, UL and Q-tag.

A tree of ``key: value`` lines, one blank a level; several pairs may share a line (``Min T: +4.0, TS Min T: 00:42``).
``Conf`` says what was set, ``Hist`` (Fridge-tag) a day each, ``Res`` (Q-tag) the whole recording, ``Data`` the readings
in columns parted by tabs. Times are the device's clock, whose distance from UTC is ``Conf / Zone`` in hours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from telemetry.files.base import BadLine, Limit, OwnDay, OwnStatistics, Recorded, UnreadableFileError

NAME = "berlinger"
_PAIR = re.compile(r"([A-Za-z0-9 ]+?):\s?([^,]*)(?:,\s*|$)")
_STAMP = "%Y-%m-%d %H:%M"
_FARTHEST_ZONE_H = 14
_UPPER, _LOWER = "upper", "lower"


@dataclass(slots=True)
class _Node:
    """A line with its pairs and what stands deeper below it."""

    key: str
    pairs: dict[str, str]
    under: list[_Node] = field(default_factory=list)

    def child(self, key: str) -> _Node | None:
        return next((node for node in self.under if node.key == key), None)

    def value(self, key: str) -> str | None:
        """The value of a key on this line or on one of the lines right below."""
        for node in (self, *self.under):
            if node.pairs.get(key):
                return node.pairs[key]
        return None


def recognise(text: str) -> bool:
    """Whether these are the first words of such an export."""
    head = text.lstrip("\ufeff")[:400]
    return head.startswith("Device:") and ("Fw Vers:" in head or "Conf:" in head)


def parse(text: str, zone: tzinfo | None = None) -> Recorded:
    """The recording. ``zone`` overrules the one that the file names. Raises UnreadableFileError."""
    if not recognise(text):
        raise UnreadableFileError("file_not_berlinger")
    lines = text.lstrip("\ufeff").splitlines()
    root = _tree(lines)
    conf = root.child("Conf") or _Node("Conf", {})
    found = Recorded(NAME, model=root.value("Device") or "", serial=conf.value("Serial") or "")
    found.zone = zone or _zone(conf)
    if minutes := _number(conf.value("Logging Interval")):
        found.interval = timedelta(minutes=minutes)
    results = root.child("Hist") or root.child("Res") or _Node("Res", {})
    found.activated_at = _stamp(results.value("TS Actv"), found.zone)
    limits = _limits(conf)
    found.limits = [Limit(side, temp_c) for side, temp_c in limits.values()]
    _readings(lines, found, fahrenheit=(conf.value("Temp unit") or "C") == "F")
    if root.child("Res") is not None:
        found.own = OwnStatistics(
            _number(results.value("Min T")), _number(results.value("Max T")), _number(results.value("Avrg T")),
            _number(results.value("MKT")),
        )  # fmt: skip
    sides = {number: side for number, (side, _) in limits.items()}
    found.days = [day for node in results.under if (day := _day(node, sides)) is not None]
    return found


def _tree(lines: list[str]) -> _Node:
    root = _Node("", {})
    path = [(-1, root)]
    for line in lines:
        if not line.strip() or line.startswith("\t"):
            continue
        depth = len(line) - len(line.lstrip(" "))
        pairs = {key.strip(): value.strip() for key, value in _PAIR.findall(line.strip())}
        node = _Node(next(iter(pairs), line.strip()), pairs)
        while path[-1][0] >= depth:
            path.pop()
        path[-1][1].under.append(node)
        path.append((depth, node))
    return root


def _zone(conf: _Node) -> tzinfo:
    hours = _number(conf.value("Zone")) or 0.0
    if abs(hours) > _FARTHEST_ZONE_H:
        raise UnreadableFileError("file_zone_bad", zone=hours)
    return timezone(timedelta(hours=hours)) if hours else UTC


def _limits(conf: _Node) -> dict[str, tuple[str, float]]:
    """Number of an alarm → (side, °C).

    Fridge-tag: 0 is the lower, 1 the upper. Q-tag says its kind: 1 and 3 are lower, 2 and 4 upper.
    """
    found: dict[str, tuple[str, float]] = {}
    alarm = conf.child("Alarm")
    for node in alarm.under if alarm else ():
        temp_c, kind = _number(node.value("T AL")), node.value("Type")
        if temp_c is None or kind == "0":
            continue
        side = (_LOWER if node.key == "0" else _UPPER) if kind is None else (_LOWER if kind in ("1", "3") else _UPPER)
        found[node.key] = (side, temp_c)
    return found


def _day(node: _Node, sides: dict[str, str]) -> OwnDay | None:
    given = node.value("Date")
    if given is None or not node.key.isdecimal():
        return None
    alarm = node.child("Alarm")
    minutes: dict[str, int] = {}
    for one in alarm.under if alarm else ():
        spent = _number(one.value("t Acc"))
        if spent is not None and one.key in sides:
            minutes[sides[one.key]] = int(spent)
    try:
        day = date.fromisoformat(given)
    except ValueError:
        return None
    return OwnDay(
        day, _number(node.value("Min T")), _number(node.value("Max T")), _number(node.value("Avrg T")), minutes
    )


def _readings(lines: list[str], found: Recorded, *, fahrenheit: bool) -> None:
    for number, cells in _data(lines):
        try:
            at = datetime.strptime(cells[1], _STAMP).replace(tzinfo=found.zone).astimezone(UTC)
            value = float(cells[2])
        except (ValueError, IndexError):
            found.bad.append(BadLine(number, "\t".join(cells)[:120], "unreadable"))
            continue
        found.samples.append((at, round((value - 32) / 1.8, 2) if fahrenheit else value))


def _data(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines below ``Data:`` and its heading, with their numbers."""
    begin = next((index for index, line in enumerate(lines) if line.strip() == "Data:"), len(lines))
    for number, line in enumerate(lines[begin + 1 :], begin + 2):
        if not line.startswith("\t"):
            return
        cells = line.split("\t")
        if len(cells) > 1 and cells[1] != "yyyy-MM-dd hh:mm":
            yield number, cells


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _stamp(text: str | None, zone: tzinfo) -> datetime | None:
    try:
        return datetime.strptime(text, _STAMP).replace(tzinfo=zone).astimezone(UTC) if text else None
    except ValueError:
        return None
