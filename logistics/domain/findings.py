"""Nonconformities as a projection of the log: which events open one, and which later ones settle it.

A finding is named by the event that opened it (stream and number). It is open while nobody has said what becomes of
it: a tube declared missing until it turns up, a tube on hold until it is released, an unknown tube until it is settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from logistics.domain.custody import Event
from logistics.domain.custody import EventType as E

MISSING = "TUBE_MISSING"
UNEXPECTED = "UNEXPECTED"
OPEN = frozenset({"", "hold"})
DISPOSITIONS = (
    "hold", "reject", "reject_tests", "concession", "received", "found", "release", "lost", "recall", "dispose",
    "noted", "settled", "withdrawn",
)  # fmt: skip
"""What may become of a finding. ``received``: an unexpected tube that is known goes its way; ``noted``: about a box;
``withdrawn``: the event that opened it was declared wrong."""

OPENING = frozenset(
    {E.DECLARED_MISSING, E.RECEIVED_UNEXPECTED, E.REJECTED, E.TESTS_REJECTED, E.ACCEPTED_CONCESSION, E.HELD,
     E.UNEXPECTED_TUBE, E.DEVIATION, E.SEAL_BROKEN}
)  # fmt: skip
_ENDS_MISSING: Mapping[E, str] = {
    E.FOUND: "found", E.FOUND_AT_ORIGIN: "found", E.RECEIVED_UNEXPECTED: "found", E.LOST: "lost", E.DISPOSED: "lost",
}  # fmt: skip
_ENDS_HOLD: Mapping[E, str] = {
    E.RELEASED: "release", E.REJECTED: "settled", E.LOST: "lost", E.RECALLED: "recall", E.DISPOSED: "dispose",
}  # fmt: skip
SETTLING = frozenset(_ENDS_MISSING) | frozenset(_ENDS_HOLD) | {E.SETTLED, E.CORRECTED}


@dataclass(frozen=True, slots=True)
class Finding:
    """One nonconformity. ``accession`` is empty when it is about the box; ``photo`` is the picture's SHA-256."""

    stream: str
    seq: int
    consignment: str | None
    site: str | None
    reason: str
    note: str
    found_by: str
    found_at: datetime
    accession: str = ""
    tests: str = ""  # codes of the tests that are rejected, blank between; empty: the whole tube
    photo: str | None = None
    disposition: str = ""
    disposed_by: str | None = None
    disposed_at: datetime | None = None
    disposed_site: str | None = None


def opened(event: Event, *, consignment: str | None = None) -> Finding | None:
    """The finding that the event opens. ``consignment``: the one the tube lay in before the event, when known."""
    if event.type not in OPENING:
        return None
    facts = event.payload
    kind = _disposition(event)
    if kind is None:
        return None
    number = facts.get("consignment") or (event.stream.partition(":")[2] if _of_box(event) else consignment)
    settled = kind not in OPEN
    return Finding(
        stream=event.stream,
        seq=event.seq,
        consignment=number,
        site=event.site,
        reason=_reason(event),
        note=str(facts.get("note") or ""),
        found_by=event.actor,
        found_at=event.occurred_at,
        accession=str(facts.get("accession") or ""),
        tests=" ".join(facts.get("tests", ())) if event.type is E.TESTS_REJECTED else "",
        photo=facts.get("photo"),
        disposition=kind,
        disposed_by=event.actor if settled else None,
        disposed_at=event.occurred_at if settled else None,
        disposed_site=event.site if settled else None,
    )


def _of_box(event: Event) -> bool:
    return event.type in {E.UNEXPECTED_TUBE, E.DEVIATION, E.SEAL_BROKEN}


def _reason(event: Event) -> str:
    if event.type is E.DECLARED_MISSING:
        return MISSING
    fallback = UNEXPECTED if event.type in {E.RECEIVED_UNEXPECTED, E.UNEXPECTED_TUBE} else ""
    return str(event.payload.get("code") or event.payload.get("reason") or fallback)


def _disposition(event: Event) -> str | None:  # noqa: PLR0911  # one line a type reads best
    """What is decided as it is found; None: the event opens no finding after all."""
    facts: Mapping[str, Any] = event.payload
    match event.type:
        case E.DECLARED_MISSING:
            return ""
        case E.UNEXPECTED_TUBE:
            return None if facts.get("known") else ""  # a known tube has the finding in its own stream
        case E.HELD:
            return "hold" if facts.get("code") else None  # a hold for an excursion is the excursion's own matter
        case E.REJECTED:
            return "reject"
        case E.TESTS_REJECTED:
            return "reject_tests"
        case E.ACCEPTED_CONCESSION:
            return "concession"
        case E.RECEIVED_UNEXPECTED:
            return "received"
        case _:
            return "noted"


def settled(finding: Finding, event: Event) -> Finding:
    """The finding after a later event of its stream; the same when the event does not concern it."""
    withdrawn = event.type is E.CORRECTED and event.payload.get("corrects") == finding.seq
    if finding.disposition not in OPEN and not withdrawn:
        return finding
    kind: str | None
    if withdrawn:
        kind = "withdrawn"
    elif event.type is E.SETTLED:
        kind = "settled" if event.payload.get("finding") == finding.seq else None
    elif finding.disposition == "hold":
        kind = _ENDS_HOLD.get(event.type)
    else:
        kind = _ENDS_MISSING.get(event.type) if finding.reason == MISSING else None
    if kind is None:
        return finding
    return replace(
        finding,
        disposition=kind,
        disposed_by=event.actor,
        disposed_at=event.occurred_at,
        disposed_site=event.site,
    )


def replayed(findings: Iterable[Finding], event: Event, *, consignment: str | None = None) -> list[Finding]:
    """All findings of a stream after one more event."""
    after = [settled(one, event) for one in findings] if event.type in SETTLING else list(findings)
    new = opened(event, consignment=consignment)
    return [*after, new] if new is not None else after
