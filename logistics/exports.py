"""Tables as CSV and xlsx, written row by row in constant memory, and safe to open in a spreadsheet.

The one place where a table leaves Labrelay as a file: a text that a spreadsheet would run as a formula is defused here
(CWE-1236, OWASP 'CSV Injection'), whoever writes the table.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import xlsxwriter

Cell = str | int | float | bool | date | datetime | None
"""What a cell may hold. Instants carry their zone and are written in local time; a date stays one."""

ZONE = ZoneInfo("Asia/Shanghai")
BOM = "\ufeff"
FORMULA_SIGNS = frozenset("=+-@")
BREAKS = ("\t", "\r", "\n")
CHUNK_BYTES = 64 * 1024
SHEET_ROWS = 1_048_576  # of a workbook's sheet, the heading and a last line that says where it goes on among them
CELL_CHARACTERS = 32_767  # a longer text makes Excel repair the file
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def safe_text(value: str) -> str:
    """The text without control characters; one that a spreadsheet would run begins with an apostrophe.

    Looked at is the first character that shows, in its plain form: '＝', '﹢' and '⁼' are an equals sign, a plus and an
    equals sign to the spreadsheet of a Chinese or Japanese PC, and blanks or invisible characters before it may be cut.
    """
    clean = _UNPRINTABLE.sub("", value)[: CELL_CHARACTERS - 1]
    return f"'{clean}" if _runs(clean) else clean


def _runs(text: str) -> bool:
    if text.startswith(BREAKS):
        return True
    for character in text:
        if character.isspace() or unicodedata.category(character) in {"Cf", "Cc", "Zs"}:
            continue
        plain = unicodedata.normalize("NFKC", character)[:1]
        return plain in FORMULA_SIGNS or plain == "\N{MINUS SIGN}"
    return False


def csv_rows(heading: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """The table as UTF-8 with a byte order mark (Excel needs it to read Chinese), in pieces of about 64 KB.

    A number is written as a number, a negative one too; only texts are defused.
    """
    buffer = io.StringIO()
    buffer.write(BOM)
    writer = csv.writer(buffer)
    writer.writerow([_csv_cell(one) for one in heading])
    for row in rows:
        writer.writerow([_csv_cell(one) for one in row])
        if buffer.tell() >= CHUNK_BYTES // 2:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def _csv_cell(value: Cell) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, datetime):
        return _local(value).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    return value


def sheets(rows: int) -> int:
    """How many sheets a workbook of so many rows has."""
    return max(1, -(-rows // (SHEET_ROWS - 2)))


def xlsx_rows(
    heading: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    sheet: str = "Labrelay",
    continued: Callable[[str], str] = "→ {}".format,
) -> Iterator[bytes]:
    """The table as a workbook in pieces of 64 KB. Rows go to a temporary file as they come, so the first piece comes
    when the last row is written; a table longer than a sheet goes on in the next one, and the last line of the full
    sheet says so (``continued``, from the next sheet's name)."""
    with tempfile.TemporaryFile() as file:
        options = {
            "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
            "strings_to_numbers": False, "nan_inf_to_errors": True,
        }  # fmt: skip
        with xlsxwriter.Workbook(file, options) as book:
            _fill(book, heading, rows, sheet, continued)
        file.seek(0)
        while piece := file.read(CHUNK_BYTES):
            yield piece


def _fill(
    book: Any,
    heading: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    sheet: str,
    continued: Callable[[str], str],
) -> None:
    formats = {
        "head": book.add_format({"bold": True, "bottom": 1}),
        "instant": book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
        "day": book.add_format({"num_format": "yyyy-mm-dd"}),
    }
    page = _sheet(book, heading, sheet, 1, formats)
    number, line = 1, 1
    for row in rows:
        if line >= SHEET_ROWS - 1:
            number += 1
            page.write_string(line, 0, safe_text(continued(_sheet_name(sheet, number))), formats["head"])
            page, line = _sheet(book, heading, sheet, number, formats), 1
        for column, value in enumerate(row):
            _xlsx_cell(page, line, column, value, formats)
        line += 1


def _sheet(book: Any, heading: Sequence[str], name: str, number: int, formats: dict[str, Any]) -> Any:
    page = book.add_worksheet(_sheet_name(name, number))
    page.freeze_panes(1, 0)
    for column, title in enumerate(heading):
        page.set_column(column, column, min(40, max(12, 2 * len(title) + 2)))
    for column, title in enumerate(heading):
        page.write_string(0, column, safe_text(title), formats["head"])
    return page


def _sheet_name(name: str, number: int) -> str:
    plain = re.sub(r"[\[\]:*?/\\']", " ", name)[:28].strip() or "Labrelay"
    return plain if number == 1 else f"{plain} {number}"


def _xlsx_cell(page: Any, line: int, column: int, value: Cell, formats: dict[str, Any]) -> None:
    if value is None or value == "":
        return
    if isinstance(value, str):
        page.write_string(line, column, safe_text(value))
    elif isinstance(value, bool):
        page.write_boolean(line, column, value)
    elif isinstance(value, datetime):
        page.write_datetime(line, column, _local(value).replace(tzinfo=None), formats["instant"])
    elif isinstance(value, date):
        page.write_datetime(line, column, value, formats["day"])
    else:
        page.write_number(line, column, value)


def _local(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an exported instant must carry its zone")
    return at.astimezone(ZONE)
