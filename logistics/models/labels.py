"""Label stocks that an installation adds, what each site prints on, and the ledger of pre-printed numbers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base


class LabelStock(Base):
    """A size of label that an administrator added to those of ``catalogue/label_stocks.csv``; millimetres."""

    __tablename__ = "label_stock"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str] = mapped_column(default="")
    medium: Mapped[str]  # roll | sheet
    width_mm: Mapped[float] = mapped_column(Double)
    height_mm: Mapped[float] = mapped_column(Double)
    page_width_mm: Mapped[float] = mapped_column(Double)
    page_height_mm: Mapped[float] = mapped_column(Double)
    columns: Mapped[int] = mapped_column(default=1)
    rows: Mapped[int] = mapped_column(default=1)
    left_mm: Mapped[float] = mapped_column(Double, default=0.0)
    top_mm: Mapped[float] = mapped_column(Double, default=0.0)
    gap_x_mm: Mapped[float] = mapped_column(Double, default=0.0)
    gap_y_mm: Mapped[float] = mapped_column(Double, default=0.0)
    dpi: Mapped[int] = mapped_column(default=203)
    symbology: Mapped[str] = mapped_column(default="code128")  # for tubes, where the site says nothing else
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class PrintSetting(Base):
    """What a site prints a kind of label on: stock, code, and whether as PDF or for a Zebra printer."""

    __tablename__ = "print_setting"

    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)  # specimen | box | consignment
    stock: Mapped[str]
    symbology: Mapped[str]
    output: Mapped[str] = mapped_column(default="pdf")  # pdf | zpl | zpl_graphic
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]


class LabelBatch(Base):
    """Numbers of ours that were printed ahead for a site, on one roll or pile of sheets."""

    __tablename__ = "label_batch"
    __table_args__ = (Index("ix_label_batch_site_made", "site_code", "made_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]  # numbers.Kind: accession | box | seal | item
    first_number: Mapped[str]
    last_number: Mapped[str]
    count: Mapped[int]
    stock: Mapped[str]
    symbology: Mapped[str]
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"))
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    note: Mapped[str] = mapped_column(default="")

    numbers: Mapped[list[LabelNumber]] = relationship(cascade="all, delete-orphan", order_by="LabelNumber.position")


class LabelNumber(Base):
    """One pre-printed number and what became of it. A number is used once and never again."""

    __tablename__ = "label_number"
    __table_args__ = (
        UniqueConstraint("batch_id", "position"),
        Index("ix_label_number_batch_state", "batch_id", "state"),
    )

    number: Mapped[str] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("label_batch.id"))
    position: Mapped[int]
    state: Mapped[str] = mapped_column(default="printed")  # printed | used | voided
    state_at: Mapped[datetime]
    state_by: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")  # why it was voided
    note: Mapped[str] = mapped_column(default="")
    copies: Mapped[int] = mapped_column(default=0)  # printed so far

    batch: Mapped[LabelBatch] = relationship(back_populates="numbers")
