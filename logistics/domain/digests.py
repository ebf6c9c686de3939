"""The daily digest over all streams: what its text says, and what that text is signed as.

One digest a local day, empty days too, each naming the one before: with the newest alone nobody can take away or
change an older one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone

from logistics.domain.custody import canonical_json, plain_json
from logistics.errors import Invalid

ZONE = timezone(timedelta(hours=8), "Asia/Shanghai")  # China has known no summer time since 1991
FORMAT = "labrelay-digest-1"
GRACE = timedelta(minutes=10)
"""A day is closed this long after midnight: acts that began before it are committed by then."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last event of a stream on a day."""

    stream: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What the text of a digest says. ``previous`` is the hash of the text before, 64 zeros for the first."""

    day: str
    number: int
    since: datetime
    until: datetime
    streams: int
    events: int
    root: str
    acts: int
    acts_root: str
    previous: str
    key: str
    answers: int = 0
    answers_hash: str = ""
    """Over what acts were answered that day; "" in digests from before this was kept."""

    def to_text(self) -> str:
        answers = {"answers": self.answers, "answers_hash": self.answers_hash} if self.answers_hash else {}
        return canonical_json(
            {
                **answers,
                "acts": self.acts,
                "acts_root": self.acts_root,
                "day": self.day,
                "events": self.events,
                "format": FORMAT,
                "key": self.key,
                "number": self.number,
                "previous": self.previous,
                "root": self.root,
                "since": self.since.isoformat(),
                "streams": self.streams,
                "until": self.until.isoformat(),
            }
        )

    @classmethod
    def from_text(cls, text: str) -> Digest:
        """Raises Invalid('digest_unreadable') when it is no digest of ours or not in canonical form."""
        try:
            body = json.loads(text)
            if body.pop("format") != FORMAT:
                raise ValueError("another format")
            found = cls(
                **{
                    **body,
                    "since": datetime.fromisoformat(body["since"]),
                    "until": datetime.fromisoformat(body["until"]),
                }
            )
            if found.to_text() != text:
                raise ValueError("not canonical")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Invalid("digest_unreadable", field="digest") from None
        return found


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def signed_bytes(text: str) -> bytes:
    """What the key signs: the format's name keeps a signature from being used for anything else."""
    return f"{FORMAT}\n{text}".encode()


def endorsed_bytes(public_key: str, previous: str) -> bytes:
    """What both keys sign when a new key (hex) follows the one with the fingerprint ``previous`` ("" for the first)."""
    return f"labrelay-key-1\n{previous}\n{public_key}".encode()


def day_of(at: datetime) -> str:
    """The local day of an instant."""
    return at.astimezone(ZONE).date().isoformat()


def is_day(text: str) -> bool:
    """Whether it is a date as ours are written."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def bounds(day: str) -> tuple[datetime, datetime]:
    """The first instant of a local day and the first after it, UTC."""
    start = datetime.combine(date.fromisoformat(day), time(), ZONE)
    return start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC)


def next_day(day: str) -> str:
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def days_between(first: str, last: str) -> Iterable[str]:
    """Every day from ``first`` to ``last``, both included."""
    day = first
    while day <= last:
        yield day
        day = next_day(day)


def last_closed_day(now: datetime) -> str:
    """The newest day that may be signed at ``now``."""
    return (date.fromisoformat(day_of(now - GRACE)) - timedelta(days=1)).isoformat()


def manifest_hash(lines: Sequence[object]) -> str:
    """SHA-256 (hex) of a manifest's lines: the sealing event holds it, so that the manifest is as safe as the log."""
    return hashlib.sha256(canonical_json(lines).encode()).hexdigest()


def kept_manifest_hash(lines: Sequence[object]) -> str:
    """The same of lines that were locked before: what they hold was checked then."""
    return hashlib.sha256(plain_json(lines).encode()).hexdigest()
