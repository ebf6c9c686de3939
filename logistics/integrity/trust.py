"""Which keys may be believed, and whether a run of digests holds: the same for the database and for a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from logistics.domain.custody import GENESIS
from logistics.domain.diagnosis import Finding, Kind
from logistics.domain.digests import Digest, bounds, endorsed_bytes, next_day, signed_bytes, text_hash
from logistics.errors import Invalid
from logistics.integrity import keys


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A public key as it was handed out."""

    fingerprint: str
    public_key: str
    previous: str | None
    endorsement: str


@dataclass(frozen=True, slots=True)
class DigestFacts:
    """A digest as it was handed out. ``day`` is what it is filed under."""

    day: str
    text: str
    signature: str
    key: str


@dataclass
class Trust:
    """``keys``: fingerprint → public key of every key that the anchor leads to."""

    anchor: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def trust(rows: Sequence[KeyFacts], anchor: str | None = None) -> Trust:
    """Follow the signatures between keys from ``anchor`` (a public key, hex); without one from the first key."""
    result = Trust()
    known: dict[str, KeyFacts] = {}
    for row in rows:
        if _sound(row):
            known[row.fingerprint] = row
        else:
            result.findings.append(Finding(_name(row.fingerprint), 0, Kind.KEY, "it is not what its fingerprint says"))
    first = keys.fingerprint(anchor) if anchor else next((one.fingerprint for one in rows if not one.previous), "")
    result.anchor = first
    if first not in known:
        if rows or anchor:
            result.findings.append(Finding(_name(first), 0, Kind.KEY, "the trusted key is not among those given"))
        return result
    waiting = [first]
    while waiting:
        name = waiting.pop()
        result.keys[name] = known[name].public_key
        waiting += [other for other in _linked(known, name) if other not in result.keys]
    for row in known.values():
        if row.fingerprint not in result.keys:
            detail = "no trusted key leads to it"
            result.findings.append(Finding(_name(row.fingerprint), 0, Kind.KEY, detail))
    return result


def _sound(row: KeyFacts) -> bool:
    """Its fingerprint is its own, and it signed which key it follows."""
    try:
        own = keys.fingerprint(row.public_key) == row.fingerprint
        new = row.endorsement.split(" ")[1]
    except (ValueError, IndexError):
        return False
    return own and keys.signed_by(row.public_key, new, endorsed_bytes(row.public_key, row.previous or ""))


def _linked(known: Mapping[str, KeyFacts], name: str) -> Iterable[str]:
    """The key before (which this one signed that it follows) and the keys after that this one signed."""
    row = known[name]
    if row.previous in known:
        yield str(row.previous)
    for other in known.values():
        words = endorsed_bytes(other.public_key, other.previous or "")
        old = other.endorsement.split(" ")[0]
        if other.previous == name and keys.signed_by(row.public_key, old, words):
            yield other.fingerprint


def _name(fingerprint: str) -> str:
    return f"key {keys.shown(fingerprint)}"


def check_digests(
    rows: Iterable[DigestFacts], trusted: Trust, *, from_first: bool
) -> tuple[list[Digest], list[Finding]]:
    """Digests in the order of their days: text, signature, and that each follows the one before.

    ``from_first``: the run must begin with the installation's first digest. Returns those that can be read.
    """
    read: list[Digest] = []
    findings: list[Finding] = []
    previous, number, day = GENESIS, 1, ""
    begun = from_first
    for row in rows:
        name = f"digest {row.day}"
        if not _signature_holds(row, trusted):
            findings.append(Finding(name, 0, Kind.DIGEST_SIGNATURE, "not signed by a trusted key"))
        try:
            digest = Digest.from_text(row.text)
        except Invalid:
            findings.append(Finding(name, 0, Kind.DIGEST_TEXT, "unreadable"))
            previous, number, begun = text_hash(row.text), number + 1, True
            continue
        if digest.day != row.day or digest.key != row.key or (digest.since, digest.until) != bounds(digest.day):
            findings.append(Finding(name, 0, Kind.DIGEST_TEXT, "day, key or times are not those it is filed under"))
        if begun and (digest.previous != previous or digest.number != number or (day and digest.day != day)):
            detail = f"number {digest.number}, expected {number} of {day or digest.day} after the digest before it"
            findings.append(Finding(name, 0, Kind.DIGEST_CHAIN, detail))
        read.append(digest)
        previous, number, day, begun = text_hash(row.text), digest.number + 1, next_day(digest.day), True
    return read, findings


def _signature_holds(row: DigestFacts, trusted: Trust) -> bool:
    public = trusted.keys.get(row.key)
    return public is not None and keys.signed_by(public, row.signature, signed_bytes(row.text))
