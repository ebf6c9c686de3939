"""Pictures that prove what a receiver saw."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from logistics.db import Base


class Attachment(Base):
    """A picture as it is kept: made anew by the server, so that it holds pixels and nothing else.

    Named by what it shows: the SHA-256 of ``data``, which custody events quote. ``used_at`` is when the first event
    quoted it; one that nobody ever used is cleared away after a month.
    """

    __tablename__ = "attachment"
    __table_args__ = (Index("ix_attachment_used_uploaded", "used_at", "uploaded_at"),)

    sha256: Mapped[str] = mapped_column(primary_key=True)
    media_type: Mapped[str]
    width_px: Mapped[int]
    height_px: Mapped[int]
    size_bytes: Mapped[int]
    uploaded_at: Mapped[datetime]
    uploaded_by: Mapped[str]
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))
    used_at: Mapped[datetime | None]
    data: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
