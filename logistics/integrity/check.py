"""``labrelay verify``: keys, digests, every chain, every signed head, lanes, rows, manifests and acts as sent.

    report = check.verify(session, anchor=public_key, folder=witness_folder, now=clock.now(), tell=print)

The session must show one moment (REPEATABLE READ on PostgreSQL; a read transaction is one on SQLite): people go on
working meanwhile.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from logistics.domain.diagnosis import Finding, Kind, Witness, diagnose
from logistics.domain.digests import Digest, day_of, is_day, last_closed_day, next_day, text_hash
from logistics.integrity import check_acts, check_records, check_rows, scan
from logistics.integrity.keys import public_keys
from logistics.integrity.trust import DigestFacts, KeyFacts, check_digests, trust
from logistics.models import CustodyDigest, CustodyDigestLeaf, CustodyEvent

MOST_STREAMS_NAMED = 1000
LATE = timedelta(hours=1)
"""A digest is missed this long after it could have been made."""

SUBJECTS = (
    ("specimen", "SELECT 'specimen:' || id, stream_seq, stream_head FROM specimen"),
    ("consignment", "SELECT 'consignment:' || number, stream_seq, stream_head FROM consignment"),
    ("item", "SELECT 'item:' || number, stream_seq, stream_head FROM load_item"),
)
Tell = Callable[[str, int, int], None]
"""Called with (stage, done, all); stages: log, heads, digests, records."""


@dataclass
class Report:
    """What a verification saw. ``whole``: nothing was found."""

    events: int = 0
    streams: int = 0
    digests: int = 0
    acts: int = 0
    manifests: int = 0
    unsigned: int = 0  # events newer than the last digest: their chains hold, no signature covers them yet
    signed_until: datetime | None = None
    anchor: str = ""  # fingerprint of the key that all trust starts from
    anchored: bool = False  # that key was given; otherwise the log's own first key was believed
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.findings


def silent(_stage: str, _done: int, _all: int) -> None:
    """Tell nobody."""


def verify(
    session: Session,
    *,
    now: datetime,
    anchor: str | None = None,
    folder: Path | None = None,
    tell: Tell = silent,
) -> Report:
    """Check everything. ``anchor``: the public key (hex) that is trusted; ``folder``: the digests' copies."""
    session.expire_all()  # what it remembers of rows is not what stands in the database
    if session.get_bind().dialect.name == "postgresql":  # sets are compared in memory, not on disk
        session.execute(text("SET LOCAL work_mem = '128MB'"))
    with _no_collections():
        return _verify(session, now=now, anchor=anchor, folder=folder, tell=tell)


