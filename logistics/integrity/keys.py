"""The installation's Ed25519 key: a file that only its owner may read; the public halves stand in the database.

Every key signs which key it follows, and is signed by that one: trust in any of them leads to all. A lost key is
followed by one that it did not sign; whoever trusted the old key must be told the new one by a person.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import insert_ignoring
from logistics.domain.digests import endorsed_bytes
from logistics.errors import Conflict, Invalid, Unavailable
from logistics.models import SigningKey


@dataclass(frozen=True)
class Signer:
    """The private key in memory. Its text never shows the key."""

    private: Ed25519PrivateKey

    @property
    def public_key(self) -> str:
        """The public half, 32 bytes as hex."""
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public_key)

    def sign(self, data: bytes) -> str:
        """64 bytes as hex."""
        return self.private.sign(data).hex()

    def __repr__(self) -> str:
        return f"Signer({self.fingerprint[:16]})"


def fingerprint(public_key: str) -> str:
    """SHA-256 (hex) of a public key given as hex."""
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()


def shown(print_: str) -> str:
    """A fingerprint as people compare it: groups of four, the first 128 bits."""
    return " ".join(print_[start : start + 4] for start in range(0, 32, 4))


def signed_by(public_key: str, signature: str, data: bytes) -> bool:
    """Whether ``signature`` (hex) over ``data`` was made by the key (hex). False for malformed ones, too."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), data)
    except (InvalidSignature, ValueError):
        return False
    return True


def to_pem(public_key: str) -> str:
    """The public key as a PEM file, for whoever wants to keep it."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def from_pem(text: str) -> str:
    """Hex of the public key in a PEM text. Raises Invalid('public_key_unreadable')."""
    try:
        key = load_pem_public_key(text.encode())
    except ValueError:
        raise Invalid("public_key_unreadable", field="key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise Invalid("public_key_unreadable", field="key")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def load(path: Path) -> Signer | None:
    """The key in the file; None when there is no file. Raises Unavailable('signing_key_unreadable')."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError):
        raise Unavailable("signing_key_unreadable", field="key", file=path.name) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Unavailable("signing_key_unreadable", field="key", file=path.name)
    return Signer(key)


def create(path: Path) -> Signer:
    """Make a key in a new file of mode 600; when another process was faster, its key."""
    text = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Linked into place whole, so that two processes starting together use the same key.
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    except OSError as error:
        raise Unavailable("signing_key_unwritable", field="key", file=path.name, why=error.strerror) from None
    made = load(path)
    assert made is not None  # noqa: S101  # it was linked there just now
    return made


def public_keys(session: Session) -> Sequence[SigningKey]:
    """All keys of the installation, each after the one it follows."""
    query = select(SigningKey).order_by(SigningKey.since, SigningKey.fingerprint)
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    after: Mapping[str | None, SigningKey] = {row.previous: row for row in rows}
    ordered, row = [], after.get(None)
    while row is not None and row not in ordered:
        ordered.append(row)
        row = after.get(row.fingerprint)
    return [*ordered, *(one for one in rows if one not in ordered)]


def ensure(session: Session, path: Path, *, now: datetime) -> Signer:
    """The installation's signer; a key is made when there was never one.

    Raises Unavailable('signing_key_absent') when the database knows a key whose file is not here, and
    Conflict('signing_key_other') when the file holds a key that the database does not know as its newest.
    """
    _finish_rotation(session, path)
    known = public_keys(session)
    signer = load(path)
    if signer is None:
        if known:
            raise Unavailable("signing_key_absent", field="key", fingerprint=shown(known[-1].fingerprint))
        signer = create(path)
    if not known:
        _register(session, signer, None, None, now)
        known = public_keys(session)
    if known[-1].fingerprint != signer.fingerprint:
        raise Conflict("signing_key_other", field="key", fingerprint=shown(known[-1].fingerprint))
    return signer


def _register(session: Session, signer: Signer, previous: str | None, old: Signer | None, now: datetime) -> None:
    words = endorsed_bytes(signer.public_key, previous or "")
    row = {
        "fingerprint": signer.fingerprint,
        "public_key": signer.public_key,
        "since": now,
        "previous": previous,
        "endorsement": f"{old.sign(words) if old else '-'} {signer.sign(words)}",
    }
    insert_ignoring(session, SigningKey.__table__, row)


def next_path(path: Path) -> Path:
    """Where the new key waits until the database knows it."""
    return path.with_name(path.name + ".next")


def rotate(session: Session, path: Path, *, now: datetime, lost: bool = False) -> Signer:
    """A new key, endorsed by the old one unless that is ``lost``. Call :func:`take_over` after the commit."""
    known = public_keys(session)
    old = load(path)
    if not known:
        raise Conflict("signing_key_none", field="key")
    if not lost and (old is None or old.fingerprint != known[-1].fingerprint):
        raise Unavailable("signing_key_absent", field="key", fingerprint=shown(known[-1].fingerprint))
    next_path(path).unlink(missing_ok=True)
    new = create(next_path(path))
    previous = known[-1].fingerprint
    _register(session, new, previous, None if lost else old, now)
    return new


def take_over(path: Path) -> None:
    """Put the new key in the old one's place; the old private key is gone then."""
    next_path(path).replace(path)


def _finish_rotation(session: Session, path: Path) -> None:
    """A rotation that was committed and then cut short."""
    waiting = load(next_path(path))
    known = public_keys(session)
    if waiting is not None and known and known[-1].fingerprint == waiting.fingerprint:
        take_over(path)
