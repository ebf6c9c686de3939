"""Starting catalogue: sites, tests, stability rules, specimen types, containers and reasons (CSV files).

Pure: nothing here knows the database. Where the rows come from: README.md beside the files. Everything is a
default that an installation may change.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

UNSEPARATED, SEPARATED = "unseparated", "separated"
DEFAULT_USE = "default"
TEST_TEXTS = (
    "code", "name_zh", "name_en", "short_zh", "specimen_type", "container", "temp_class", "stage",
    "performing_tier", "unseparated_code", "note",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeedSite:
    """A site. Position in WGS-84 degrees; ``tier`` is township, county_centre or city_centre."""

    code: str
    name_zh: str
    name_en: str
    tier: str
    parent_code: str | None
    county_zh: str
    county_en: str
    lat: float
    lon: float
    source: str


@dataclass(frozen=True, slots=True)
class SiteHours:
    """Assumed hours of a tier on some weekdays (1 = Monday), in minutes after local midnight."""

    tier: str
    weekdays: tuple[int, ...]
    opens_min: int
    closes_min: int
    pickup_from_min: int
    pickup_to_min: int
    receives_from_min: int | None
    cutoff_min: int | None
    service_min: int
    basis: str


@dataclass(frozen=True, slots=True)
class SpecimenType:
    """A kind of specimen; ``hl7_0487`` is empty where no code is certain."""

    code: str
    name_zh: str
    name_en: str
    hl7_0487: str


@dataclass(frozen=True, slots=True)
class Container:
    """A tube or vessel; ``cap_colour`` as #rrggbb, empty where the cap has no agreed colour."""

    code: str
    name_zh: str
    name_en: str
    cap_colour: str
    cap_zh: str
    cap_en: str
    additive: str


@dataclass(frozen=True, slots=True)
class SeedTest:
    """A test that townships send; ``performing_tier`` is the lowest tier that does it (county or city)."""

    code: str
    name_zh: str
    name_en: str
    short_zh: str
    specimen_type: str
    container: str
    temp_class: str
    stage: str
    performing_tier: str
    turnaround_h: float
    stability_code: str
    unseparated_code: str
    synonyms: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class StabilityRow:
    """One sourced statement: within [temp_min_c, temp_max_c] the test keeps ``max_hours`` from collection.

    ``use`` says whether it counts by itself (``default``) or only for comparison: ``alternative`` (another
    laboratory's longer limit), ``evidence`` (research, not a label claim), ``hold`` (after arrival),
    ``container`` (for another container), ``note`` (no limit given), ``unverified``. ``only_tests`` limits a
    row to some tests of the catalogue; empty means all.
    """

    code: str
    name_zh: str
    name_en: str
    specimen_types: tuple[str, ...]
    stage: str
    container: str
    condition: str
    temp_min_c: float
    temp_max_c: float
    max_hours: float | None
    use: str
    only_tests: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class SeedReason:
    """Why something is refused or deviates. ``kind``: reject, deviation, handover, diversion or collection.

    ``concession`` says that a laboratory may also accept with this reason stated on the report.
    """

    code: str
    name_zh: str
    name_en: str
    kind: str
    applies_to: str
    concession: bool
    hl7_0490: str
    hl7_0544: str

    @property
    def hl7(self) -> str:
        """The HL7 code: table 0490 as it is, table 0544 with its prefix, else empty."""
        return self.hl7_0490 or (f"0544:{self.hl7_0544}" if self.hl7_0544 else "")


@cache
def load_sites() -> list[SeedSite]:
    """The 77 places of Xianning; parents: township → county centre → city centre."""
    rows = list(_rows("sites_xianning.csv"))
    city = next(row["id"] for row in rows if row["level"] == "city_centre")
    centres = {row["county_zh"]: row["id"] for row in rows if row["level"] == "county_centre"}
    return [
        SeedSite(
            code=row["id"],
            name_zh=row["name_zh"],
            name_en=row["name_en"],
            tier=row["level"],
            parent_code={"city_centre": None, "county_centre": city}.get(
                row["level"], centres.get(row["county_zh"], city)
            ),
            county_zh=row["county_zh"],
            county_en=row["county_en"],
            lat=float(row["lat"]),
            lon=float(row["lon"]),
            source=row["source"],
        )
        for row in rows
    ]