@contextmanager
def _no_collections() -> Iterator[None]:
    """The heads of a million streams are kept meanwhile: going through them again and again would find no garbage."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


def _verify(session: Session, *, now: datetime, anchor: str | None, folder: Path | None, tell: Tell) -> Report:
    report = Report(anchored=anchor is not None)
    digests = _digests(session, report, anchor, folder, now)
    broken: dict[str, None] = {}  # in the order they are found
    _scan(session, report, broken, tell)
    tell("digests", 0, len(digests))
    for done, digest in enumerate(digests, start=1):
        report.findings += check_records.digest_day(session, digest, broken)
        report.acts += digest.acts
        tell("digests", done, len(digests))
    for stream in check_records.heads_not_in_log(session):
        broken[stream] = None
    tell("records", 0, 1)
    report.manifests, findings = check_records.manifests(session)
    report.findings += findings
    report.findings += check_acts.check(session, broken)
    report.findings += check_rows.check(session, broken)
    report.findings += _name(session, report, broken)
    report.findings = sorted(set(report.findings))
    tell("records", 1, 1)
    return report


def _digests(session: Session, report: Report, anchor: str | None, folder: Path | None, now: datetime) -> list[Digest]:
    known = [KeyFacts(one.fingerprint, one.public_key, one.previous, one.endorsement) for one in public_keys(session)]
    trusted = trust(known, anchor)
    report.anchor = trusted.anchor
    report.findings += trusted.findings
    rows = session.scalars(select(CustodyDigest).order_by(CustodyDigest.number, CustodyDigest.day)).all()
    facts = [DigestFacts(one.day, one.text, one.signature, one.key_fingerprint) for one in rows]
    digests, findings = check_digests(facts, trusted, from_first=True)
    report.findings += findings
    numbers = {digest.day: digest.number for digest in digests}
    for one in rows:  # a text that is unreadable is named already
        if one.hash != text_hash(one.text) or one.number != numbers.get(one.day, one.number):
            words = "columns differ from the text: number, hash"
            report.findings.append(Finding(f"digest {one.day}", 0, Kind.DIGEST_TEXT, words))
    report.digests = len(facts)
    report.signed_until = max((one.until for one in digests), default=None)
    report.findings += _missing_days(session, [one.day for one in facts if is_day(one.day)], now)
    if folder is not None:
        report.findings += check_records.witnesses(folder, facts)
    return digests


def _missing_days(session: Session, days: list[str], now: datetime) -> list[Finding]:
    """Days that are over and have no digest, after the last one (a hole before it is a broken chain)."""
    first = next_day(days[-1]) if days else None
    if first is None:
        oldest = session.scalar(select(func.min(CustodyEvent.recorded_at)))
        first = day_of(oldest) if oldest else None
    last = last_closed_day(now - LATE)
    if first is None or first > last:
        return []
    detail = "" if first == last else f"and every day up to {last}"
    return [Finding(f"digest {first}", 0, Kind.DIGEST_MISSING, detail)]


def _scan(session: Session, report: Report, broken: dict[str, None], tell: Tell) -> None:
    total, streams = scan.size(session)
    parts = -(-streams // scan.MOST_STREAMS) or 1
    if session.get_bind().dialect.name == "sqlite":
        parts = 1
    for part in range(parts):
        read = report.events
        seen = scan.scan(scan.read_rows(session, part, parts), lambda done: tell("log", read + done, total))  # noqa: B023
        report.events += seen.events
        report.streams += len(seen.heads)
        broken.update(dict.fromkeys(sorted(seen.broken)))
        tell("heads", part, parts)
        _compare_subjects(session, seen, broken, part, parts)
    tell("log", report.events, total)
    if report.signed_until is not None:
        newer = select(func.count()).where(CustodyEvent.recorded_at >= report.signed_until)
        report.unsigned = int(session.scalar(newer) or 0)
    else:
        report.unsigned = report.events


def _compare_subjects(session: Session, seen: scan.Scanned, broken: dict[str, None], part: int, parts: int) -> None:
    """Every tube, consignment and item names the last event of its stream; what is left has no subject."""
    heads = dict(seen.heads) if parts == 1 else seen.heads
    for stream, seq, head in subjects(session, part, parts):
        last = heads.pop(stream, None)
        if last is None:
            if seq:
                broken[stream] = None
        elif last != (seq, head):
            broken[stream] = None
    for stream in heads:
        broken[stream] = None


def subjects(session: Session, part: int = 0, parts: int = 1) -> Iterator[tuple[str, int, str]]:
    """(stream, last number, last hash) as the rows of tubes, consignments and items have them."""
    for _kind, query in SUBJECTS:
        sql = f"SELECT * FROM ({query}) AS s (stream, seq, head)" if parts > 1 else query  # noqa: S608
        if parts > 1:
            sql += f" WHERE mod(hashtext(stream)::bigint + 2147483648, {parts:d}) = {part:d}"
        result: Any = session.execute(text(sql).execution_options(yield_per=20_000))
        for rows in result.partitions():
            yield from rows


def _name(session: Session, report: Report, broken: dict[str, None]) -> list[Finding]:
    """What is wrong with each stream that did not hold."""
    findings: list[Finding] = []
    for stream in list(broken)[:MOST_STREAMS_NAMED]:
        findings += name_stream(session, stream, signed_until=report.signed_until) or [
            Finding(stream, 0, Kind.EDITED, "it does not hold")
        ]
    if len(broken) > MOST_STREAMS_NAMED:
        more = f"{len(broken) - MOST_STREAMS_NAMED} more streams do not hold"
        findings.append(Finding("log", 0, Kind.EDITED, more))
    return findings


def name_stream(session: Session, stream: str, *, signed_until: datetime | None = None) -> list[Finding]:
    """Look at one stream again, with all its witnesses."""
    rows = scan.whole_stream(session, stream)
    leaves = session.execute(
        select(CustodyDigestLeaf.seq, CustodyDigestLeaf.hash, CustodyDigestLeaf.day).where(
            CustodyDigestLeaf.stream == stream
        )
    )
    signed = [Witness(seq, head, f"the digest of {day}") for seq, head, day in leaves]
    subject = subject_of(session, stream)
    findings = diagnose(stream, rows, signed, subject=subject, signed_until=signed_until)
    if subject is None and rows:
        findings.append(Finding(stream, 0, Kind.SUBJECT, "there is no such tube, consignment or item"))
    return findings


def subject_of(session: Session, stream: str) -> tuple[int, str] | None:
    """(last number, last hash) in the row of the stream's subject; None when there is no such row."""
    kind, _, key = stream.partition(":")
    query = dict(SUBJECTS).get(kind)
    if query is None or (kind == "specimen" and not key.isdigit()):
        return None
    column, value = ("id", int(key)) if kind == "specimen" else ("number", key)
    row = session.execute(text(f"{query} WHERE {column} = :key"), {"key": value}).first()
    return (int(row[1]), str(row[2])) if row is not None and row[1] else None
