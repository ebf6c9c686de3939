"""Filters that people keep for the pages they open every day."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from logistics.db import Base


class SavedFilter(Base):
    """A page's query under a name: of one user, or shared with everybody of the user's site."""

    __tablename__ = "saved_filter"
    __table_args__ = (UniqueConstraint("username", "page", "name"), Index("ix_saved_filter_site", "site_code", "page"))

    id: Mapped[int] = mapped_column(primary_key=True)
    page: Mapped[str]  # endpoint of the page, e.g. search.specimens
    name: Mapped[str]
    query: Mapped[dict[str, Any]] = mapped_column(default=dict)  # name → text, as in the address
    username: Mapped[str]
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))
    shared: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class DefaultFilter(Base):
    """The filter that a user's page opens with."""

    __tablename__ = "default_filter"

    username: Mapped[str] = mapped_column(primary_key=True)
    page: Mapped[str] = mapped_column(primary_key=True)
    filter_id: Mapped[int] = mapped_column(ForeignKey("saved_filter.id", ondelete="CASCADE"))
