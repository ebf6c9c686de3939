"""Writing a custody bundle: everything that proves what happened to one consignment or tube, in one zip file.

data = bundle.of_consignment(session, "CN2603090012K", signer=signer, now=clock.now())
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain import merkle
from logistics.domain.custody import consignment_stream, read_text, specimen_stream
from logistics.domain.digests import Digest, day_of
from logistics.domain.set_codes import of_stream
from logistics.errors import NotFound
from logistics.integrity import bundle_format as form
from logistics.integrity import digests as making
from logistics.integrity.bundle_page import page
from logistics.integrity.keys import Signer, public_keys, to_pem
from logistics.models import (
    Act,
    Consignment,
    ConsignmentLine,
    CustodyDigest,
    CustodyDigestLeaf,
    CustodyEvent,
    ItemLine,
    ManifestVersion,
    Site,
    Specimen,
)

VERSION = "1"
EPOCH = (1980, 1, 1, 0, 0, 0)  # so that the same record gives the same file
PATIENT = frozenset({"patient_ref", "label_ref", "sex", "age"})


def of_consignment(session: Session, number: str, *, signer: Signer | None, now: datetime) -> bytes:
    """The bundle of a consignment: its own stream and those of everything that ever stood on its manifest.

    Raises NotFound('consignment_unknown').
    """
    if session.get(Consignment, number) is None:
        raise NotFound("consignment_unknown", field="consignment", consignment=number)
    tubes = session.execute(
        select(Specimen.id, Specimen.accession)
        .join(ConsignmentLine, ConsignmentLine.specimen_id == Specimen.id)
        .where(ConsignmentLine.consignment_number == number)
        .order_by(ConsignmentLine.position, Specimen.id)
    )
    items = session.scalars(
        select(ItemLine.item_number).where(ItemLine.consignment_number == number).order_by(ItemLine.item_number)
    )
    names = {consignment_stream(number): number}
    names.update({specimen_stream(specimen_id): accession for specimen_id, accession in tubes})
    for one in _manifests(session, [number]):  # a tube that was taken out again after an earlier sealing
        for line in one.lines:
            if "specimen" in line:
                names.setdefault(specimen_stream(line["specimen"]), str(line.get("accession", "")))
    names.update({f"item:{item}": item for item in items})
    return _bundle(session, "consignment", number, names, [number], signer, now)


def of_specimen(session: Session, specimen: Specimen, *, signer: Signer | None, now: datetime) -> bytes:
    """The bundle of one tube: its stream and those of the consignments it travelled in."""
    numbers = session.scalars(
        select(ConsignmentLine.consignment_number)
        .where(ConsignmentLine.specimen_id == specimen.id)
        .order_by(ConsignmentLine.consignment_number)
    ).all()
    names = {specimen_stream(specimen.id): specimen.accession}
    names.update({consignment_stream(number): number for number in numbers})
    return _bundle(session, "specimen", specimen.accession, names, numbers, signer, now)


def _bundle(
    session: Session,
    kind: str,
    key: str,
    names: Mapping[str, str],
    numbers: Sequence[str],
    signer: Signer | None,
    now: datetime,
) -> bytes:
    events = _events(session, list(names))
    if not events:
        raise NotFound("consignment_not_recorded", field=kind, subject=key)
    leaves = _leaves(session, list(names))
    digests = _digests(session, [leaf.day for leaf in leaves])
    keys = public_keys(session)
    record = form.Record(
        format=form.FORMAT,
        version=VERSION,
        kind=kind,
        key=key,
        stream=next(iter(names)),
        streams=list(names),
        made_at=now.isoformat(),
        sites=_sites(session, events),
        names=dict(names),
    )
    manifests = _manifests(session, numbers)
    digest_lines = [form.DigestLine(one.day, one.text, one.signature, one.key_fingerprint) for one in digests]
    key_lines = [form.KeyLine(one.fingerprint, one.public_key, one.previous, one.endorsement) for one in keys]
    texts = {
        form.RECORD: json.dumps(msgspec.to_builtins(record), ensure_ascii=False, indent=1) + "\n",
        form.EVENTS: form.lines(events),
        form.DIGESTS: form.lines(digest_lines),
        form.PROOFS: form.lines(_proofs(session, leaves)),
        form.ACTS: form.lines(_acts(session, events, digests)),
        form.MANIFESTS: form.lines(manifests),
        form.HANDOVERS: form.handovers(events),
        form.KEYS: json.dumps(msgspec.to_builtins(key_lines), indent=1) + "\n",
        form.PAGE: page(record, events, digest_lines, manifests, key_lines),
    }
    texts |= {f"keys/{one.fingerprint[:16]}.pem": to_pem(one.public_key) for one in keys}
    return pack({name: text.encode() for name, text in texts.items()}, signer)


def pack(files: dict[str, bytes], signer: Signer | None) -> bytes:
    """The zip file, with the sums and, when the key is here, their signature."""
    sums = form.sums(files)
    files = {**files, form.SUMS: sums.encode()}
    if signer is not None:
        mark = {"key": signer.fingerprint, "signature": signer.sign(form.signed_bytes(sums))}
        files[form.SIGNATURE] = json.dumps(mark).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files, key=lambda one: (one != form.PAGE, one)):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return out.getvalue()


def _events(session: Session, streams: Sequence[str]) -> list[form.EventLine]:
    found: dict[str, list[form.EventLine]] = {stream: [] for stream in streams}
    for part in _chunks(streams):
        query = (
            select(CustodyEvent.stream, CustodyEvent.seq, CustodyEvent.prev_hash, CustodyEvent.hash, CustodyEvent.body)
            .where(CustodyEvent.stream.in_(part))
            .order_by(CustodyEvent.stream, CustodyEvent.seq)
        )
        for stream, seq, previous, digest, body in session.execute(query):
            found[stream].append(form.EventLine(stream, seq, previous, digest, body))
    for lines in found.values():
        codes = of_stream(read_text(line.text) for line in lines)
        for line in lines:
            line.set = codes[line.seq]
    return [line for stream in streams for line in found[stream]]


def _chunks(streams: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    for start in range(0, len(streams), size):
        yield streams[start : start + size]


def _leaves(session: Session, streams: Sequence[str]) -> list[CustodyDigestLeaf]:
    found: list[CustodyDigestLeaf] = []
    for part in _chunks(streams):
        found += session.scalars(select(CustodyDigestLeaf).where(CustodyDigestLeaf.stream.in_(part)))
    return sorted(found, key=lambda leaf: (leaf.day, leaf.stream))


def _digests(session: Session, days: Sequence[str]) -> Sequence[CustodyDigest]:
    """Every digest from the first day concerned to the newest: each names the one before."""
    if not days:
        return []
    return session.scalars(
        select(CustodyDigest).where(CustodyDigest.day >= min(days)).order_by(CustodyDigest.number)
    ).all()


def _proofs(session: Session, leaves: Sequence[CustodyDigestLeaf]) -> list[form.ProofLine]:
    """One a leaf; a day's tree is built once."""
    by_day: dict[str, list[CustodyDigestLeaf]] = {}
    for leaf in leaves:
        by_day.setdefault(leaf.day, []).append(leaf)
    found = []
    for day, some in by_day.items():
        tree = making.leaf_hashes(session, day)
        places = {stream: place for place, stream in enumerate(tree)}
        hashes = list(tree.values())
        for leaf, path in zip(some, merkle.proofs(hashes, [places[leaf.stream] for leaf in some]), strict=True):
            place = places[leaf.stream]
            line = form.ProofLine(
                day, leaf.stream, leaf.seq, leaf.hash, place, len(hashes), [one.hex() for one in path]
            )
            found.append(line)
    return found


