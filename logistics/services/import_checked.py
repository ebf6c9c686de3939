"""What a preview against the database found: the change each row means, and the errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from logistics.imports import AnyRow, Kind, Preview, RowError
from logistics.services.import_names import Match


class Action(StrEnum):
    """What a row does."""

    CREATE = "create"
    CHANGE = "change"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Change:
    """One row, its natural key and what it does. ``values`` are columns to write, names already resolved."""

    row: AnyRow
    key: str
    action: Action
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """A preview with the database's view added. Only without ``errors`` may it be applied."""

    parsed: Preview
    changes: tuple[Change, ...]
    errors: tuple[RowError, ...]

    @property
    def kind(self) -> Kind:
        return self.parsed.kind

    def count(self, action: Action) -> int:
        return sum(change.action is action for change in self.changes)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows create, change and leave alone, and how many errors there are."""
        found = {action.value: self.count(action) for action in Action}
        return {**found, "errors": len(self.errors), "duplicates": len(self.parsed.duplicates)}


@dataclass(frozen=True, slots=True)
class Result:
    """What an import wrote: natural keys, in file order."""

    created: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: int


class Errors:
    """Collects row errors, with the heading of the file for each field."""

    def __init__(self, parsed: Preview) -> None:
        self._headings = {field: heading for heading, field in parsed.mapped.items()}
        self.found: list[RowError] = list(parsed.errors)

    def add(self, row: AnyRow, field: str, code: str, value: object = "", **params: object) -> None:
        self.found.append(RowError(row.line, self._headings.get(field, ""), field, code, str(value)[:80], params))

    def unknown(self, row: AnyRow, field: str, code: str, value: str, match: Match) -> None:
        """A name nobody knows, with the closest known ones; or one that several things have."""
        if match.choices:
            self.add(row, field, "name_ambiguous", value, choices="、".join(match.choices))
        elif match.suggestions:
            self.add(row, field, f"{code}_suggest", value, suggestions="、".join(match.suggestions))
        else:
            self.add(row, field, code, value)

    def sorted(self) -> tuple[RowError, ...]:
        return tuple(sorted(self.found, key=lambda error: error.line))


def result_of(changes: Iterable[Change]) -> Result:
    listed = list(changes)
    return Result(
        created=tuple(change.key for change in listed if change.action is Action.CREATE),
        changed=tuple(change.key for change in listed if change.action is Action.CHANGE),
        unchanged=sum(change.action is Action.UNCHANGED for change in listed),
    )
