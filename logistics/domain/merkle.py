"""The hash tree of a daily digest, as in RFC 6962 section 2.1: root, proofs that a leaf is in it, and their check.

Leaves are hashed with a 0 byte before them and inner nodes with a 1 byte, so that neither passes for the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf_text(stream: str, seq: int, head: str) -> str:
    """What a leaf says: at its event ``seq`` the stream's hash was ``head`` (hex)."""
    return f"{stream}\n{seq}\n{head}"


def leaf_hash(text: str) -> bytes:
    """32 bytes."""
    return hashlib.sha256(b"\0" + text.encode()).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes in their order; SHA-256 of nothing when there are none."""
    level = list(leaves)
    if not level:
        return EMPTY
    while len(level) > 1:
        level = _above(level)
    return level[0]


def proof(leaves: Sequence[bytes], place: int) -> list[bytes]:
    """The hashes beside the way from leaf ``place`` (from 0) to the root, lowest first. Raises IndexError."""
    return proofs(leaves, [place])[0]


def proofs(leaves: Sequence[bytes], places: Sequence[int]) -> list[list[bytes]]:
    """The proofs of several leaves; the tree is built once."""
    if any(not 0 <= place < len(leaves) for place in places):
        raise IndexError(places)
    level, at = list(leaves), list(places)
    paths: list[list[bytes]] = [[] for _ in places]
    while len(level) > 1:
        for path, place in zip(paths, at, strict=True):
            if place ^ 1 < len(level):
                path.append(level[place ^ 1])
        level = _above(level)
        at = [place // 2 for place in at]
    return paths


def _above(level: Sequence[bytes]) -> list[bytes]:
    """The level over this one; an odd hash at its end goes up as it is."""
    sha = hashlib.sha256
    odd = [level[-1]] if len(level) % 2 else []
    return [sha(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)] + odd


def holds(leaf: bytes, place: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether ``path`` proves that ``leaf`` is number ``place`` of ``size`` leaves under the root ``expected``."""
    if not 0 <= place < size:
        return False
    waiting = list(path)
    while size > 1:
        if place ^ 1 < size:
            if not waiting:
                return False
            beside = waiting.pop(0)
            leaf = hashlib.sha256(b"\1" + (beside + leaf if place & 1 else leaf + beside)).digest()
        place, size = place // 2, (size + 1) // 2
    return not waiting and leaf == expected
