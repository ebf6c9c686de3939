"""What is wrong with a cell or a row. Codes only: the sentences live with the other messages."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class CellError(Exception):
    """A cell that cannot be read. ``value`` is what stands there, shortened."""

    def __init__(self, code: str, value: str, **params: object) -> None:
        self.code = code
        self.value = value[:80]
        self.params = params
        super().__init__(f"{code} {self.value}")


@dataclass(frozen=True, slots=True)
class RowError:
    """One bad cell or row: where it stands, what is wrong (``code``) and what was read.

    ``line`` counts from 1 as an editor or Excel shows it; ``column`` is the heading as it stands in the file, or
    empty when the whole row is meant. ``value`` is empty for personal columns.
    """

    line: int
    column: str
    field: str
    code: str
    value: str = ""
    params: Mapping[str, object] = dataclasses.field(default_factory=lambda: MappingProxyType({}))

    @property
    def facts(self) -> dict[str, object]:
        """Everything that the sentence for ``code`` may want to name."""
        return {"line": self.line, "column": self.column, "value": self.value, **self.params}
