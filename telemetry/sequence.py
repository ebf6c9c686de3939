"""Sequence numbers of a device's messages: what is stored without a hole, and which holes to ask for.

Spans are [first, last] pairs, both included, sorted and apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

Span = tuple[int, int]
# With more holes than this the oldest are given up: the logger has lost them or counts anew.
MOST_SPANS = 64


def add(spans: Iterable[Span], numbers: Iterable[int]) -> list[Span]:
    """The spans with these numbers in."""
    pieces = sorted([*spans, *((number, number) for number in numbers)])
    merged: list[Span] = []
    for first, last in pieces:
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged[-MOST_SPANS:]


def of(stored: Iterable[Sequence[int]]) -> list[Span]:
    """The spans as they come out of a database's JSON."""
    return [(span[0], span[1]) for span in stored]


def holds(spans: Iterable[Span], number: int) -> bool:
    return any(first <= number <= last for first, last in spans)


def holes(spans: Iterable[Span]) -> list[Span]:
    """What is missing between the spans, oldest first."""
    return [(before[1] + 1, after[0] - 1) for before, after in itertools.pairwise(spans)]
