"""Naming what was done to a stream of the custody log: edited, removed, inserted, reordered, rewritten.

The scan of the whole log only says which streams do not hold; this looks at such a stream again, whole, with
everything that bears witness to it: the heads in the signed digests and the head in its subject's own row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from logistics.domain.custody import GENESIS, chain_hash

MOST_NAMED = 50  # missing numbers of one stream that are named one by one


class Kind(StrEnum):
    """What was found. The first group concerns events, the second what bears witness to them."""

    EDITED = "edited"  # the text, its hash or a column beside it is not what was recorded
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    REWRITTEN = "rewritten"  # a chain that holds in itself and is not the one that was signed
    HEAD = "head"  # the row of the tube, consignment or item names another last event
    SUBJECT = "subject"  # a stream without its tube, consignment or item
    DIGEST_MISSING = "digest_missing"
    DIGEST_TEXT = "digest_text"  # unreadable, or its day, number, counts or root are not those of the log
    DIGEST_SIGNATURE = "digest_signature"
    DIGEST_CHAIN = "digest_chain"  # it does not follow the digest before it
    DIGEST_LEAVES = "digest_leaves"  # the kept leaves do not give the signed root
    DIGEST_WITNESS = "digest_witness"  # the copy outside the database says something else
    KEY = "key"  # a key that nobody vouches for, or not the one that was asked for
    ACT = "act"  # an act as sent is not what was signed, or is gone
    PROJECTION = "projection"  # a row that does not follow from the log
    MANIFEST = "manifest"  # a manifest version is not the one that was sealed
    FILE = "file"  # of a bundle: missing, added or changed


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that does not hold. ``subject``: a stream, a day, a key, a file; ``seq`` of the event concerned."""

    subject: str
    seq: int
    kind: Kind
    detail: str = ""

    def line(self) -> str:
        """One line for a terminal."""
        number = f" #{self.seq}" if self.seq else ""
        return f"{self.kind.value}: {self.subject}{number}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it is stored: its text and the columns that are copies of what the text says."""

    position: int
    stream: str
    seq: int
    type: str
    act_id: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    site: str | None
    text: str
    previous: str
    hash: str

    def holds(self) -> bool:
        return chain_hash(self.previous, self.text) == self.hash


@dataclass(frozen=True, slots=True)
class Witness:
    """What something outside the stream says: event ``seq`` had this hash. ``who``: which digest, in words."""

    seq: int
    hash: str
    who: str


def diagnose(
    stream: str,
    rows: Iterable[Stored],
    witnesses: Sequence[Witness] = (),
    *,
    subject: tuple[int, str] | None = None,
    signed_until: datetime | None = None,
) -> list[Finding]:
    """Everything wrong with one stream.

    ``rows`` in any order; ``witnesses``: heads in signed digests; ``subject``: the last number and hash that the row
    of its tube, consignment or item has; ``signed_until``: the end of the last signed day.
    """
    look = _Look(stream, sorted(rows, key=lambda row: (row.seq, row.position)), witnesses, subject)
    look.duplicates()
    look.gaps()
    look.contents()
    look.links()
    look.ask_witnesses()
    look.ask_subject()
    if signed_until is not None:
        look.unsigned(signed_until)
    return sorted(set(look.found))


