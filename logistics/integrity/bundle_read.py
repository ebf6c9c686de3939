"""Opening a bundle that anybody may have made: nothing is unpacked to disk, nothing is believed about sizes."""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from logistics.domain.diagnosis import Finding, Kind
from logistics.errors import Invalid
from logistics.integrity import bundle_format as form

MOST_BYTES = 64 << 20
"""Of the file itself."""
MOST_UNPACKED = 512 << 20
"""Of all files in it together, counted while they are unpacked."""
MOST_FILES = 200
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,80})?")
CHUNK = 1 << 20

T = TypeVar("T")


@dataclass
class Opened:
    """The files of a bundle, and what is wrong with those that could not be read."""

    files: dict[str, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def rows(self, name: str, kind: type[T]) -> list[T]:
        """The lines of a JSON lines file; those that cannot be read are named and left out."""
        decoder = msgspec.json.Decoder(kind)
        rows: list[T] = []
        for number, line in enumerate(self.files.get(name, b"").splitlines(), start=1):
            try:
                rows.append(decoder.decode(line))
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                self.findings.append(Finding(name, number, Kind.FILE, "the line cannot be read"))
        return rows

    def one(self, name: str, kind: type[T]) -> T | None:
        """A JSON file; None and a finding when it cannot be read."""
        if name not in self.files:
            return None
        try:
            return msgspec.json.decode(self.files[name], type=kind)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            self.findings.append(Finding(name, 0, Kind.FILE, "it cannot be read"))
            return None

    def text(self, name: str) -> str:
        return self.files.get(name, b"").decode(errors="replace")


def open_bundle(path: Path) -> Opened:
    """Read every file of the zip into memory.

    Raises Invalid('bundle_unreadable') for what is no zip of ours, Invalid('bundle_too_large') for bombs.
    """
    if path.stat().st_size > MOST_BYTES:
        raise Invalid("bundle_too_large", field="bundle", why=f"more than {MOST_BYTES >> 20} MB")
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_all(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise Invalid("bundle_unreadable", field="bundle", why=type(error).__name__) from None


def _read_all(archive: zipfile.ZipFile) -> Opened:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise Invalid("bundle_too_large", field="bundle", why=f"{len(entries)} files")
    names = [entry.filename for entry in entries]
    for entry in entries:
        if not NAME.fullmatch(entry.filename) or ".." in entry.filename:
            raise Invalid("bundle_unreadable", field="bundle", why=f"a file is called {entry.filename[:60]!r}")
        if entry.flag_bits & 1 or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise Invalid("bundle_unreadable", field="bundle", why=f"{entry.filename} is encrypted or oddly packed")
    if len(set(names)) != len(names):
        raise Invalid("bundle_unreadable", field="bundle", why="two files with one name")
    opened, left = Opened(), MOST_UNPACKED
    for entry in entries:
        data = _unpack(archive, entry, left)
        if data is None:
            opened.findings.append(Finding(entry.filename, 0, Kind.FILE, "it is damaged"))
            continue
        left -= len(data)
        opened.files[entry.filename] = data
    missing = [name for name in form.NEEDED if name not in names]
    if form.RECORD in missing:
        raise Invalid("bundle_unreadable", field="bundle", why=f"it has no {form.RECORD}")
    opened.findings += [Finding(name, 0, Kind.FILE, "it is missing") for name in missing]
    return opened


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int) -> bytes | None:
    """The bytes; None when they are damaged. Stops at ``left`` bytes whatever the entry says of its size."""
    parts = bytearray()
    try:
        with archive.open(entry) as file:
            while chunk := file.read(CHUNK):
                parts += chunk
                if len(parts) > left:
                    raise Invalid(
                        "bundle_too_large", field="bundle", why=f"more than {MOST_UNPACKED >> 20} MB unpacked"
                    )
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError):
        return None
    return bytes(parts)
