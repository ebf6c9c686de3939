"""Dates and times as Chinese laboratory systems and Excel write them. What could mean two things is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from logistics.imports.cells import Cell, Formula
from logistics.imports.errors import CellError
from logistics.imports.text import clean

SHANGHAI = ZoneInfo("Asia/Shanghai")
EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # Excel's day 0; it has no zone
FIRST_SERIAL, LAST_SERIAL = 36526.0, 73051.0  # 2000-01-01 … 2100-01-01
FIRST_YEAR, LAST_YEAR = 2000, 2099

_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?)?$")
_COMPACT_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})(?=[T ]|$)")
_TIME = re.compile(
    r"(上午|下午|晚上|晚|凌晨|早上|早|中午|am|pm)?\s*(\d{1,2})\s*(?:[:时点]\s*(\d{1,2})?\s*[:分]?\s*(\d{1,2})?(?:\.\d+)?\s*秒?|时|点)\s*(am|pm)?$",
    re.IGNORECASE,
)
_HALF = re.compile(r"(\d{1,2})\s*[点时]\s*半$")
_ZONE = re.compile(r"(?<=\d)\s*(Z|[+-]\d{2}:?\d{2})$")
_AFTERNOON = {"下午", "晚上", "晚", "pm"}
_MORNING = {"上午", "凌晨", "早上", "早", "am"}


@dataclass(frozen=True, slots=True)
class Moment:
    """What a cell says: a day, a time of day, or both; ``zone`` only where the text itself names one."""

    day: date | None
    clock: time | None
    zone: timedelta | None = None


def read_moment(cell: Cell) -> Moment | None:
    """A day, a time of day or both; None for an empty cell. Raises CellError ``date_unreadable`` and others."""
    if cell is None or isinstance(cell, Formula):
        return None
    if isinstance(cell, datetime):
        zone = cell.utcoffset()
        midnight = cell.time() == time(0) and zone is None
        return Moment(_checked(cell.date()), None if midnight else cell.time().replace(tzinfo=None), zone)
    if isinstance(cell, date):
        return Moment(_checked(cell), None)
    if isinstance(cell, time):
        return Moment(None, cell.replace(tzinfo=None))
    if isinstance(cell, bool):
        raise CellError("date_unreadable", str(cell))
    if isinstance(cell, int | float):
        return _from_number(cell)
    return _from_text(clean(cell)) if clean(cell) else None


def to_utc(moment: Moment, zone: ZoneInfo = SHANGHAI) -> datetime:
    """The instant in UTC; local time where the text names no zone. Raises CellError ``time_of_day_missing``."""
    if moment.day is None:
        raise CellError("date_missing", "")
    if moment.clock is None:
        raise CellError("time_of_day_missing", moment.day.isoformat())
    naive = datetime.combine(moment.day, moment.clock)
    if moment.zone is not None:
        return (naive - moment.zone).replace(tzinfo=UTC)
    return naive.replace(tzinfo=zone).astimezone(UTC)


def _from_number(value: int | float) -> Moment:
    if FIRST_SERIAL <= value < LAST_SERIAL:
        at = EXCEL_EPOCH + timedelta(days=float(value))
        at = (at + timedelta(milliseconds=500)).replace(microsecond=0)  # Excel keeps days as a float
        return Moment(at.date(), at.time() if value % 1 else None)
    if 0 <= value < 1 and isinstance(value, float):
        return Moment(None, (EXCEL_EPOCH + timedelta(days=value, milliseconds=500)).replace(microsecond=0).time())
    if float(value).is_integer() and re.fullmatch(r"20\d{6}(\d{4}(\d{2})?)?", str(int(value))):
        return _from_text(str(int(value)))
    raise CellError("date_unreadable", f"{value:g}")


def _from_text(text: str) -> Moment:
    zone = None
    rest = text
    found = _ZONE.search(rest)
    if found and ":" in rest[: found.start()]:
        zone = _offset(found[1])
        rest = rest[: found.start()].strip()
    compact = _COMPACT.match(rest)
    if compact:
        year, month, day, hour, minute, second = compact.groups()
        clock = _clock(int(hour), int(minute), int(second or 0), text) if hour else None
        return Moment(_day(year, month, day, text), clock, zone)
    match = _DATE.match(rest) or _COMPACT_DAY.match(rest)
    if match:
        left = rest[match.end() :].lstrip("T ").strip()
        day_found = _day(match[1], match[2], match[3], text)
        left = re.sub(r"^[(（]?(星期|周)[一二三四五六日天][)）]?\s*", "", left)
        return Moment(day_found, _read_clock(left, text) if left else None, zone)
    if re.match(r"\d{1,4}\s*[-/.]\s*\d{1,2}\s*[-/.]\s*\d{1,4}", rest):
        raise CellError("date_ambiguous", text)
    if re.fullmatch(r"\d{5}(\.\d+)?", rest):
        return _from_number(float(rest))
    return Moment(None, _read_clock(rest, text), zone)


def _read_clock(text: str, whole: str) -> time:
    half = _HALF.match(text)
    if half:
        return _clock(int(half[1]), 30, 0, whole)
    if re.fullmatch(r"\d{4}|\d{6}", text):
        return _clock(int(text[:2]), int(text[2:4]), int(text[4:] or 0), whole)
    match = _TIME.match(text)
    if not match:
        raise CellError("date_unreadable", whole)
    part = (match[1] or match[5] or "").lower()
    hour = int(match[2])
    if part in _AFTERNOON and 1 <= hour < 12:
        hour += 12
    elif part in _MORNING and hour == 12:
        hour = 0
    return _clock(hour, int(match[3] or 0), int(match[4] or 0), whole)


def _clock(hour: int, minute: int, second: int, whole: str) -> time:
    try:
        return time(hour, minute, second)
    except ValueError:
        raise CellError("date_unreadable", whole) from None


def _day(year: str, month: str, day: str, whole: str) -> date:
    try:
        return _checked(date(int(year), int(month), int(day)))
    except ValueError:
        raise CellError("date_unreadable", whole) from None


def _checked(day: date) -> date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise CellError("date_out_of_range", day.isoformat())
    return day


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta(0)
    digits = text[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return size if text[0] == "+" else -size