@cache
def load_site_hours() -> list[SiteHours]:
    """Assumed opening, pickup and reception hours by tier; ``basis`` says what each rests on."""
    return [
        SiteHours(
            tier=row["tier"],
            weekdays=tuple(int(day) for day in row["weekdays"]),
            opens_min=_minutes(row["opens"]),
            closes_min=_minutes(row["closes"]),
            pickup_from_min=_minutes(row["pickup_from"]),
            pickup_to_min=_minutes(row["pickup_until"]),
            receives_from_min=_minutes(row["receives_from"]) if row["receives_from"] else None,
            cutoff_min=_minutes(row["receives_until"]) if row["receives_until"] else None,
            service_min=int(row["service_min"]),
            basis=row["basis"],
        )
        for row in _rows("sites_defaults.csv")
    ]


@cache
def load_specimen_types() -> list[SpecimenType]:
    return [SpecimenType(**row) for row in _rows("specimen_types.csv")]


@cache
def load_containers() -> list[Container]:
    return [Container(**row) for row in _rows("containers.csv")]


@cache
def load_tests() -> list[SeedTest]:
    return [
        SeedTest(
            **{name: row[name] for name in ("code", "name_zh", "name_en", "short_zh", "specimen_type", "container")},
            **{name: row[name] for name in ("temp_class", "stage", "performing_tier", "unseparated_code", "note")},
            turnaround_h=float(row["turnaround_h"]),
            stability_code=row["stability_test_code"],
            synonyms=_list(row["synonyms"], "|"),
        )
        for row in _rows("tests.csv")
    ]


@cache
def load_stability() -> list[StabilityRow]:
    """Every sourced row, also those that do not count by themselves."""
    return [
        StabilityRow(
            code=row["test_code"],
            name_zh=row["test_name_zh"],
            name_en=row["test_name_en"],
            specimen_types=_list(row["specimen_types"], ";"),
            stage=row["stage"],
            container=row["container"],
            condition=row["condition"],
            temp_min_c=float(row["temp_min_c"]),
            temp_max_c=float(row["temp_max_c"]),
            max_hours=float(row["max_hours"]) if row["max_hours"] else None,
            use=row["use"],
            only_tests=_list(row["only_tests"], ";"),
            source=row["source"],
        )
        for row in _rows("stability.csv")
    ]


@cache
def load_reasons() -> list[SeedReason]:
    return [SeedReason(**{**row, "concession": row["concession"] == "yes"}) for row in _rows("reasons.csv")]  # type: ignore[arg-type]


def stability_for(test: SeedTest, rows: Iterable[StabilityRow] | None = None) -> list[StabilityRow]:
    """The rules that count for ``test`` by default: the strictest of each stage and temperature band.

    A test on separated material also gets the rules of the time before separation (``unseparated_code``).
    Empty when no public rule is known: then the tube's stability is unknown, never good.
    """
    wanted = {(test.stability_code, test.stage)}
    if test.unseparated_code:
        wanted.add((test.unseparated_code, UNSEPARATED))
    strictest: dict[tuple[str, float, float], StabilityRow] = {}
    for row in load_stability() if rows is None else rows:
        if row.use != DEFAULT_USE or row.max_hours is None or (row.code, row.stage) not in wanted:
            continue
        if row.only_tests and test.code not in row.only_tests:
            continue
        if row.stage == test.stage and test.specimen_type not in row.specimen_types:
            continue
        band = (row.stage, row.temp_min_c, row.temp_max_c)
        known = strictest.get(band)
        if known is None or known.max_hours is None or row.max_hours < known.max_hours:
            strictest[band] = row
    return list(strictest.values())


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    yield from csv.DictReader(io.StringIO(text))


def _list(text: str, separator: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(separator) if part.strip())


def _minutes(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
