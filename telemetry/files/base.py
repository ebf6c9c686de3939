"""What a file of a logger holds. Times UTC, temperatures °C."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo

from telemetry.excursion import Sample


class UnreadableFileError(Exception):
    """The file is none of the format. ``code`` is an error code, ``params`` fill its sentence."""

    def __init__(self, code: str, **params: object) -> None:
        self.code = code
        self.params = params
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Limit:
    """An alarm limit that the device itself watched. ``side``: upper | lower."""

    side: str
    temp_c: float


@dataclass(frozen=True, slots=True)
class OwnStatistics:
    """What the device printed about the whole recording. None: it did not."""

    min_c: float | None = None
    max_c: float | None = None
    mean_c: float | None = None
    mkt_c: float | None = None


@dataclass(frozen=True, slots=True)
class OwnDay:
    """What the device printed about a day of its own clock. ``minutes``: outside, by side."""

    day: date
    min_c: float | None
    max_c: float | None
    mean_c: float | None
    minutes: dict[str, int]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be read, with its number (from 1)."""

    line: int
    text: str
    reason: str


@dataclass(slots=True)
class Recorded:
    """A file as it was read. ``zone``: of the device's clock, which its days follow."""

    format: str
    model: str = ""
    serial: str = ""
    zone: tzinfo = UTC
    activated_at: datetime | None = None
    interval: timedelta | None = None
    limits: list[Limit] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    rh_pct: dict[datetime, float] = field(default_factory=dict)
    own: OwnStatistics = OwnStatistics()
    days: list[OwnDay] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
