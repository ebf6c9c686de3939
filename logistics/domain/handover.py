"""A handover signed on two devices: what the taker's half and the giver's half say together.

Both halves carry one handover id and may arrive in any order, hours apart and more than once. What the record says
in the end depends on the halves alone, never on the order in which the server heard of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from logistics.errors import Invalid

SIGNED = "signed"  # both have signed the same
OUTSTANDING = "giver_outstanding"  # custody has passed on the taker's half; the giver's has not come
DIFFERS = "differs"  # the giver has signed something else
WAITING = "waiting"  # of a giver's half: no taker's half has come

COUNT, GIVER, TAKER, MEANING, CONSIGNMENT = "count", "giver", "taker", "meaning", "consignment"


@dataclass(frozen=True, slots=True)
class Taken:
    """The taker's half for one consignment: custody passed by it."""

    consignment: str
    giver: str
    taker: str
    meaning: str
    count: int


@dataclass(frozen=True, slots=True)
class Given:
    """The giver's half for one consignment. ``other`` and ``meaning`` are empty when he did not state them."""

    key: str  # of the act
    consignment: str
    giver: str
    other: str
    meaning: str
    count: int
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one half is worth beside the others. ``differs`` names the fields that do not agree."""

    state: str
    differs: tuple[str, ...] = ()
    signed_at: datetime | None = None  # when the giver signed, by his own device


def judge_taken(taken: Taken, given: Sequence[Given]) -> Outcome:
    """The state of a handover. The earliest half that agrees counts; one that differs stays beside it on record."""
    about = [half for half in given if half.consignment == taken.consignment]
    agreeing = sorted((half.signed_at, half.key) for half in about if not differences(taken, half))
    if agreeing:
        return Outcome(SIGNED, (), agreeing[0][0])
    if about:
        named = {field for half in about for field in differences(taken, half)}
        return Outcome(DIFFERS, tuple(sorted(named)))
    if given:
        return Outcome(DIFFERS, (CONSIGNMENT,))
    return Outcome(OUTSTANDING)


def judge_given(given: Given, taken: Mapping[str, Taken]) -> Outcome:
    """The state of a giver's half, given what was taken (by consignment)."""
    here = taken.get(given.consignment)
    if here is None:
        return Outcome(WAITING)
    differs = differences(here, given)
    return Outcome(DIFFERS if differs else SIGNED, differs, given.signed_at)


def differences(taken: Taken, given: Given) -> tuple[str, ...]:
    """The fields in which two halves for one consignment do not agree."""
    found = []
    if given.count != taken.count:
        found.append(COUNT)
    if given.giver != taken.giver:
        found.append(GIVER)
    if given.other and given.other != taken.taker:
        found.append(TAKER)
    if given.meaning and given.meaning != taken.meaning:
        found.append(MEANING)
    return tuple(found)


def listed(value: Any, *, field: str) -> list[str]:
    """Consignment numbers as an act names them: each once, in a fixed order, so that two acts never wait crosswise.

    Raises Invalid('field_malformed') or Invalid('field_missing').
    """
    if not isinstance(value, list) or not all(isinstance(one, str) and 0 < len(one) <= 64 for one in value):
        raise Invalid("field_malformed", field=field)
    if not value:
        raise Invalid("field_missing", field=field)
    return sorted(set(value))


def by_consignment(taken: Iterable[Taken]) -> dict[str, Taken]:
    return {one.consignment: one for one in taken}
