"""The daily signed digests of the custody log, their leaves, and the public keys that verify them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from logistics.db import Base


class SigningKey(Base):
    """A public key of this installation. The private one is a file that the database never sees."""

    __tablename__ = "signing_key"

    fingerprint: Mapped[str] = mapped_column(primary_key=True)  # SHA-256 (hex) of the 32 bytes of the public key
    public_key: Mapped[str]  # Ed25519, 32 bytes, hex
    since: Mapped[datetime]
    previous: Mapped[str | None] = mapped_column(ForeignKey("signing_key.fingerprint"))
    endorsement: Mapped[str]  # "OLD NEW": both keys sign that the new one follows; OLD is - for the first or a lost one


class CustodyDigest(Base):
    """What the log was at the end of one local day, signed. ``text`` is the canonical JSON that was signed."""

    __tablename__ = "custody_digest"
    __table_args__ = (UniqueConstraint("number"),)

    day: Mapped[str] = mapped_column(primary_key=True)  # local date, YYYY-MM-DD
    number: Mapped[int]  # 1, 2, …
    text: Mapped[str] = mapped_column(Text)
    hash: Mapped[str]  # SHA-256 (hex) of the text: the next digest names it
    signature: Mapped[str]  # Ed25519, 64 bytes, hex
    key_fingerprint: Mapped[str] = mapped_column(ForeignKey("signing_key.fingerprint"))
    made_at: Mapped[datetime]


class CustodyDigestLeaf(Base):
    """The head of one stream at the end of a day on which it grew: a leaf of that day's tree."""

    __tablename__ = "custody_digest_leaf"
    __table_args__ = (Index("ix_custody_digest_leaf_stream", "stream"),)

    day: Mapped[str] = mapped_column(primary_key=True)
    stream: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int]
    hash: Mapped[str]
