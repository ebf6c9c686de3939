"""Loggers for the demo day, trials and tests: a physical box model, and stretches of a real recording
replayed.

The box is two bodies: the air with the tubes, and the cold packs (a phase-change material that melts at its
plateau and takes up a fixed amount of heat there). Heat comes through the walls by Newton's law of cooling,
and much faster while the lid is open. Integration runs on a fixed grid, so a seed gives the same
temperatures however the steps are cut. Temperatures °C, time constants in minutes.
"""

from __future__ import annotations

import csv
import json
import math
import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from importlib.resources import files
from itertools import islice, takewhile
from typing import Any, Protocol

from logistics.clock import as_utc
from telemetry.reading import Reading

Ambient = Callable[[datetime], float]
_GRID = timedelta(seconds=30)
_GRID_MIN = _GRID / timedelta(minutes=1)
_LOCAL = timezone(timedelta(hours=8))
_RESOLUTION_C = 0.1


class Simulated(Protocol):
    """A logger that can be asked for its reading at an instant not before the last one."""

    def step(self, to: datetime) -> Reading: ...


def hubei_spring_ambient_c(at: datetime) -> float:
    """Air temperature of a fair March day in southern Hubei: 9 °C at about 05:00, 19 °C at about 15:00."""
    local = at.astimezone(_LOCAL)
    hour = local.hour + local.minute / 60
    return 14.0 + 5.0 * math.cos((hour - 15.0) / 24.0 * 2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class BoxKind:
    """``plateau_c`` melting point; ``capacity_c`` heat taken up on it, as degrees of the cold packs' own
    warming."""

    plateau_c: float
    capacity_c: float
    wall_min: float = 240.0
    lid_min: float = 18.0
    packs_min: float = 25.0
    packs_to_air: float = 3.0
    charge: float = 1.0


KINDS: dict[str, BoxKind] = {
    "cold_2_8": BoxKind(plateau_c=4.0, capacity_c=80.0),
    "ambient_15_25": BoxKind(plateau_c=20.0, capacity_c=60.0, charge=0.5),
    "frozen": BoxKind(plateau_c=-21.0, capacity_c=110.0, wall_min=480.0),
}


class BoxModel:
    """A transport box with a logger.

    ``charge``: share of the packs still frozen at the start (0: forgotten in the cupboard, 1: fresh). Without
    one, fresh; half for the ambient class, whose packs must be able to warm and to cool.
    """

    def __init__(
        self,
        device: str,
        *,
        start: datetime,
        temp_class: str = "cold_2_8",
        seed: int = 0,
        probe: int = 1,
        charge: float | None = None,
        start_temp_c: float | None = None,
        ambient: Ambient = hubei_spring_ambient_c,
        noise_c: float = 0.08,
    ) -> None:
        self.device = device
        self.probe = probe
        self._kind = KINDS[temp_class]
        self._ambient = ambient
        self._random = random.Random(f"{seed}:{device}:{probe}")
        self._noise_c = noise_c
        self._bias_c = self._random.uniform(-0.2, 0.2)  # within the ±0.5 °C of a calibrated logger
        self._at = as_utc(start)
        charge = self._kind.charge if charge is None else charge
        plateau_c = self._kind.plateau_c
        self._air_c = start_temp_c if start_temp_c is not None else plateau_c + self._random.uniform(0.0, 1.0)
        # Heat in the packs since the plateau's begin, in degrees: 0 … capacity is the plateau.
        self._heat_c = (1.0 - charge) * self._kind.capacity_c
        if charge <= 0.0:
            self._heat_c += self._air_c - plateau_c
        self._wall_min, self._warmth_c = self._kind.wall_min, 0.0
        self._lid: list[tuple[datetime, datetime]] = []
        self._battery_pct = self._random.uniform(70.0, 100.0)

    @property
    def temp_c(self) -> float:
        """The true temperature of the air in the box, without the sensor's error."""
        return self._air_c

    @property
    def at(self) -> datetime:
        return self._at

    def open_lid(self, at: datetime, duration: timedelta) -> None:
        """The lid is open from ``at`` on; several openings may overlap."""
        self._lid.append((as_utc(at), as_utc(at) + duration))

    def lose_cooling(self, *, wall_min: float = 35.0, warmth_c: float = 10.0) -> None:
        """From now on the packs are spent, the lid does not close, and the box stands ``warmth_c`` warmer.

        As in a van in the sun: a 2-8 °C box is above 8 °C within about a quarter of an hour.
        """
        self._heat_c = self._kind.capacity_c + self._packs_c() - self._kind.plateau_c
        self._wall_min, self._warmth_c = wall_min, warmth_c

    def step(self, to: datetime) -> Reading:
        """The logger's reading at ``to``."""
        to = as_utc(to)
        while self._at + _GRID <= to:
            self._advance()
        measured = self._air_c + self._bias_c + self._random.gauss(0.0, self._noise_c)
        self._battery_pct = max(0.0, self._battery_pct - 0.002)
        return Reading(
            device=self.device,
            probe=self.probe,
            at=to,
            temp_c=_rounded(measured),
            battery_pct=round(self._battery_pct),
            lid_open=self._lid_open(to),
        )

    def _lid_open(self, at: datetime) -> bool:
        return any(begin <= at < end for begin, end in self._lid)

    def _packs_c(self) -> float:
        heat_c, capacity_c = self._heat_c, self._kind.capacity_c
        if heat_c < 0.0:
            return self._kind.plateau_c + heat_c
        return self._kind.plateau_c + max(0.0, heat_c - capacity_c)

    def _advance(self) -> None:
        kind = self._kind
        ambient_c = self._ambient(self._at) + self._warmth_c
        wall_min = kind.lid_min if self._lid_open(self._at) else self._wall_min
        packs_c = self._packs_c()
        to_packs = (self._air_c - packs_c) / kind.packs_min
        self._air_c += _GRID_MIN * ((ambient_c - self._air_c) / wall_min - to_packs)
        self._heat_c += _GRID_MIN * to_packs / kind.packs_to_air
        self._at += _GRID


class Outbox:
    """The memory of a logger that loses nothing: it keeps each message until the server says that it is stored.

    What has no receipt is sent again after a reconnect, and whenever it has waited for longer than a receipt takes.
    """

    def __init__(self, first: int = 1) -> None:
        self._next = first
        self._kept: dict[int, bytes] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, entries: Sequence[Mapping[str, Any]]) -> bytes:
        """A new message of these readings (docs/formats/mqtt.md), numbered and kept."""
        message = json.dumps({"seq": self._next, "readings": list(entries)}, separators=(",", ":")).encode()
        self._kept[self._next] = message
        self._next += 1
        return message

    def receipt(self, body: Mapping[str, Any]) -> list[int]:
        """Forget what the receipt names; gives the numbers that were forgotten now."""
        low, high = body.get("stored_from"), body.get("stored_up_to")
        known = {seq for seq in body.get("stored", ()) if seq in self._kept}
        if low is not None and high is not None:
            known.update(seq for seq in takewhile(lambda seq: seq <= high, self._kept) if seq >= low)
        for seq in known:
            del self._kept[seq]
        return sorted(known)

    def request(self, body: Mapping[str, int]) -> list[bytes]:
        """The messages that the server misses, as far as they are kept."""
        return [message for seq, message in self._kept.items() if body["from"] <= seq <= body["to"]]

    def unreceipted(self, most: int | None = None) -> list[bytes]:
        """What has no receipt, oldest first; at most ``most``."""
        return list(islice(self._kept.values(), most))


class Recording:
    """Replays a stretch of the real recording from ``start``; over its end it stays at the last value."""

    def __init__(self, device: str, *, start: datetime, stretch: str = "steady", probe: int = 1) -> None:
        self.device = device
        self.probe = probe
        self._start = as_utc(start)
        self._series = stretches()[stretch]

    def step(self, to: datetime) -> Reading:
        minute = (as_utc(to) - self._start) / timedelta(minutes=1)
        index = max(0, bisect_right(self._series, (minute, math.inf)) - 1)
        return Reading(self.device, self.probe, as_utc(to), self._series[index][1], battery_pct=90.0)


@cache
def stretches() -> dict[str, list[tuple[float, float]]]:
    """Stretch → [(minute, °C)] of the recorded Fridge-tag 2 L (telemetry/data/README.md)."""
    found: dict[str, list[tuple[float, float]]] = {}
    with (files("telemetry") / "data" / "fridge_tag_2l.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["stretch"], []).append((float(row["minute"]), float(row["temp_c"])))
    return found


def _rounded(temp_c: float) -> float:
    return round(round(temp_c / _RESOLUTION_C) * _RESOLUTION_C, 1)
