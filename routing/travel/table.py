"""An uploaded matrix: read from CSV or JSON, checked cell by cell, asked by site.

CSV (UTF-8, comma or semicolon), one row for each pair, in any order, the way there and the way back apart::

    from,to,travel_s,distance_m
    T1,LAB,1260,14800

JSON: ``{"site_ids": [...], "travel_s": [[...]], "distance_m": [[...]]}``, row = from, column = to.
Whole seconds 0 … 172 800 and whole metres 0 … 10,000,000; nothing is rounded or guessed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from routing.problem import HORIZON_S, Site, TravelTable
from routing.travel.base import TravelError, TravelMatrix

COLUMNS = ("from", "to", "travel_s", "distance_m")
LIMITS = {"travel_s": HORIZON_S, "distance_m": 10_000_000}
MAX_SITES = 3_000


@dataclass(frozen=True, slots=True)
class MatrixProvider:
    """An uploaded matrix. Raises ``matrix_missing_site`` for a site it does not hold."""

    table: TravelTable

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """The rows and columns of ``points``."""
        row_of = {site_id: row for row, site_id in enumerate(self.table.site_ids)}
        missing = [point.id for point in points if point.id not in row_of]
        if missing:
            raise TravelError("matrix_missing_site", site=missing[0], count=len(missing))
        rows = [row_of[point.id] for point in points]
        pick = np.ix_(rows, rows)
        return TravelMatrix(
            tuple(point.id for point in points),
            np.asarray(self.table.travel_s, dtype=np.int32).reshape(len(row_of), -1)[pick],
            np.asarray(self.table.distance_m, dtype=np.int32).reshape(len(row_of), -1)[pick],
            "matrix",
        )


def read_matrix(data: bytes, name: str = "") -> TravelTable:
    """A matrix from a file's bytes; ``name`` ends in .json or .csv (without it, JSON begins with a brace).

    Raises :class:`TravelError`, whose params name ``row`` (CSV: line of the file, 1 is the header; JSON: index from
    0) and ``field``: ``matrix_not_text``, ``matrix_not_json``, ``matrix_missing_column``, ``matrix_empty_id``,
    ``matrix_bad_number``, ``matrix_out_of_range``, ``matrix_duplicate_pair``, ``matrix_missing_pair``,
    ``matrix_duplicate_site``, ``matrix_wrong_shape``, ``matrix_empty``, ``matrix_too_large``, ``matrix_not_zero``.
    """
    as_json = name.lower().endswith(".json") or (not name and data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TravelError("matrix_not_text", byte=error.start) from error
    return _from_json(text) if as_json else _from_csv(text)


def _from_csv(text: str) -> TravelTable:
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",")
    names = [(one or "").strip() for one in reader.fieldnames or ()]
    reader.fieldnames = names
    for column in COLUMNS:
        if column not in names:
            raise TravelError("matrix_missing_column", row=1, field=column)
    cells: dict[tuple[str, str], tuple[int, int]] = {}
    seen: dict[tuple[str, str], int] = {}
    order: dict[str, int] = {}
    for record in reader:
        row = reader.line_num
        if not any(isinstance(value, str) and value.strip() for value in record.values()):
            continue
        pair = (_name(record, "from", row), _name(record, "to", row))
        if pair in seen:
            raise TravelError(
                "matrix_duplicate_pair", row=row, field="to", origin=pair[0], to=pair[1], first=seen[pair]
            )
        seconds, metres = _whole(record["travel_s"], "travel_s", row), _whole(record["distance_m"], "distance_m", row)
        if pair[0] == pair[1] and (seconds or metres):
            raise TravelError("matrix_not_zero", row=row, field="travel_s" if seconds else "distance_m", site=pair[0])
        seen[pair], cells[pair] = row, (seconds, metres)
        for one in pair:
            order.setdefault(one, len(order))
        if len(order) > MAX_SITES:
            raise TravelError("matrix_too_large", row=row, limit=MAX_SITES)
    return _complete(tuple(order), cells)


def _complete(ids: tuple[str, ...], cells: dict[tuple[str, str], tuple[int, int]]) -> TravelTable:
    if not ids:
        raise TravelError("matrix_empty")
    for site in ids:
        cells.setdefault((site, site), (0, 0))
    absent = [(a, b) for a in ids for b in ids if (a, b) not in cells]
    if absent:
        raise TravelError("matrix_missing_pair", origin=absent[0][0], to=absent[0][1], count=len(absent))
    return TravelTable(
        ids,
        tuple(tuple(cells[a, b][0] for b in ids) for a in ids),
        tuple(tuple(cells[a, b][1] for b in ids) for a in ids),
    )


def _name(record: dict[str, str], field: str, row: int) -> str:
    name = (record[field] or "").strip()
    if not name:
        raise TravelError("matrix_empty_id", row=row, field=field)
    return name


def _whole(value: object, field: str, row: int, column: int | None = None) -> int:
    where = {"row": row, "field": field} | ({} if column is None else {"column": column})
    if isinstance(value, str) and value.strip().isdecimal() and len(value.strip()) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TravelError("matrix_bad_number", **where, value=str(value or "")[:40])
    if not 0 <= value <= LIMITS[field]:
        raise TravelError("matrix_out_of_range", **where, value=value, max=LIMITS[field])
    return value


def _from_json(text: str) -> TravelTable:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise TravelError("matrix_not_json", detail=str(error)) from error
    if not isinstance(found, dict):
        raise TravelError("matrix_not_json", detail="an object is wanted")
    for field in ("site_ids", *LIMITS):
        if not isinstance(found.get(field), list):
            raise TravelError("matrix_missing_column", field=field)
    ids = _ids(found["site_ids"])
    tables = [_square(found[field], field, ids) for field in LIMITS]
    return TravelTable(ids, tables[0], tables[1])


def _ids(found: list[object]) -> tuple[str, ...]:
    ids: dict[str, int] = {}
    for row, name in enumerate(found):
        if not isinstance(name, str) or not name.strip():
            raise TravelError("matrix_empty_id", row=row, field="site_ids")
        if name in ids:
            raise TravelError("matrix_duplicate_site", row=row, field="site_ids", site=name, first=ids[name])
        ids[name] = row
    if not ids:
        raise TravelError("matrix_empty")
    if len(ids) > MAX_SITES:
        raise TravelError("matrix_too_large", limit=MAX_SITES)
    return tuple(ids)


def _square(rows: list[object], field: str, ids: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    size = len(ids)
    if len(rows) != size:
        raise TravelError("matrix_wrong_shape", field=field, rows=len(rows), expected=size)
    table = []
    for row, values in enumerate(rows):
        if not isinstance(values, list) or len(values) != size:
            columns = len(values) if isinstance(values, list) else 0
            raise TravelError("matrix_wrong_shape", row=row, field=field, columns=columns, expected=size)
        table.append(tuple(_whole(value, field, row, column) for column, value in enumerate(values)))
        if table[-1][row]:
            raise TravelError("matrix_not_zero", row=row, field=field, column=row, site=ids[row])
    return tuple(table)
