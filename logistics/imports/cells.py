"""What a file becomes once it is read: rows of cells, within limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from logistics.errors import Invalid


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may be at most."""

    max_bytes: int = 20 * 1024 * 1024
    max_rows: int = 50_000
    max_columns: int = 100
    max_cell_characters: int = 4_000
    max_unpacked_bytes: int = 200 * 1024 * 1024
    max_ratio: int = 200  # unpacked ÷ packed of one part of an xlsx
    max_parts: int = 2_000


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula: its value is not in the file for certain, so it is refused by row."""

    text: str


Cell = str | int | float | bool | datetime | date | time | Formula | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row; ``line`` is its number in the file as an editor or Excel shows it (from 1)."""

    line: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The non-empty rows of a file (a title above the header still included)."""

    rows: tuple[Row, ...]
    encoding: str = ""
    separator: str = ""
    sheet: str = ""


def quoted_text(formula: str) -> str | None:
    """What ``="000123"`` says, as laboratory systems write a number that Excel must not touch; None: a real formula."""
    text = formula.strip()
    inside = text[2:-1]
    return inside if text.startswith('="') and text.endswith('"') and len(text) > 2 and '"' not in inside else None


def checked_row(row: Row, rows_before: int, limits: Limits) -> Row:
    """The row, unless the file is larger than ``limits``."""
    if rows_before >= limits.max_rows:
        raise Invalid("import_too_many_rows", field="file", limit=limits.max_rows)
    if len(row.cells) > limits.max_columns:
        raise Invalid("import_too_many_columns", field="file", limit=limits.max_columns, line=row.line)
    for cell in row.cells:
        if isinstance(cell, str) and len(cell) > limits.max_cell_characters:
            raise Invalid("import_cell_too_long", field="file", limit=limits.max_cell_characters, line=row.line)
    return row
