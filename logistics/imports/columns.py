"""Which column is which: finding the header row and matching its headings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from logistics.errors import Invalid
from logistics.imports.cells import Cell, Row, Table
from logistics.imports.fields import PERSONAL, Field, Kind, fields_of, synonyms
from logistics.imports.text import clean, key

SEARCHED_ROWS = 15  # a title and remarks may stand above the header
_REMARK = re.compile(r"[（(\[【].*?[)）\]】]")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file and the field it feeds."""

    index: int
    heading: str
    field: Field


@dataclass(frozen=True, slots=True)
class Header:
    """The header row: what was recognised, what was not, what is personal and therefore left out."""

    line: int
    columns: tuple[Column, ...]
    unmapped: tuple[str, ...]
    personal: tuple[str, ...]
    missing: tuple[Field, ...]

    @property
    def mapped(self) -> dict[str, str]:
        """Heading in the file → field."""
        return {column.heading: column.field.name for column in self.columns}


def find_header(table: Table, kind: Kind, mapping: Mapping[str, str] | None = None) -> Header:
    """The row among the first ones that names most fields. ``mapping`` (heading → field, '' = leave out) decides
    over what is recognised.

    Raises Invalid ``import_no_header``, ``import_mapping_field`` or ``import_mapping_column``.
    """
    wanted = _wanted(kind, mapping or {})
    known = synonyms(kind)
    best: Header | None = None
    for row in table.rows[:SEARCHED_ROWS]:
        header = _match(row, kind, known, wanted)
        if len(header.columns) > (len(best.columns) if best else 0):
            best = header
    if best is None or (len(best.columns) < 2 and len(fields_of(kind)) > 1 and best.missing):
        raise Invalid("import_no_header", field="file", known=", ".join(f.headings[0] for f in fields_of(kind)))
    headings = {key(heading) for heading in (*best.mapped, *best.unmapped, *best.personal)}
    for heading in mapping or {}:
        if key(heading) not in headings:
            raise Invalid("import_mapping_column", field="mapping", value=heading[:40])
    return best


def _wanted(kind: Kind, mapping: Mapping[str, str]) -> dict[str, Field | None]:
    by_name = {field.name: field for field in fields_of(kind)}
    wanted: dict[str, Field | None] = {}
    for heading, name in mapping.items():
        if name and name not in by_name:
            raise Invalid("import_mapping_field", field="mapping", value=name[:40], known=", ".join(by_name))
        wanted[key(heading)] = by_name[name] if name else None
    return wanted


def _match(row: Row, kind: Kind, known: Mapping[str, Field], wanted: Mapping[str, Field | None]) -> Header:
    headings = [(index, _heading(cell)) for index, cell in enumerate(row.cells)]
    taken: dict[str, Column] = {}
    unmapped: list[str] = []
    personal: list[str] = []
    for index, heading in headings:  # what was said explicitly first
        field = wanted.get(key(heading)) if heading else None
        if field is not None:
            taken.setdefault(field.name, Column(index, heading, field))
    explicit = {column.index for column in taken.values()}
    for index, heading in headings:
        if not heading or index in explicit:
            continue
        if key(heading) in wanted:
            unmapped.append(heading)
            continue
        field = known.get(key(heading)) or known.get(key(_REMARK.sub("", heading)))
        if field is not None and field.name not in taken:
            taken[field.name] = Column(index, heading, field)
        elif field is None and key(heading) in PERSONAL:
            personal.append(heading)
        else:
            unmapped.append(heading)
    missing = tuple(field for field in fields_of(kind) if field.required and field.name not in taken)
    columns = tuple(sorted(taken.values(), key=lambda column: column.index))
    return Header(row.line, columns, tuple(unmapped), tuple(personal), missing)


def _heading(cell: Cell) -> str:
    """The heading without the marks of obligatory fields."""
    return clean(cell).strip("*:： ") if isinstance(cell, str) else ""
