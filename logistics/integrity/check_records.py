"""What a verification compares beside the chains: signed days with the log, copies of digests, manifests, acts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Text, and_, cast, exists, or_, select
from sqlalchemy.orm import Session, aliased

from logistics.domain import merkle
from logistics.domain.custody import LOCKING
from logistics.domain.diagnosis import Finding, Kind
from logistics.domain.digests import Digest
from logistics.integrity import digests as making
from logistics.integrity import scan
from logistics.integrity.trust import DigestFacts
from logistics.models import CustodyDigestLeaf, CustodyEvent, ManifestVersion

MOST_STRANGERS = 1000  # streams with unsigned events of one signed day that are looked at


class Locked(msgspec.Struct):
    """What the payload of a locking event says about its manifest."""

    seal: str
    version: int
    manifest: str
    reason: str = ""


class Locking(msgspec.Struct):
    """An event that locks a manifest."""

    actor: str
    at: datetime
    payload: Locked

    def columns(self) -> tuple[str, str, datetime, str]:
        """Seal, by whom, when, and why: as they must stand in the row."""
        return self.payload.seal, self.actor, self.at, self.payload.reason


def digest_day(session: Session, digest: Digest, broken: dict[str, None]) -> list[Finding]:
    """Whether the leaves give the signed root, and the log and the acts of that day are those that were signed.

    Streams that have an event on that day which its leaves do not know are added to ``broken``.
    """
    name = f"digest {digest.day}"
    findings = []
    leaves = making.leaf_hashes(session, digest.day)
    if len(leaves) != digest.streams or merkle.root(leaves.values()).hex() != digest.root:
        findings.append(Finding(name, 0, Kind.DIGEST_LEAVES, f"{len(leaves)} leaves do not give the signed root"))
    events = making.count_events(session, digest.since, digest.until)
    if events != digest.events:
        strangers = _strangers(session, digest)
        broken.update(dict.fromkeys(strangers))
        if not strangers:
            detail = f"{events} events of that day, {digest.events} were signed"
            findings.append(Finding(name, 0, Kind.DIGEST_TEXT, detail))
    return [*findings, *_acts(session, digest), *_answers(session, digest)]


def _strangers(session: Session, digest: Digest) -> Sequence[str]:
    """Streams with an event recorded on that day that no leaf covers."""
    leaf = aliased(CustodyDigestLeaf)
    covered = exists().where(leaf.stream == CustodyEvent.stream, leaf.seq >= CustodyEvent.seq)
    query = (
        select(CustodyEvent.stream)
        .where(CustodyEvent.recorded_at >= digest.since, CustodyEvent.recorded_at < digest.until, ~covered)
        .distinct()
        .limit(MOST_STRANGERS)
    )
    return session.scalars(query).all()


def _acts(session: Session, digest: Digest) -> list[Finding]:
    """The hashes of that day's acts give the signed root. That each act gives its hash is asked once for all days."""
    leaves = [making.act_leaf(*one) for one in scan.acts(session, digest.since, digest.until)]
    if len(leaves) == digest.acts and merkle.root(leaves).hex() == digest.acts_root:
        return []
    detail = f"{len(leaves)} acts of that day are not the {digest.acts} that were signed"
    return [Finding(f"digest {digest.day}", 0, Kind.ACT, detail)]


def _answers(session: Session, digest: Digest) -> list[Finding]:
    """The same of what acts were answered on that day. That each answer gives its hash is asked once for all days."""
    if not digest.answers_hash:
        return []
    count, found = making.answers_hash(session, digest.since, digest.until)
    if (count, found) == (digest.answers, digest.answers_hash):
        return []
    detail = f"{count} answers of that day are not the {digest.answers} that were signed"
    return [Finding(f"digest {digest.day}", 0, Kind.ACT, detail)]


def heads_not_in_log(session: Session) -> Sequence[str]:
    """Streams of which a signed head is not in the log."""
    same = and_(CustodyEvent.stream == CustodyDigestLeaf.stream, CustodyEvent.seq == CustodyDigestLeaf.seq)
    query = (
        select(CustodyDigestLeaf.stream)
        .outerjoin(CustodyEvent, same)
        .where(or_(CustodyEvent.hash.is_(None), CustodyEvent.hash != CustodyDigestLeaf.hash))
        .distinct()
        .order_by(CustodyDigestLeaf.stream)
    )
    return session.scalars(query).all()


def witnesses(folder: Path, rows: Sequence[DigestFacts]) -> list[Finding]:
    """The copies of digests beside the key say the same as the table."""
    findings = []
    known = {row.day: row for row in rows}
    for path in sorted(folder.glob("*.json")):
        name = f"digest {path.stem}"
        try:
            copy = json.loads(path.read_text(encoding="utf-8"))
            said = (copy["text"], copy["signature"], copy["key"])
        except (OSError, ValueError, KeyError, TypeError):
            findings.append(Finding(name, 0, Kind.DIGEST_WITNESS, "the copy beside the key is unreadable"))
            continue
        row = known.get(path.stem)
        if row is None:
            findings.append(Finding(name, 0, Kind.DIGEST_MISSING, "the copy beside the key shows that it was made"))
        elif said != (row.text, row.signature, row.key):
            findings.append(Finding(name, 0, Kind.DIGEST_WITNESS, "the copy beside the key says something else"))
    return findings


def manifests(session: Session) -> tuple[int, list[Finding]]:
    """How many manifest versions there are, and those that are not what the event that locked them says."""
    locked = select(CustodyEvent.stream, CustodyEvent.seq, CustodyEvent.body).where(
        CustodyEvent.type.in_(sorted(LOCKING)), CustodyEvent.stream.like("consignment:%")
    )
    decode = msgspec.json.Decoder(Locking).decode
    wanted: dict[tuple[str, int], tuple[int, Locking]] = {}
    for stream, seq, body in session.execute(locked.execution_options(yield_per=5000)):
        try:
            said = decode(body)
        except (msgspec.MsgspecError, TypeError):
            continue  # the chain's own check names it
        wanted[stream.partition(":")[2], said.payload.version] = (seq, said)
    count, findings = 0, []
    one = ManifestVersion
    words = (one.consignment_number, one.version, one.seal_number, one.locked_by, one.locked_at, one.reason)
    query = select(*words, cast(one.lines, Text))  # as text: twice as fast as what the driver makes of it
    for number, version, seal, by, at, reason, lines in session.execute(query.execution_options(yield_per=2000)):
        count += 1
        name = f"manifest {number} version {version}"
        seq, event = wanted.pop((number, version), (0, None))
        if event is None:
            findings.append(Finding(name, 0, Kind.MANIFEST, "no sealing event names it"))
            continue
        if (seal, by, at, reason) != event.columns() or _hash_of(lines) != event.payload.manifest:
            findings.append(Finding(name, seq, Kind.MANIFEST, "not the one that was sealed"))
    for (number, version), (seq, _) in wanted.items():
        findings.append(Finding(f"manifest {number} version {version}", seq, Kind.MANIFEST, "sealed, and gone"))
    return count, findings


def _hash_of(lines: str) -> str:
    """The hash of a manifest's lines as the database writes them."""
    try:
        return hashlib.sha256(msgspec.json.encode(msgspec.json.decode(lines), order="sorted")).hexdigest()
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return ""
