"""The files of a custody bundle and what stands in their lines: written by ``bundle``, read by ``bundle_check``.

docs/formats/bundle.md describes it for others. JSON lines are UTF-8; hashes, keys and signatures are hex.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from logistics.domain.custody import EventType, read_text

FORMAT = "labrelay-custody-bundle-1"
RECORD, EVENTS, DIGESTS, PROOFS = "record.json", "events.jsonl", "digests.jsonl", "proofs.jsonl"
ACTS, MANIFESTS, HANDOVERS, KEYS = "acts.jsonl", "manifests.jsonl", "handovers.jsonl", "keys.json"
PAGE, SUMS, SIGNATURE = "README.html", "SHA256SUMS", "SHA256SUMS.sig"
NEEDED = (RECORD, EVENTS, DIGESTS, PROOFS, ACTS, MANIFESTS, HANDOVERS, KEYS, PAGE, SUMS)


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """What the bundle is about. ``sites``: code → [zh, en], only to read; ``streams`` in the order of the page."""

    format: str
    version: str
    kind: str  # consignment | specimen
    key: str  # the consignment's number, the tube's accession
    stream: str
    streams: list[str]
    made_at: str
    sites: dict[str, list[str]]
    names: dict[str, str]  # stream → the number on its label


class EventLine(msgspec.Struct, forbid_unknown_fields=True):
    """One event: the canonical text that was hashed, and the hashes before and after. ``set``: its code in IHE SET,
    which follows from the texts of its stream."""

    stream: str
    seq: int
    previous: str
    hash: str
    text: str
    set: str | None = None


class DigestLine(msgspec.Struct, forbid_unknown_fields=True):
    """A daily digest: the text that was signed."""

    day: str
    text: str
    signature: str
    key: str


class ProofLine(msgspec.Struct, forbid_unknown_fields=True):
    """That on ``day`` the stream ended with event ``seq``: the way from leaf ``place`` to the root of that digest."""

    day: str
    stream: str
    seq: int
    hash: str
    place: int
    size: int
    path: list[str]


class ActProof(msgspec.Struct, forbid_unknown_fields=True):
    """The same for an act under the root of the acts."""

    day: str
    place: int
    size: int
    path: list[str]


class ActLine(msgspec.Struct, forbid_unknown_fields=True):
    """An act as it was sent. ``body`` None: withheld, because it names a patient; its hash is still signed."""

    id: str
    username: str
    body: str | None
    body_sha256: str
    proof: ActProof | None


class ManifestLine(msgspec.Struct, forbid_unknown_fields=True):
    """A version of the manifest as it was locked."""

    number: str
    version: int
    locked_at: str
    locked_by: str
    seal: str
    lines: list[Any]


class KeyLine(msgspec.Struct, forbid_unknown_fields=True):
    """A public key and what ties it to the one before."""

    fingerprint: str
    public_key: str
    previous: str | None
    endorsement: str


class SignatureLine(msgspec.Struct, forbid_unknown_fields=True):
    """The laboratory's signature over SHA256SUMS."""

    key: str
    signature: str


def lines(rows: Iterable[msgspec.Struct | Mapping[str, Any]]) -> str:
    """JSON lines."""
    return "".join(json.dumps(msgspec.to_builtins(row), ensure_ascii=False, sort_keys=True) + "\n" for row in rows)


def handovers(events: Sequence[EventLine]) -> str:
    """The signatures: read out of the events of the consignments, which the chain protects."""
    found = []
    for line in events:
        if line.stream.startswith("consignment:"):
            event = read_text(line.text)
            if event.type in {EventType.HANDED_OVER, EventType.HANDOVER_SIGNED}:
                found.append(
                    {
                        **dict(event.payload),
                        "at": event.occurred_at.isoformat(),
                        "event": f"{line.stream}#{line.seq}",
                        "site": event.site,
                        "type": event.type.value,
                    }
                )
    return lines(found)


def sums(files: Mapping[str, bytes]) -> str:
    """``sha256sum`` lines of every file but the sums and their signature."""
    return "".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n"
        for name in sorted(files)
        if name not in {SUMS, SIGNATURE}
    )


def signed_bytes(sums_text: str) -> bytes:
    """What the laboratory's key signs."""
    return f"{FORMAT}\n{sums_text}".encode()
