"""What can be ordered, where it is tested, how long it keeps, and why something is refused."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from logistics.db import Base

COLD, AMBIENT, FROZEN = "cold_2_8", "ambient_15_25", "frozen"
TEMP_CLASSES = (COLD, AMBIENT, FROZEN)


class Test(Base):
    """A test that a site can order."""

    __tablename__ = "test"
    __test__ = False  # not a pytest class

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str] = mapped_column(default="")
    short_zh: Mapped[str] = mapped_column(default="")
    specimen_type: Mapped[str]
    container: Mapped[str] = mapped_column(default="")
    temp_class: Mapped[str] = mapped_column(default=COLD)
    stage: Mapped[str] = mapped_column(default="unseparated")  # unseparated | separated
    turnaround_h: Mapped[float] = mapped_column(default=24.0)
    stability_code: Mapped[str] = mapped_column(default="")  # its rows in stability_rule
    active: Mapped[bool] = mapped_column(default=True)

    sites: Mapped[list[TestSite]] = relationship(cascade="all, delete-orphan")

    def name(self, locale: str) -> str:
        return self.name_en if locale == "en" and self.name_en else self.name_zh


class TestSite(Base):
    """Which laboratory performs a test; the nearest one upwards from the collecting site is chosen."""

    __tablename__ = "test_site"
    __test__ = False

    test_code: Mapped[str] = mapped_column(ForeignKey("test.code"), primary_key=True)
    site_code: Mapped[str] = mapped_column(ForeignKey("site.code"), primary_key=True)
    turnaround_h: Mapped[float | None]


class StabilityRuleRow(Base):
    """How long a test stays valid in a temperature band, counted from collection, and who says so."""

    __tablename__ = "stability_rule"

    id: Mapped[int] = mapped_column(primary_key=True)
    test_code: Mapped[str] = mapped_column(index=True)
    specimen_type: Mapped[str] = mapped_column(default="")
    stage: Mapped[str] = mapped_column(default="")
    container: Mapped[str] = mapped_column(default="")
    condition: Mapped[str] = mapped_column(default="")
    temp_min_c: Mapped[float | None]
    temp_max_c: Mapped[float | None]
    max_hours: Mapped[float | None]
    source: Mapped[str] = mapped_column(default="")
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))  # a laboratory's own override
    reason: Mapped[str] = mapped_column(default="")
    valid_from: Mapped[datetime | None]  # date of effect; None: from the beginning
    valid_until: Mapped[datetime | None]  # another limit of the same laboratory takes its place then
    since_version: Mapped[int] = mapped_column(default=0, server_default="0")
    until_version: Mapped[int | None]  # withdrawn with this version; the row stays


class StabilityVersion(Base):
    """A change of the stability rules: who, when, what. A decision names the version that it was made under.

    Version 0 is the catalogue as it was installed.
    """

    __tablename__ = "stability_version"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(default="")
    what: Mapped[str]  # override | withdrawal | catalogue
    test_code: Mapped[str] = mapped_column(default="")
    site_code: Mapped[str | None] = mapped_column(ForeignKey("site.code"))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Reason(Base):
    """A coded reason for a refusal or deviation; an administrator may add more."""

    __tablename__ = "reason"

    code: Mapped[str] = mapped_column(primary_key=True)
    zh: Mapped[str]
    en: Mapped[str]
    hl7: Mapped[str] = mapped_column(default="")  # table 0490, or 0544 with its prefix
    kind: Mapped[str] = mapped_column(default="reject")  # reject | deviation | handover | diversion | collection
    concession: Mapped[bool] = mapped_column(default=False)  # may also be accepted with it, stated on the report
    position: Mapped[int] = mapped_column(default=100)
    active: Mapped[bool] = mapped_column(default=True)

    def name(self, locale: str) -> str:
        return self.en if locale == "en" else self.zh
