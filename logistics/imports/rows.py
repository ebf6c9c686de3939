"""Typed rows: what a file says once it has been read. None or empty: the file does not say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SiteRow:
    """Times of day are minutes after local midnight, the position WGS-84 degrees."""

    line: int
    code: str
    name_zh: str
    tier: str
    name_en: str = ""
    parent: str = ""
    county_zh: str = ""
    county_en: str = ""
    lat: float | None = None
    lon: float | None = None
    opens_min: int | None = None
    closes_min: int | None = None
    pickup_from_min: int | None = None
    pickup_to_min: int | None = None
    cutoff_min: int | None = None
    service_min: int | None = None
    contact_name: str = ""
    contact_phone: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return (self.code,)


@dataclass(frozen=True, slots=True)
class TestRow:
    """``performing`` lists sites by code or name."""

    __test__ = False

    line: int
    code: str
    name_zh: str
    specimen_type: str
    name_en: str = ""
    short_zh: str = ""
    container: str = ""
    temp_class: str = ""
    stage: str = ""
    turnaround_h: float | None = None
    performing: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        return (self.code,)


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person who logs in. Files never carry passwords."""

    line: int
    username: str
    name_zh: str
    role: str
    name_en: str = ""
    site: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return (self.username.casefold(),)


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One tube. Several rows of the file with the same tube number are one tube with all their tests.

    ``patient_ref`` is masked. ``lines`` are all rows of the file that speak of the tube. Times are UTC;
    ``ordered_at`` is at local midnight where the file gives only a day.
    """

    line: int
    tests: tuple[str, ...]
    accession: str = ""
    order_number: str = ""
    site: str = ""
    specimen_type: str = ""
    container: str = ""
    collected_at: datetime | None = None
    ordered_at: datetime | None = None
    priority: str = "routine"
    patient_ref: str = ""
    sex: str = ""
    age: str = ""
    department: str = ""
    collector: str = ""
    lines: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, ...]:
        if self.accession:
            return (self.site, self.accession)
        return (self.site, self.order_number, self.specimen_type, self.container, "no tube number")


AnyRow = SiteRow | TestRow | UserRow | OrderRow
