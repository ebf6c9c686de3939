"""Custody bundles: whole as written, and whatever is done to one is found without a database."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from logistics.domain import custody
from logistics.domain.diagnosis import Kind
from logistics.errors import Invalid
from logistics.integrity import bundle, bundle_read, digests, keys
from logistics.integrity import bundle_format as form
from logistics.integrity.bundle_check import BundleReport, verify_bundle
from logistics.integrity.keys import Signer
from tests import factories as f

NIGHT = datetime(2026, 3, 10, 16, 30, tzinfo=UTC)


@pytest.fixture
def signer(session: Session, tmp_path: Path) -> Signer:
    """A consignment of two tubes, delivered; one of them noted on the next day and, unsigned yet, the day after."""
    f.world(session)
    f.delivered(session, ("T1", "T2"))
    for days in (1, 2):
        note = f.act("note", {"specimen": "T1"}, {"note": "looked at"}, at=f.START + timedelta(days=days))
        f.done(session, "manager", note)
    made = keys.ensure(session, tmp_path / "key", now=f.START)
    session.commit()
    while digests.make_next(session, made, tmp_path / "digests", now=NIGHT) is not None:
        session.commit()
    return made


@pytest.fixture
def number(session: Session, signer: Signer) -> str:
    return str(f.find(session, "T1").consignment_number)


@pytest.fixture
def data(session: Session, signer: Signer, number: str) -> bytes:
    return bundle.of_consignment(session, number, signer=signer, now=NIGHT)


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def check(data: bytes, tmp_path: Path, anchor: str | None = None) -> BundleReport:
    path = tmp_path / "bundle.zip"
    path.write_bytes(data)
    return verify_bundle(path, anchor=anchor)


def tampered(
    data: bytes, tmp_path: Path, change: Callable[[dict[str, bytes]], None], signer: Signer | None = None
) -> set[tuple[str, Kind]]:
    """What is found after a change by somebody who makes the sums anew but cannot sign them."""
    files = {name: body for name, body in unpack(data).items() if name not in {form.SUMS, form.SIGNATURE}}
    change(files)
    report = check(bundle.pack(files, None), tmp_path, signer.public_key if signer else None)
    return {(one.subject, one.kind) for one in report.findings}


def test_a_bundle_is_whole_and_says_what_it_holds(
    data: bytes, tmp_path: Path, signer: Signer, session: Session
) -> None:
    """Consignment and two tubes; two signed days; the newest note is not signed yet; signed as a whole; no patient."""
    report = check(data, tmp_path, signer.public_key)
    assert report.whole, report.findings
    assert (report.streams, report.digests, report.unsigned, report.sealed) == (3, 2, 1, True)
    assert report.anchor == signer.fingerprint
    files = unpack(data)
    assert "张" not in b"".join(files.values()).decode()
    page = files[form.PAGE].decode()
    for word in ("交接签名 Signatures", "courier某", "T1", "清单版本"):
        assert word in page
    again = bundle.of_consignment(session, str(report.title.split()[1]), signer=signer, now=NIGHT)
    assert again == data


def test_a_tube_has_a_bundle_too(session: Session, signer: Signer, tmp_path: Path, number: str) -> None:
    """Its own stream and those of its consignments; without the key it is not signed, and so not whole."""
    report = check(bundle.of_specimen(session, f.find(session, "T1"), signer=None, now=NIGHT), tmp_path)
    assert (report.whole, report.streams, report.sealed, report.anchored) == (False, 2, False, False)
    assert (
        number
        in unpack(bundle.of_specimen(session, f.find(session, "T1"), signer=None, now=NIGHT))[form.RECORD].decode()
    )


def test_a_bundle_written_anew_without_signatures_is_not_whole(data: bytes, tmp_path: Path, signer: Signer) -> None:
    """Every actor changed, all chains and sums made anew, digests, proofs and the signature left out: it is refused."""
    files = unpack(data)
    heads: dict[str, str] = {}
    events = lines(files, form.EVENTS)
    for one in events:
        stream = str(one["stream"])
        body = json.loads(str(one["text"])) | {"actor": "forger"}
        before = heads.get(stream, custody.GENESIS)
        text = custody.canonical_json(body)
        heads[stream] = custody.chain_hash(before, text)
        one.update(text=text, previous=before, hash=heads[stream])
    put(files, form.EVENTS, events)
    put(files, form.DIGESTS, [])
    put(files, form.PROOFS, [])
    put(files, form.ACTS, [one | {"proof": None} for one in lines(files, form.ACTS)])
    put(files, form.MANIFESTS, [one | {"locked_by": "forger"} for one in lines(files, form.MANIFESTS)])
    kept = {name: body for name, body in files.items() if name not in {form.SUMS, form.SIGNATURE}}
    report = check(bundle.pack(kept, None), tmp_path, signer.public_key)
    # The page was not rendered anew, which a forger would do; nothing else gives the forgery away.
    assert {one.subject for one in report.findings} - {form.PAGE} == {form.SIGNATURE}
    assert not report.whole


def lines(files: dict[str, bytes], name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in files[name].splitlines()]


def put(files: dict[str, bytes], name: str, rows: list[dict[str, object]]) -> None:
    files[name] = form.lines(rows).encode()


def test_every_tampering_is_named(data: bytes, tmp_path: Path, signer: Signer, number: str) -> None:
    """Edited, removed, inserted and reordered events; forged digests, proofs, acts, manifests, pages and keys."""
    stream = f"consignment:{number}"

    def edit(files: dict[str, bytes]) -> None:
        files[form.EVENTS] = files[form.EVENTS].replace(b'courier\\"', b'courieR\\"', 1)

    assert (stream, Kind.EDITED) in tampered(data, tmp_path, edit)

    for place, seq in ((1, 2), (5, 6)):  # in the middle, and the last that is signed

        def remove(files: dict[str, bytes], place: int = place) -> None:
            rows = lines(files, form.EVENTS)
            mine = [row for row in rows if row["stream"] == stream]
            put(files, form.EVENTS, [row for row in rows if row is not mine[min(place, len(mine) - 1)]])

        assert (stream, Kind.REMOVED) in tampered(data, tmp_path, remove), seq

    def swap(files: dict[str, bytes]) -> None:
        rows = lines(files, form.EVENTS)
        rows[0]["seq"], rows[1]["seq"] = rows[1]["seq"], rows[0]["seq"]
        put(files, form.EVENTS, rows)

    assert (stream, Kind.REORDERED) in tampered(data, tmp_path, swap)

    def twice(files: dict[str, bytes]) -> None:
        rows = lines(files, form.EVENTS)
        put(files, form.EVENTS, [*rows, {**rows[1], "hash": "0" * 64}])

    assert (stream, Kind.INSERTED) in tampered(data, tmp_path, twice)

    def code(files: dict[str, bytes]) -> None:
        rows = lines(files, form.EVENTS)
        put(files, form.EVENTS, [{**row, "set": "S49" if row["set"] == "S42" else row["set"]} for row in rows])

    assert Kind.EDITED in {kind for _, kind in tampered(data, tmp_path, code)}

    def digest(files: dict[str, bytes]) -> None:
        files[form.DIGESTS] = files[form.DIGESTS].replace(b'\\"streams\\":3', b'\\"streams\\":4')

    assert ("digest 2026-03-09", Kind.DIGEST_SIGNATURE) in tampered(data, tmp_path, digest)

    def no_digest(files: dict[str, bytes]) -> None:
        put(files, form.DIGESTS, lines(files, form.DIGESTS)[1:])

    assert (stream, Kind.DIGEST_LEAVES) in tampered(data, tmp_path, no_digest)

    def proof(files: dict[str, bytes]) -> None:
        rows = lines(files, form.PROOFS)
        put(files, form.PROOFS, [{**rows[0], "path": ["00" * 32]}, *rows[1:]])

    assert (stream, Kind.DIGEST_LEAVES) in tampered(data, tmp_path, proof)

    def act(files: dict[str, bytes]) -> None:
        files[form.ACTS] = files[form.ACTS].replace(b'\\"how\\":\\"scanned\\"', b'\\"how\\":\\"ticked\\"')

    assert Kind.ACT in {kind for _, kind in tampered(data, tmp_path, act)}

    def manifest(files: dict[str, bytes]) -> None:
        files[form.MANIFESTS] = files[form.MANIFESTS].replace(b'"accession": "T2"', b'"accession": "T3"')

    assert (f"manifest {number} version 1", Kind.MANIFEST) in tampered(data, tmp_path, manifest)

    def tube(files: dict[str, bytes]) -> None:
        rows = lines(files, form.EVENTS)
        gone = next(str(row["stream"]) for row in rows if str(row["stream"]).startswith("specimen:"))
        for name in (form.EVENTS, form.PROOFS):
            put(files, name, [row for row in lines(files, name) if row["stream"] != gone])
        record = json.loads(files[form.RECORD])
        record["streams"].remove(gone)
        files[form.RECORD] = json.dumps(record).encode()

    assert Kind.REMOVED in {kind for _, kind in tampered(data, tmp_path, tube)}

    for name, old, new in ((form.PAGE, b"courier", b"somebody"), (form.HANDOVERS, b"courier", b"somebody")):

        def words(files: dict[str, bytes], name: str = name, old: bytes = old, new: bytes = new) -> None:
            files[name] = files[name].replace(old, new, 1)

        assert (name, Kind.FILE) in tampered(data, tmp_path, words)

    def key(files: dict[str, bytes]) -> None:
        intruder = keys.create(tmp_path / "intruder")
        rows = json.loads(files[form.KEYS])
        rows[0]["public_key"], rows[0]["fingerprint"] = intruder.public_key, intruder.fingerprint
        files[form.KEYS] = json.dumps(rows).encode()

    assert Kind.KEY in {kind for _, kind in tampered(data, tmp_path, key, signer)}
    assert Kind.KEY in {one.kind for one in check(data, tmp_path, keys.create(tmp_path / "other").public_key).findings}


def test_any_byte_that_is_changed_is_found(data: bytes, tmp_path: Path, signer: Signer) -> None:
    """One byte of one file, anywhere, the sums left as they are: the file is named. Of the zip itself: found, or not
    a bundle any more, or a byte that no reader looks at."""
    files = unpack(data)
    chance = random.Random(7)
    for name in sorted(files):
        body = bytearray(files[name])
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(7)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for other in files:
                archive.writestr(other, bytes(body) if other == name else files[other])
        try:
            found = check(out.getvalue(), tmp_path, signer.public_key).findings
        except Invalid:
            continue
        assert found, name
    for _ in range(60):
        raw = bytearray(data)
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        try:
            report = check(bytes(raw), tmp_path, signer.public_key)
        except Invalid:
            continue
        assert not report.whole or unpack(bytes(raw)) == files


def test_hostile_files_are_refused(tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Junk, paths that lead out, two files with one name, bombs, and no record at all."""

    def made(*entries: tuple[str, bytes]) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, body in entries:
                archive.writestr(name, body)
        return out.getvalue()

    monkeypatch.setattr(bundle_read, "MOST_UNPACKED", 1 << 20)
    for bad, code in (
        (b"", "bundle_unreadable"),
        (b"PK\x03\x04 junk", "bundle_unreadable"),
        (data[: len(data) // 2], "bundle_unreadable"),
        (made(("../evil", b"x")), "bundle_unreadable"),
        (made(("/etc/passwd", b"x")), "bundle_unreadable"),
        (made(("a\\b", b"x")), "bundle_unreadable"),
        (made((form.PAGE, b"x")), "bundle_unreadable"),
        (made((form.EVENTS, b"0" * (2 << 20))), "bundle_too_large"),
        (made(*((f"f{number}", b"") for number in range(300))), "bundle_too_large"),
    ):
        with pytest.raises(Invalid, match=code):
            check(bad, tmp_path)
    with pytest.warns(UserWarning, match="Duplicate name"):
        double = made((form.RECORD, b"{}"), (form.RECORD, b"{}"))
    with pytest.raises(Invalid, match="bundle_unreadable"):
        check(double, tmp_path)
    deep = check(made((form.RECORD, b"[" * 50_000), (form.EVENTS, b"[" * 50_000 + b"\n\xff\xfe{")), tmp_path)
    assert {one.kind for one in deep.findings} == {Kind.FILE}


def test_a_bundle_is_checked_where_there_is_no_database(data: bytes, tmp_path: Path, signer: Signer) -> None:
    """``labrelay verify FILE`` in an empty folder, its settings pointing at a server that does not exist."""
    (tmp_path / "bundle.zip").write_bytes(data)
    (tmp_path / "key.pem").write_text(keys.to_pem(signer.public_key))
    environ = {**os.environ, "LABRELAY_DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/nowhere",
               "LABRELAY_VAR_DIR": str(tmp_path / "absent")}  # fmt: skip
    command = [sys.executable, "-m", "web.cli", "verify", str(tmp_path / "bundle.zip")]
    root = Path(__file__).resolve().parents[2]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], env=environ, cwd=root, capture_output=True, text=True, check=False)

    good = run("--key", str(tmp_path / "key.pem"))
    assert (good.returncode, "The bundle is whole." in good.stdout) == (0, True), good.stdout + good.stderr
    files = unpack(data)
    files[form.EVENTS] = files[form.EVENTS].replace(b'courier\\"', b'courieR\\"', 1)
    (tmp_path / "bundle.zip").write_bytes(bundle.pack({name: files[name] for name in files if name != form.SUMS}, None))
    bad = run("--json")
    assert bad.returncode == 1
    assert "edited" in {one["kind"] for one in json.loads(bad.stdout)["findings"]}
    assert not (tmp_path / "absent").exists()
