"""A table becomes typed rows and a list of everything that is wrong with it. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from logistics.imports.cells import Cell, Row, Table
from logistics.imports.columns import Column, Header, find_header
from logistics.imports.dates import SHANGHAI, Moment, to_utc
from logistics.imports.errors import CellError, RowError
from logistics.imports.fields import Kind
from logistics.imports.rows import AnyRow, OrderRow, SiteRow, TestRow, UserRow

ROW_TYPES: Mapping[Kind, type[AnyRow]] = {
    Kind.SITES: SiteRow,
    Kind.TESTS: TestRow,
    Kind.USERS: UserRow,
    Kind.ORDERS: OrderRow,
}
MOST_ERRORS = 1_000


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A row that says what an earlier one said already; it counts once."""

    line: int
    first_line: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would do. ``rows`` are the good ones; nothing may be applied while there are ``errors``."""

    kind: Kind
    rows: tuple[AnyRow, ...]
    errors: tuple[RowError, ...]
    mapped: Mapping[str, str]
    unmapped: tuple[str, ...]
    personal: tuple[str, ...]
    duplicates: tuple[Duplicate, ...]
    header_line: int
    read_rows: int

    @property
    def ok(self) -> bool:
        return not self.errors


def parse(
    table: Table, kind: Kind | str, mapping: Mapping[str, str] | None = None, *, zone: ZoneInfo = SHANGHAI
) -> Preview:
    """Read ``table`` as a file of ``kind``; ``mapping`` (heading → field) overrides what is recognised.

    Bad cells become RowErrors with line, column and value (at most 1,000). Raises Invalid as ``find_header``.
    """
    kind = Kind(kind)
    header = find_header(table, kind, mapping)
    errors: list[RowError] = [
        RowError(header.line, field.headings[0], field.name, "column_missing") for field in header.missing
    ]
    body = [row for row in table.rows if row.line > header.line]
    rows: list[AnyRow] = []
    if not header.missing:
        for row in body:
            found, wrong = _read_row(row, header, kind, zone)
            errors.extend(wrong)
            if found is not None:
                rows.append(found)
    errors.extend(shortened := _shortened(rows, body, header))
    rows = [row for row in rows if row.line not in {error.line for error in shortened}]
    kept, duplicates, clashes = _merge(rows, header)
    return Preview(
        kind=kind,
        rows=tuple(kept),
        errors=tuple(sorted([*errors, *clashes], key=lambda error: error.line)[:MOST_ERRORS]),
        mapped=header.mapped,
        unmapped=header.unmapped,
        personal=header.personal,
        duplicates=tuple(duplicates),
        header_line=header.line,
        read_rows=len(body),
    )


def _read_row(row: Row, header: Header, kind: Kind, zone: ZoneInfo) -> tuple[AnyRow | None, list[RowError]]:
    values: dict[str, Any] = {}
    errors: list[RowError] = []
    for column in header.columns:
        try:
            values[column.field.name] = column.field.read(_cell(row, column))
        except CellError as error:
            errors.append(_error(row.line, column, error))
            continue
        if column.field.required and not values[column.field.name]:
            errors.append(RowError(row.line, column.heading, column.field.name, "value_missing"))
    if kind is Kind.ORDERS:
        errors.extend(_order_times(values, row.line, header, zone))
        if not errors and not values.get("accession") and not values.get("order_number"):
            errors.append(RowError(row.line, "", "accession", "accession_or_order_missing"))
        values["lines"] = (row.line,)
    if errors:
        return None, errors
    known = {field.name for field in fields(ROW_TYPES[kind])}
    given = {name: value for name, value in values.items() if name in known and value is not None}
    return ROW_TYPES[kind](line=row.line, **given), []


def _cell(row: Row, column: Column) -> Cell:
    return row.cells[column.index] if column.index < len(row.cells) else None


def _shortened(rows: list[AnyRow], body: list[Row], header: Header) -> list[RowError]:
    """Barcodes that Excel holds as numbers and that are shorter than others of their site: zeros before them may be
    lost, and without them it would be another tube's."""
    column = next((one for one in header.columns if one.field.name == "accession"), None)
    if column is None:
        return []
    held = {row.line for row in body if isinstance(_cell(row, column), int | float)}
    tubes = [row for row in rows if isinstance(row, OrderRow) and row.accession.isdecimal()]
    longest: dict[str, int] = {}
    for tube in tubes:
        longest[tube.site] = max(longest.get(tube.site, 0), len(tube.accession))
    return [
        RowError(tube.line, column.heading, "accession", "code_zeros_lost", tube.accession,
                 {"digits": longest[tube.site]})
        for tube in tubes
        if tube.line in held and len(tube.accession) < longest[tube.site]
    ]  # fmt: skip


def _order_times(values: dict[str, Any], line: int, header: Header, zone: ZoneInfo) -> list[RowError]:
    """Bring day and time of collection together and turn both times into UTC."""
    errors = []
    day = values.pop("collected_on", None)
    moments: dict[str, Moment | None] = {
        "collected_at": _joined(values.get("collected_at"), day),
        "ordered_at": values.get("ordered_at"),
    }
    ordered = moments["ordered_at"]
    if ordered is not None and ordered.clock is None:
        moments["ordered_at"] = Moment(ordered.day, time(0))
    for name, moment in moments.items():
        values[name] = None
        if moment is None:
            continue
        try:
            values[name] = to_utc(moment, zone)
        except CellError as error:
            column = next(c for c in header.columns if c.field.name in (name, "collected_on"))
            errors.append(_error(line, column, error))
    return errors


def _joined(at: Moment | None, on: Moment | None) -> Moment | None:
    if at is None or on is None:
        return at or on
    return Moment(at.day or on.day, at.clock or on.clock, at.zone)


def _error(line: int, column: Column, error: CellError) -> RowError:
    value = "" if column.field.personal else error.value
    return RowError(line, column.heading, column.field.name, error.code, value, error.params)


def _merge(rows: list[AnyRow], header: Header) -> tuple[list[AnyRow], list[Duplicate], list[RowError]]:
    """One row a key: repeats count once, orders of one tube join their tests, contradictions are errors."""
    kept: dict[tuple[str, ...], AnyRow] = {}
    duplicates: list[Duplicate] = []
    clashes: list[RowError] = []
    for row in rows:
        first = kept.get(row.key)
        if first is None:
            kept[row.key] = row
            continue
        differs = _difference(first, row)
        if differs:
            heading = next((c.heading for c in header.columns if c.field.name == differs), differs)
            clashes.append(RowError(row.line, heading, differs, "contradicts_line", "", {"other": first.line}))
            continue
        if isinstance(first, OrderRow) and isinstance(row, OrderRow):
            tests = tuple(dict.fromkeys((*first.tests, *row.tests)))
            if tests == first.tests:
                duplicates.append(Duplicate(row.line, first.line))
            kept[row.key] = replace(first, tests=tests, lines=(*first.lines, row.line))
        else:
            duplicates.append(Duplicate(row.line, first.line))
    return list(kept.values()), duplicates, clashes


def _difference(first: AnyRow, second: AnyRow) -> str:
    """The first field in which two rows of one key differ; lines and an order's tests may."""
    for field in fields(first):
        if field.name in ("line", "lines") or (field.name == "tests" and isinstance(first, OrderRow)):
            continue
        if getattr(first, field.name) != getattr(second, field.name):
            return field.name
    return ""