class _Look:
    """One stream being looked at; ``chain`` holds one row a number."""

    def __init__(
        self, stream: str, rows: Sequence[Stored], witnesses: Sequence[Witness], subject: tuple[int, str] | None
    ) -> None:
        self.stream = stream
        self.rows = rows
        self.witnesses = sorted(witnesses, key=lambda one: (one.seq, one.who))
        self.chain: dict[int, Stored] = {}
        self.found: list[Finding] = []
        self.subject = subject
        self.cut = 0  # up to here the end of the stream is named as removed
        self.signed = {(one.seq, one.hash) for one in witnesses}
        self.confirmed = self.signed | ({subject} if subject else set())

    def note(self, seq: int, kind: Kind, detail: str = "") -> None:
        self.found.append(Finding(self.stream, seq, kind, detail))

    def flagged(self, low: int, high: int) -> bool:
        """Whether something between these numbers is named already."""
        return any(low <= one.seq <= high for one in self.found)

    def duplicates(self) -> None:
        """Two events with one number: the one that the next event follows, or that is confirmed, is the true one."""
        by_seq: dict[int, list[Stored]] = {}
        for row in self.rows:
            by_seq.setdefault(row.seq, []).append(row)
        for seq, same in by_seq.items():
            followed = {row.previous for row in by_seq.get(seq + 1, ())}
            true = next((row for row in same if (seq, row.hash) in self.confirmed), None)
            true = true or next((row for row in same if row.hash in followed), same[0])
            self.chain[seq] = true
            for row in same:
                if row is not true:
                    self.note(seq, Kind.INSERTED, "a second event with this number")

    def gaps(self) -> None:
        if any(seq < 1 for seq in self.chain):
            self.note(min(self.chain), Kind.INSERTED, "numbers begin at 1")
        last = max(self.chain, default=0)
        self._removed([seq for seq in range(1, last) if seq not in self.chain], "")

    def _removed(self, missing: Sequence[int], detail: str) -> None:
        for seq in missing[:MOST_NAMED]:
            self.note(seq, Kind.REMOVED, detail)
        if len(missing) > MOST_NAMED:
            self.note(missing[MOST_NAMED], Kind.REMOVED, f"and {len(missing) - MOST_NAMED} more")

    def _cut(self, last: int, seq: int, detail: str) -> None:
        """Numbers after the last one there is, up to ``seq``, each named once."""
        self._removed(range(max(last, self.cut) + 1, seq + 1), detail)
        self.cut = max(self.cut, seq)

    def contents(self) -> None:
        """Each row by itself: hash, what the text says it is, the columns beside it; and the order they came in."""
        position = 0
        for seq, row in sorted(self.chain.items()):
            if not row.holds():
                self.note(seq, Kind.EDITED, "the text does not give its hash")
            else:
                self._copies(seq, row)
            if row.position < position:
                self.note(seq, Kind.REORDERED, "recorded before its predecessor")
            position = max(position, row.position)

    def _copies(self, seq: int, row: Stored) -> None:
        try:
            wrong = different_columns(row)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.note(seq, Kind.EDITED, "the text is not an event")
            return
        if wrong == ["seq"]:
            self.note(seq, Kind.REORDERED, f"its text says #{json.loads(row.text)['seq']}")
        elif "stream" in wrong:
            self.note(seq, Kind.INSERTED, f"its text belongs to {json.loads(row.text)['stream']}")
        elif wrong:
            self.note(seq, Kind.EDITED, f"columns differ from the text: {', '.join(wrong)}")

    def links(self) -> None:
        """Where a chain of rows that each hold is cut: the row that stands alone is the one that was put there."""
        for seq, row in sorted(self.chain.items()):
            before = self.chain.get(seq - 1)
            head = before.hash if before else GENESIS
            if row.previous == head or (before is None and seq > 1) or self.flagged(seq - 1, seq):
                continue
            after = self.chain.get(seq + 1)
            alone = after is not None and after.previous != row.hash
            if before is None or alone or (before.seq, before.hash) in self.confirmed:
                self.note(seq, Kind.EDITED, "it does not follow the event before it")
            else:
                self.note(seq - 1, Kind.EDITED, "the event after it followed another one")

    def ask_witnesses(self) -> None:
        last = max(self.chain, default=0)
        agreed = 0
        for one in self.witnesses:
            row = self.chain.get(one.seq)
            if one.seq > last:
                self._cut(last, one.seq, f"{one.who} knows it")
            elif row is not None and row.hash == one.hash:
                agreed = max(agreed, one.seq)
            elif row is not None and not self.flagged(agreed + 1, one.seq):
                detail = f"up to #{one.seq}, not what {one.who} has"
                self.note(agreed + 1, Kind.REWRITTEN, detail)

    def ask_subject(self) -> None:
        """The row of the tube, consignment or item: it can be edited too, so what is signed counts more."""
        if self.subject is None:
            return
        seq, head = self.subject
        last = max(self.chain, default=0)
        known = max((number for number, _ in self.signed), default=0)
        row = self.chain.get(seq)
        if seq > last:
            self._cut(last, seq, "its subject's row knows it")
        elif seq < last:
            for extra in sorted(one for one in self.chain if one > max(seq, known) and not self.flagged(one, one)):
                self.note(extra, Kind.INSERTED, "its subject's row does not know it")
            if known > seq:
                self.note(seq, Kind.HEAD, f"its subject's row stops here, the log at #{last}")
        elif row is not None and row.hash != head and not self.flagged(1, seq):
            if (seq, row.hash) in self.signed:
                self.note(seq, Kind.HEAD, "its subject's row has another hash")
            else:
                self.note(known + 1, Kind.REWRITTEN, f"up to #{seq}, not what its subject's row has")

    def unsigned(self, until: datetime) -> None:
        """Events that say they were recorded on a signed day, and that its digest does not know."""
        known = max((number for number, _ in self.signed), default=0)
        for seq, row in sorted(self.chain.items()):
            if seq > known and row.recorded_at < until and not self.flagged(seq, seq):
                self.note(seq, Kind.INSERTED, "recorded on a signed day, unknown to its digest")


def different_columns(row: Stored) -> list[str]:
    """The columns that do not say what the text says. Raises ValueError, KeyError or TypeError for no event's text."""
    body = json.loads(row.text)
    pairs = {
        "stream": (row.stream, body["stream"]),
        "seq": (row.seq, body["seq"]),
        "type": (row.type, body["type"]),
        "act_id": (row.act_id, body["act"]),
        "occurred_at": (row.occurred_at, datetime.fromisoformat(body["at"])),
        "recorded_at": (row.recorded_at, datetime.fromisoformat(body["recorded"])),
        "actor": (row.actor, body["actor"]),
        "site_code": (row.site, body["site"]),
    }
    return [name for name, (column, text) in pairs.items() if column != text]
