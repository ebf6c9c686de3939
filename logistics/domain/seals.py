"""What is told of a seal's number to whom, so that knowing its end proves that somebody looked at it.

A box may be taken by typing the last four characters of its seal, which no screen and no paper shows to who may still
have to take it. The phone must tell a slip of the finger at once, also without a signal, and gets a hint: four bits
that differ for every slip in one digit, and that sixty of the thousand ends share which a seal of ours can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from logistics.domain import access, numbers
from logistics.domain.access import Scope

TAIL = 4
HIDDEN = "•" * TAIL
OVER = frozenset({"delivered", "closed", "cancelled"})
"""States of a consignment in which nobody takes it any more."""
TAKERS = frozenset({access.COURIER, access.RECEIVER, access.COLLECTOR})
NAMED = ("seal", "old_seal", "seal_seen")
"""What events call the number of a seal."""
_OFFSET, _PRIME, _MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


class Sealed(Protocol):
    """What has to be known of a consignment."""

    @property
    def origin_code(self) -> str: ...
    @property
    def state(self) -> str: ...


def hides(seen: Scope, one: Sealed) -> bool:
    """Whether this reader may have to prove yet that he looked at the seal. Who put it on, who leads and who only looks
    on need not; a courier always does, whatever his site."""
    if one.state in OVER or seen.role not in TAKERS:
        return False
    return seen.role == access.COURIER or seen.home != one.origin_code


def shown(seal: str | None, seen: Scope, one: Sealed) -> str:
    """The number as this reader may read it: whole, or without its end."""
    return masked(seal) if hides(seen, one) else seal or ""


def masked(seal: str | None) -> str:
    return seal[:-TAIL] + HIDDEN if seal else ""


def told(payload: Mapping[str, Any], seen: Scope, one: Sealed) -> dict[str, Any]:
    """What an event says, with the numbers of seals as this reader may read them."""
    return {key: shown(str(value), seen, one) if key in NAMED else value for key, value in payload.items()}


def same(one: str | None, other: str | None) -> bool:
    """Whether two readings are of one seal."""
    return numbers.normalise(one or "") == numbers.normalise(other or "")


def tail_check(seal: str) -> int:
    """0 … 15 from the last four characters of ``seal`` (FNV-1a; the same is in the phone's script)."""
    value = _OFFSET
    for character in seal[-TAIL:].upper():
        value = ((value ^ ord(character)) * _PRIME) & _MASK
    return value & 0xF
