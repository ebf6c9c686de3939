"""CSV of any logger by a saved mapping: which column is the time, which the temperature, how the time is written.

=================  =================================================================================================
``time``           name of the time's column, or two names (date and time of day)
``temp``           name of the temperature's column
``rh``             name of the humidity's column (optional)
``time_format``    as of strptime, ``iso`` when left out
``zone``           of the logger's clock, where its times carry none
``unit``           C (also when left out) or F
``decimal``        ``.`` (also when left out) or ``,``
``delimiter``      found by itself when left out
=================  =================================================================================================

Makers put lines about the device above the table: the heading is the first line that holds all the names. A name fits
when it is the column's, or the beginning of it (``Temperature`` fits ``Temperature°C``).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from logistics.errors import Invalid
from telemetry.codecs.options import zone_of
from telemetry.files.base import BadLine, Recorded, UnreadableFileError

NAME = "csv"
KNOWN = frozenset({"time", "temp", "rh", "time_format", "zone", "unit", "decimal", "delimiter"})
DELIMITERS = (",", ";", "\t")
_ISO = "iso"

# Where a mapping may begin; both makers let their users choose the time's format and the language of the headings.
MAKERS: Mapping[str, Mapping[str, Any]] = {
    "logtag": {"time": ["Date", "Time"], "temp": "Temperature", "time_format": "%d-%m-%Y %H:%M:%S"},
    "elitech": {"time": "Time", "temp": "Temperature", "rh": "Humidity", "time_format": "%Y-%m-%d %H:%M:%S"},
}


def checked(options: Any) -> dict[str, Any]:
    """A mapping as it may be kept. Raises Invalid('mapping_…')."""
    if not isinstance(options, Mapping) or not set(options) <= KNOWN:
        raise Invalid("mapping_shape", field="mapping")
    kept = {name: value for name, value in options.items() if value not in ("", [], None)}
    for name in ("time", "temp"):
        if not kept.get(name):
            raise Invalid("field_missing", field=name)
    times = kept["time"] if isinstance(kept["time"], list) else [kept["time"]]
    texts = [*times, kept["temp"], kept.get("rh", ""), kept.get("time_format", "")]
    if len(times) > 2 or not all(isinstance(text, str) and len(text) <= 80 for text in texts):
        raise Invalid("mapping_shape", field="mapping")
    if "zone" in kept:
        zone_of(kept["zone"])
    for name, allowed in (("unit", ("C", "F")), ("decimal", (".", ",")), ("delimiter", DELIMITERS)):
        if name in kept and kept[name] not in allowed:
            raise Invalid("mapping_value", field=name, name=name, value=str(kept[name])[:20])
    return kept


def parse(text: str, options: Mapping[str, Any]) -> Recorded:
    """The recording. Raises UnreadableFileError when no heading holds the names."""
    wanted = [*_times(options), options["temp"]]
    delimiter, head, lines = _heading(text, wanted, options.get("delimiter"))
    times = [_place(head, name) for name in _times(options)]
    temp = _place(head, options["temp"])
    rh = _place(head, options["rh"]) if options.get("rh") else None
    found = Recorded(NAME)
    reader = csv.reader(io.StringIO("\n".join(line for _, line in lines)), delimiter=delimiter)
    for (number, line), cells in zip(lines, reader, strict=False):
        if not any(cell.strip() for cell in cells):
            continue
        try:
            at = _instant(" ".join(cells[place].strip() for place in times if place is not None), options)
            temp_c = _number(cells[temp or 0], options)
        except (ValueError, IndexError) as error:
            found.bad.append(BadLine(number, line[:120], "no_zone" if str(error) == "zone" else "unreadable"))
            continue
        found.samples.append((at, round((temp_c - 32) / 1.8, 2) if options.get("unit") == "F" else temp_c))
        if rh is not None and rh < len(cells) and cells[rh].strip():
            try:
                found.rh_pct[at] = _number(cells[rh], options)
            except ValueError:
                found.bad.append(BadLine(number, line[:120], "unreadable"))
    return found


def _times(options: Mapping[str, Any]) -> list[str]:
    time = options["time"]
    return list(time) if isinstance(time, list) else [time]


def _heading(text: str, wanted: Sequence[str], given: str | None) -> tuple[str, list[str], list[tuple[int, str]]]:
    """(delimiter, the heading's names, the numbered lines below it)."""
    lines = text.lstrip("\ufeff").splitlines()
    for number, line in enumerate(lines, 1):
        for delimiter in [given] if given else DELIMITERS:
            head = next(csv.reader([line], delimiter=delimiter), [])
            if len(head) > 1 and all(_place(head, name) is not None for name in wanted):
                return delimiter, head, list(enumerate(lines[number:], number + 1))
    raise UnreadableFileError("file_no_heading", columns=", ".join(wanted)[:120])


def _place(head: Sequence[str], name: str) -> int | None:
    names = [cell.strip().casefold() for cell in head]
    name = name.strip().casefold()
    if name in names:
        return names.index(name)
    return next((place for place, cell in enumerate(names) if cell.startswith(name)), None)


def _instant(text: str, options: Mapping[str, Any]) -> datetime:
    form = options.get("time_format") or _ISO
    at = datetime.fromisoformat(text) if form == _ISO else datetime.strptime(text, form)  # noqa: DTZ007
    if at.tzinfo is None:
        if not options.get("zone"):
            raise ValueError("zone")
        at = at.replace(tzinfo=zone_of(options["zone"]))
    return at.astimezone(UTC)


def _number(text: str, options: Mapping[str, Any]) -> float:
    text = text.strip()
    return float(text.replace(",", ".") if options.get("decimal") == "," else text)
