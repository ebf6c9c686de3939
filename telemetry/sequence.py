"""Sequence numbers of a device's messages: what is stored without a hole, and which holes to ask for.

Spans are [first, last] pairs, both included, sorted and apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

Span = tuple[int, int]
# With more holes than this the oldest are given up: the logger has lost them or counts anew.
MOST_SPANS = 64


def add(spans: Sequence[Sequence[int]], numbers: Iterable[int]) -> list[Span]:
    """The spans with these numbers in."""
    pieces = sorted([*((span[0], span[1]) for span in spans), *((number, number) for number in numbers)])
    merged: list[Span] = []
    for first, last in pieces:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged[-MOST_SPANS:]


def stored_up_to(spans: Sequence[Sequence[int]]) -> int | None:
    """The number up to which everything since the first is stored."""
    return spans[0][1] if spans else None


def holes(spans: Sequence[Sequence[int]]) -> list[Span]:
    """What is missing between the spans, oldest first."""
    return [(before[1] + 1, after[0] - 1) for before, after in itertools.pairwise(spans)]
