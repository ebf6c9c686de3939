"""``labrelay verify BUNDLE``: chains, signed heads, acts, manifests and files of a bundle, without any database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from logistics.domain import merkle
from logistics.domain.custody import LOCKING, read_text
from logistics.domain.diagnosis import Finding, Kind, Stored, Witness, diagnose
from logistics.domain.digests import Digest, day_of, manifest_hash
from logistics.domain.set_codes import of_stream
from logistics.integrity import bundle_format as form
from logistics.integrity.bundle import VERSION
from logistics.integrity.bundle_page import page
from logistics.integrity.bundle_read import Opened, open_bundle
from logistics.integrity.digests import act_leaf
from logistics.integrity.keys import signed_by, to_pem
from logistics.integrity.trust import DigestFacts, KeyFacts, Trust, check_digests, trust


@dataclass
class BundleReport:
    """What was seen. ``sealed``: the laboratory signed the bundle itself, so that nothing can have been left out."""

    title: str = ""
    events: int = 0
    streams: int = 0
    digests: int = 0
    unsigned: int = 0
    anchor: str = ""
    anchored: bool = False
    sealed: bool = False
    findings: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        found = [
            {"kind": one.kind.value, "subject": one.subject, "seq": one.seq, "detail": one.detail}
            for one in self.findings
        ]
        return {
            "whole": self.whole,
            "title": self.title,
            "events": self.events,
            "streams": self.streams,
            "digests": self.digests,
            "unsigned": self.unsigned,
            "key": self.anchor,
            "key_given": self.anchored,
            "bundle_signed": self.sealed,
            "findings": found,
        }


def verify_bundle(path: Path, *, anchor: str | None = None) -> BundleReport:
    """Check a bundle; ``anchor``: the public key (hex) that is trusted, else the first one in the bundle.

    Raises Invalid('bundle_unreadable' or 'bundle_too_large') for what is no bundle at all.
    """
    check = _Check(open_bundle(path), anchor)
    check.files()
    check.keys()
    check.digests()
    check.chains()
    check.acts()
    check.manifests()
    check.codes()
    check.pages()
    report = check.report
    report.findings = sorted({*report.findings, *check.opened.findings})
    return report


class _Check:
    def __init__(self, opened: Opened, anchor: str | None) -> None:
        self.opened = opened
        self.anchor = anchor
        self.report = BundleReport(anchored=anchor is not None)
        self.record = opened.one(form.RECORD, form.Record)
        self.key_lines: list[form.KeyLine] = opened.one(form.KEYS, list[form.KeyLine]) or []
        self.events = opened.rows(form.EVENTS, form.EventLine)
        self.digest_lines = opened.rows(form.DIGESTS, form.DigestLine)
        self.manifest_lines = opened.rows(form.MANIFESTS, form.ManifestLine)
        self.trusted = Trust()
        self.days: dict[str, Digest] = {}
        if self.record is not None:
            self.report.title = f"{self.record.kind} {self.record.key}"
            if self.record.format != form.FORMAT:
                self.note(form.RECORD, 0, Kind.FILE, "another format")

    def note(self, subject: str, seq: int, kind: Kind, detail: str) -> None:
        self.report.findings.append(Finding(subject, seq, kind, detail))

    def files(self) -> None:
        """Every file is the one that the sums name."""
        listed: dict[str, str] = {}
        for line in self.opened.text(form.SUMS).splitlines():
            digest, _, name = line.partition("  ")
            listed[name] = digest
        present = set(self.opened.files) - {form.SUMS, form.SIGNATURE}
        for name in sorted(present | set(listed)):
            if name not in listed:
                self.note(name, 0, Kind.FILE, "not in the list of sums")
            elif name not in present:
                self.note(name, 0, Kind.FILE, "it is missing")
            elif hashlib.sha256(self.opened.files[name]).hexdigest() != listed[name]:
                self.note(name, 0, Kind.FILE, "it is not the file that the list of sums names")

    def keys(self) -> None:
        facts = [KeyFacts(one.fingerprint, one.public_key, one.previous, one.endorsement) for one in self.key_lines]
        self.trusted = trust(facts, self.anchor)
        self.report.anchor = self.trusted.anchor
        self.report.findings += self.trusted.findings
        for name, data in self.opened.files.items():
            if name.startswith("keys/") and data.decode(errors="replace") not in self._pems():
                self.note(name, 0, Kind.KEY, "not a key of this bundle")
        mark = self.opened.one(form.SIGNATURE, form.SignatureLine)
        public = self.trusted.keys.get(mark.key) if mark is not None else None
        signed = form.signed_bytes(self.opened.text(form.SUMS))
        self.report.sealed = mark is not None and public is not None and signed_by(public, mark.signature, signed)
        if not self.report.sealed:  # chains can be made anew and days left out: without the signature nothing is proved
            self.note(
                form.SIGNATURE, 0, Kind.FILE, "not signed by a trusted key" if mark else "the bundle is not signed"
            )

    def _pems(self) -> set[str]:
        return {to_pem(public) for public in self.trusted.keys.values()}

    def digests(self) -> None:
        facts = [DigestFacts(one.day, one.text, one.signature, one.key) for one in self.digest_lines]
        read, findings = check_digests(facts, self.trusted, from_first=False)
        self.report.digests = len(facts)
        self.report.findings += findings
        self.days = {one.day: one for one in read}

    def chains(self) -> None:
        witnesses = self._witnesses()
        until = max((one.until for one in self.days.values()), default=None)
        streams: dict[str, list[Stored]] = {stream: [] for stream in (self.record.streams if self.record else [])}
        for place, line in enumerate(self.events, start=1):
            row = self._stored(place, line)
            if row is not None:
                streams.setdefault(line.stream, []).append(row)
        self.report.events, self.report.streams = len(self.events), len(streams)
        for stream, rows in streams.items():
            if self.record is not None and stream not in self.record.streams:
                self.note(stream, 0, Kind.INSERTED, f"{form.RECORD} does not name it")
            if not rows:
                self.note(stream, 0, Kind.REMOVED, "all its events")
            heads = witnesses.get(stream, [])
            self.report.findings += diagnose(stream, rows, heads, signed_until=until)
            known = max((one.seq for one in heads), default=0)
            self.report.unsigned += sum(row.seq > known for row in rows)

    def _stored(self, place: int, line: form.EventLine) -> Stored | None:
        """The event with its columns as its own text has them: a bundle keeps no copies."""
        try:
            body = json.loads(line.text)
            at, recorded = datetime.fromisoformat(body["at"]), datetime.fromisoformat(body["recorded"])
            if at.tzinfo is None or recorded.tzinfo is None:
                raise ValueError("a time without zone")
            columns = (str(body["type"]), str(body["act"]), at, recorded, str(body["actor"]), body["site"])
        except (ValueError, KeyError, TypeError, RecursionError):
            self.note(line.stream, line.seq, Kind.EDITED, "the text is not an event")
            return None
        return Stored(place, line.stream, line.seq, *columns, line.text, line.previous, line.hash)

    def _witnesses(self) -> Mapping[str, list[Witness]]:
        """The heads that are proven by signed digests."""
        found: dict[str, list[Witness]] = {}
        for line in self.opened.rows(form.PROOFS, form.ProofLine):
            digest = self.days.get(line.day)
            leaf = merkle.leaf_hash(merkle.leaf_text(line.stream, line.seq, line.hash))
            if digest is None or not _proven(leaf, line, digest.streams, digest.root):
                self.note(line.stream, line.seq, Kind.DIGEST_LEAVES, f"its proof under the digest of {line.day} fails")
                continue
            found.setdefault(line.stream, []).append(Witness(line.seq, line.hash, f"the digest of {line.day}"))
        return found

    def acts(self) -> None:
        """Every event's act is there as it was sent, the one that it names, and proven when its day is signed."""
        wanted: dict[str, str] = {}
        named: dict[str, set[str]] = {}
        for line in self.events:
            try:
                body = json.loads(line.text)
                wanted.setdefault(str(body["act"]), day_of(datetime.fromisoformat(body["recorded"])))
                named.setdefault(str(body["act"]), set()).add(str(body["act_sha256"]))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # named with its chain
        seen = set()
        for one in self.opened.rows(form.ACTS, form.ActLine):
            name = f"act {one.id}"
            seen.add(one.id)
            if one.id not in wanted:
                self.note(name, 0, Kind.ACT, "no event names it")
            elif named.get(one.id) != {one.body_sha256}:
                self.note(name, 0, Kind.ACT, "not the one that its events were made by")
            if one.body is not None and _body_hash(one) != one.body_sha256:
                self.note(name, 0, Kind.ACT, "its text does not give its hash")
            if one.proof is None:
                if wanted.get(one.id) in self.days:
                    self.note(name, 0, Kind.ACT, "it has no proof, though its day is signed")
                continue
            digest = self.days.get(one.proof.day)
            leaf = act_leaf(one.id, one.body_sha256)
            if digest is None or not _proven(leaf, one.proof, digest.acts, digest.acts_root):
                self.note(name, 0, Kind.ACT, f"its proof under the digest of {one.proof.day} fails")
        for act_id in sorted(wanted.keys() - seen):
            self.note(f"act {act_id}", 0, Kind.ACT, "it is missing")

    def manifests(self) -> None:
        """Every version is the one that its sealing event names."""
        given = {(one.number, one.version): one for one in self.manifest_lines}
        if len(given) != len(self.manifest_lines):
            self.note(form.MANIFESTS, 0, Kind.MANIFEST, "a version stands in it twice")
        for line in self.events:
            try:
                body = json.loads(line.text)
                if body["type"] not in LOCKING or not line.stream.startswith("consignment:"):
                    continue
                number, version = line.stream.partition(":")[2], int(body["payload"]["version"])
                said = (body["actor"], datetime.fromisoformat(body["at"]), body["payload"]["seal"])
                expected = body["payload"]["manifest"]
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue  # named with its chain
            one = given.pop((number, version), None)
            name = f"manifest {number} version {version}"
            if one is None:
                self.note(name, line.seq, Kind.MANIFEST, "it is missing")
            elif _locked(one) != said or _manifest_hash(one.lines) != expected:
                self.note(name, line.seq, Kind.MANIFEST, "not the one that was sealed")
        for number, version in given:
            self.note(f"manifest {number} version {version}", 0, Kind.MANIFEST, "no sealing event names it")
        self._tubes_of_manifests()

    def _tubes_of_manifests(self) -> None:
        """A consignment's bundle has the stream of every tube that stood on its manifests."""
        record = self.record
        if record is None or record.kind != "consignment":
            return
        for one in self.manifest_lines:
            for line in one.lines:
                tube = line.get("specimen") if isinstance(line, dict) else None
                if tube is not None and one.number == record.key and f"specimen:{tube}" not in record.streams:
                    self.note(f"specimen:{tube}", 0, Kind.REMOVED, "it stands on the manifest and not in the bundle")

    def codes(self) -> None:
        """What an outside tracker is told of each event follows from the events."""
        streams: dict[str, list[form.EventLine]] = {}
        for line in self.events:
            streams.setdefault(line.stream, []).append(line)
        for stream, lines in streams.items():
            codes = _codes(lines)
            if codes is None:
                continue  # events that are none are named with their chain
            for line in lines:
                if line.set != codes.get(line.seq):
                    self.note(stream, line.seq, Kind.EDITED, f"it says {line.set}, IHE SET has {codes.get(line.seq)}")

    def pages(self) -> None:
        """What people read says what the record says."""
        if self.record is None or self.record.version != VERSION:
            return
        try:
            made = page(self.record, self.events, self.digest_lines, self.manifest_lines, self.key_lines)
            signatures = form.handovers(self.events)
        except Exception:  # what it is made from is named already
            self.note(form.PAGE, 0, Kind.FILE, "it cannot be compared")
            return
        for name, text in ((form.PAGE, made), (form.HANDOVERS, signatures)):
            if name in self.opened.files and self.opened.files[name] != text.encode():
                self.note(name, 0, Kind.FILE, "it does not say what the events say")


def _proven(leaf: bytes, line: form.ProofLine | form.ActProof, size: int, root: str) -> bool:
    try:
        path: Sequence[bytes] = [bytes.fromhex(one) for one in line.path]
        return line.size == size and merkle.holds(leaf, line.place, line.size, path, bytes.fromhex(root))
    except ValueError:
        return False


def _codes(lines: Sequence[form.EventLine]) -> Mapping[int, str | None] | None:
    try:
        return of_stream(read_text(line.text) for line in lines)
    except Exception:  # whatever somebody wrote there
        return None


def _body_hash(one: form.ActLine) -> str:
    return hashlib.sha256(f"{one.username}\n{one.body}".encode()).hexdigest()


def _locked(one: form.ManifestLine) -> tuple[str, datetime | None, str]:
    try:
        return one.locked_by, datetime.fromisoformat(one.locked_at), one.seal
    except ValueError:
        return one.locked_by, None, one.seal


def _manifest_hash(lines: Sequence[Any]) -> str:
    try:
        return manifest_hash(lines)
    except Exception:  # floats, or nested too deep
        return ""
