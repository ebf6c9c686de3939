"""The stability clock as it stands for a tube, and the assessments that managers signed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Double, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base


class SpecimenClock(Base):
    """When the use-by time of a tube was last worked out, and from what: which tubes come next is read from here."""

    __tablename__ = "specimen_clock"
    __table_args__ = (Index("ix_specimen_clock_computed", "dirty", "computed_at"),)

    specimen_id: Mapped[int] = mapped_column(ForeignKey("specimen.id", ondelete="CASCADE"), primary_key=True)
    computed_at: Mapped[datetime]
    dirty: Mapped[bool] = mapped_column(default=False)  # late readings came, or the excursion of its box changed
    box_code: Mapped[str | None]
    temp_c: Mapped[float | None] = mapped_column(Double)  # where it was then; None: not known
    used_share: Mapped[float | None] = mapped_column(Double)  # of its worst test; None: no rule is known
    outside_s: Mapped[float] = mapped_column(Double, default=0.0)
    unknown_s: Mapped[float] = mapped_column(Double, default=0.0)
    version: Mapped[int] = mapped_column(default=0)  # of the stability rules


class Assessment(Base):
    """A manager's signed decision about the tubes of an episode, with what he knew when he signed."""

    __tablename__ = "assessment"
    __table_args__ = (Index("ix_assessment_box", "box_code", "start_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    username: Mapped[str]
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))  # of the one who signed
    box_code: Mapped[str] = mapped_column(ForeignKey("box.code"))
    start_at: Mapped[datetime]
    end_at: Mapped[datetime | None]  # None: it lasted still
    excursion_ids: Mapped[list[Any]] = mapped_column(default=list)
    side: Mapped[str]  # upper | lower
    extreme_c: Mapped[float] = mapped_column(Double)
    minutes: Mapped[float] = mapped_column(Double)
    comment: Mapped[str] = mapped_column(default="")
    version: Mapped[int] = mapped_column(default=0)  # of the stability rules
    look_again: Mapped[str] = mapped_column(default="")  # what late data changed since; empty: nothing
    look_again_at: Mapped[datetime | None]
    looked_at: Mapped[datetime | None]
    looked_by: Mapped[str | None]

    tubes: Mapped[list[AssessedTube]] = relationship(
        cascade="all, delete-orphan", lazy="selectin", order_by="AssessedTube.accession"
    )


class AssessedTube(Base):
    """What was signed for one tube, and how it stood: so that a later reader sees what the decision rested on."""

    __tablename__ = "assessed_tube"
    __table_args__ = (Index("ix_assessed_tube_specimen", "specimen_id"),)

    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessment.id", ondelete="CASCADE"), primary_key=True)
    specimen_id: Mapped[int] = mapped_column(ForeignKey("specimen.id"), primary_key=True)
    accession: Mapped[str]
    disposition: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    act_id: Mapped[str]
    status: Mapped[str]  # the verdict: fit | use_by | unknown | outside | expired | no_rule
    test_code: Mapped[str] = mapped_column(default="")  # the deciding one
    rules: Mapped[list[Any]] = mapped_column(default=list)  # as they were quoted
    used_share: Mapped[float | None] = mapped_column(Double)
    outside_s: Mapped[float] = mapped_column(Double, default=0.0)
    unknown_s: Mapped[float] = mapped_column(Double, default=0.0)
    use_by_at: Mapped[datetime | None]