def _acts(session: Session, events: Sequence[form.EventLine], digests: Sequence[CustodyDigest]) -> list[form.ActLine]:
    """The acts that made the events, with proofs for those of signed days."""
    ids = list(dict.fromkeys(read_text(line.text).act_id for line in events))
    rows: list[Act] = []
    for part in _chunks(ids):
        rows += session.scalars(select(Act).where(Act.id.in_(part)))
    rows.sort(key=lambda row: (row.recorded_at, row.id))
    proofs: dict[str, form.ActProof] = {}
    signed = {one.day: Digest.from_text(one.text) for one in digests}
    by_day: dict[str, list[str]] = {}
    for row in rows:
        by_day.setdefault(day_of(row.recorded_at), []).append(row.id)
    for day in by_day.keys() & signed.keys():
        tree = making.act_hashes(session, signed[day].since, signed[day].until)
        places = {act_id: place for place, act_id in enumerate(tree)}
        some = [act_id for act_id in by_day[day] if act_id in places]
        paths = merkle.proofs(list(tree.values()), [places[act_id] for act_id in some])
        for act_id, path in zip(some, paths, strict=True):
            proofs[act_id] = form.ActProof(day, places[act_id], len(tree), [one.hex() for one in path])
    return [form.ActLine(row.id, row.username, _shown(row), row.body_sha256, proofs.get(row.id)) for row in rows]


def _shown(row: Act) -> str | None:
    """The act's text, unless it names a patient, masked or not: a bundle leaves the house."""
    payload = json.loads(row.body).get("payload", {})
    return None if any(payload.get(name) for name in PATIENT) else row.body


def _manifests(session: Session, numbers: Sequence[str]) -> list[form.ManifestLine]:
    query = (
        select(ManifestVersion)
        .where(ManifestVersion.consignment_number.in_(numbers))
        .order_by(ManifestVersion.consignment_number, ManifestVersion.version)
    )
    return [
        form.ManifestLine(
            one.consignment_number, one.version, one.locked_at.isoformat(), one.locked_by, one.seal_number, one.lines
        )
        for one in session.scalars(query)
    ]


def _sites(session: Session, events: Sequence[form.EventLine]) -> dict[str, list[str]]:
    codes = sorted({site for line in events if (site := read_text(line.text).site)})
    rows = session.scalars(select(Site).where(Site.code.in_(codes)).order_by(Site.code))
    return {one.code: [one.name_zh, one.name_en] for one in rows}
