"""Sums of rows: every event holds what the row of its subject adds up to after it.

So a row is compared with the log without replaying it: the row as it stands must give the sum that its last event
holds inside the hash chain. PostgreSQL can work out the same text (``logistics.integrity.rows``): a JSON array with a
blank after each comma, instants as UTC with microseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime

DIGITS = 32
"""Hexadecimal digits kept of a SHA-256: 128 bits, and the log a tenth smaller than with all of them."""
NOTHING = "0" * DIGITS
_ENCODER = json.JSONEncoder(ensure_ascii=False)

Value = str | int | bool | datetime | None


def row_text(values: Iterable[Value]) -> str:
    """The text that is hashed."""
    return _ENCODER.encode([instant(one) if type(one) is datetime else one for one in values])


def instant(at: datetime) -> str:
    """UTC with microseconds, whether they are zero or not."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")]


def row_sum(values: Iterable[Value]) -> str:
    """What a row adds up to."""
    return hashlib.sha256(row_text(values).encode()).hexdigest()[:DIGITS]


def mixed(*sums: str) -> str:
    """What several rows add up to, in whatever order: a row is put in and taken out again by the same step (XOR)."""
    total = 0
    for one in sums:
        total ^= int(one, 16)
    return f"{total:0{DIGITS}x}"
