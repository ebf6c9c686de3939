"""Reading xlsx with openpyxl, after a look at the archive: a small file may unpack to gigabytes."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from logistics.errors import Invalid
from logistics.imports.cells import Cell, Formula, Limits, Row, Table, checked_row, quoted_text

_BROKEN = (zipfile.BadZipFile, InvalidFileException, ParseError, KeyError, ValueError, OSError, EOFError, TypeError)


def read_xlsx(data: bytes, limits: Limits) -> Table:
    """The first visible sheet that holds anything."""
    _check_archive(data, limits)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        try:
            for sheet in book.worksheets:
                if sheet.sheet_state != "visible":
                    continue
                rows = _rows(sheet, limits)
                if rows:
                    return Table(tuple(rows), sheet=str(sheet.title))
        finally:
            book.close()
    except _BROKEN as error:
        raise Invalid("import_not_a_table", field="file", filename="") from error
    raise Invalid("import_empty", field="file")


def _rows(sheet: Any, limits: Limits) -> list[Row]:
    sheet.reset_dimensions()  # the file's own claim about its size may be absurd
    rows: list[Row] = []
    found = sheet.iter_rows(max_col=limits.max_columns + 1)
    for line, cells in enumerate(islice(found, 1_048_576), start=1):
        values = tuple(_value(cell) for cell in cells)
        while values and values[-1] is None:
            values = values[:-1]
        if any(value is not None for value in values):
            rows.append(checked_row(Row(line, values), len(rows), limits))
    return rows


def _value(cell: Any) -> Cell:
    value = cell.value
    if cell.data_type == "f" or (cell.data_type != "s" and isinstance(value, str) and value.startswith("=")):
        formula = str(getattr(value, "text", value))
        quoted = quoted_text(formula)
        return Formula(formula[:100]) if quoted is None else quoted
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _as_shown(value, str(cell.number_format))
    if isinstance(value, str):
        return value if value.strip() else None
    if value is None or isinstance(value, bool | int | float | datetime | date | time):
        return value
    return str(value)


def _as_shown(value: int | float, number_format: str) -> Cell:
    """A number with the zeros that Excel shows before it: of a barcode in a cell of format ``000000000000``."""
    whole = value >= 0 and float(value).is_integer()
    if whole and len(number_format) > 1 and not number_format.strip("0"):
        return f"{int(value):0{len(number_format)}d}"
    return value


def _check_archive(data: bytes, limits: Limits) -> None:
    """Refuse what unpacks too far and what carries entity declarations. Raises Invalid ``import_unsafe_archive``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > limits.max_parts or sum(p.file_size for p in parts) > limits.max_unpacked_bytes:
                raise Invalid("import_unsafe_archive", field="file")
            if "[Content_Types].xml" not in archive.namelist():
                raise Invalid("import_not_a_table", field="file", filename="")
            for part in parts:
                large = part.file_size > 2**20
                if large and part.file_size > limits.max_ratio * max(part.compress_size, 1):
                    raise Invalid("import_unsafe_archive", field="file")
                if part.filename.endswith((".xml", ".rels")):
                    with archive.open(part) as handle:
                        if b"<!DOCTYPE" in handle.read(4096):
                            raise Invalid("import_unsafe_archive", field="file")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise Invalid("import_not_a_table", field="file", filename="") from error
