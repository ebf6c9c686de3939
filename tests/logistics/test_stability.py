"""The stability clock by example: shares of life, between bands, outside, unknown."""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest

from logistics import catalogue
from logistics.domain.stability import Exposure, StabilityRule, Status, earliest, use_by, used_share, verdict

NOW = datetime(2026, 3, 9, 4, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BLOOD_COUNT = [
    StabilityRule("CBC", 18, 25, 24 * HOUR, "ambient"),
    StabilityRule("CBC", 2, 8, 48 * HOUR, "refrigerated"),
]
CLOTTING = [StabilityRule("PT", 18, 24, 24 * HOUR, "never refrigerated")]


def test_shares_of_bands_add_up() -> None:
    """Six hours of 24 at room temperature and twelve of 48 in the cold: half of the life."""
    exposed = Exposure.constant(22, 6 * HOUR) + Exposure.constant(5, 12 * HOUR)
    assert used_share(BLOOD_COUNT, exposed) == pytest.approx(0.5)
    assert use_by(BLOOD_COUNT, exposed, now=NOW, temp_c=5) == NOW + 24 * HOUR
    assert use_by(BLOOD_COUNT, exposed, now=NOW, temp_c=22) == NOW + 12 * HOUR


def test_between_two_permitted_bands_the_strictest_holds() -> None:
    """12 °C is neither refrigerated nor room: charged as room, but no reason to ask anybody."""
    found = verdict(BLOOD_COUNT, Exposure.constant(12, 6 * HOUR), now=NOW, temp_c=5)
    assert found.used_share == pytest.approx(0.25)
    assert found.status is Status.FIT


def test_cold_is_damage_where_no_rule_permits_it() -> None:
    """A clotting tube in the fridge is outside and needs a decision."""
    found = verdict(CLOTTING, Exposure.constant(5, HOUR), now=NOW, temp_c=5)
    assert found.status is Status.OUTSIDE
    assert found.outside == HOUR
    assert found.status.needs_decision


def test_a_short_time_outside_may_be_tolerated_but_is_charged() -> None:
    """Five minutes above 25 °C with the lid open ask nobody when the laboratory says so."""
    exposed = Exposure.constant(30, timedelta(minutes=5))
    found = verdict(BLOOD_COUNT, exposed, now=NOW, temp_c=5, tolerance=timedelta(minutes=10))
    assert found.status is Status.FIT
    assert found.used_share > 0


def test_unknown_is_a_verdict_of_its_own() -> None:
    """Time without data: decide; with the known time alone used up: expired."""
    assert verdict(BLOOD_COUNT, Exposure({}, HOUR), now=NOW).status is Status.UNKNOWN
    spent = Exposure.constant(5, 48 * HOUR) + Exposure({}, HOUR)
    assert verdict(BLOOD_COUNT, spent, now=NOW).status is Status.EXPIRED


def test_older_than_every_rule_is_expired_whatever_is_known() -> None:
    """Two days and more since collection: no band would allow it."""
    assert verdict(BLOOD_COUNT, Exposure({}, 49 * HOUR), now=NOW).status is Status.EXPIRED


def test_soon_is_use_by() -> None:
    """Less than two hours left."""
    found = verdict(BLOOD_COUNT, Exposure.constant(22, 22.5 * HOUR), now=NOW, temp_c=22)
    assert found.status is Status.USE_BY
    assert found.use_by == NOW + 1.5 * HOUR


def test_a_tube_is_due_when_its_first_test_is() -> None:
    """The earliest over its tests; none without rules."""
    assert earliest([None, NOW + HOUR, NOW]) == NOW
    assert earliest([None]) is None
    assert verdict([], Exposure(), now=NOW).status is Status.FIT


def test_outside_and_unknown_count_together() -> None:
    """A quarter of an hour outside and one without data are not two small things."""
    tolerance = timedelta(minutes=20)
    exposed = Exposure({300: timedelta(minutes=15)}, timedelta(minutes=15))
    assert verdict(BLOOD_COUNT, exposed, now=NOW, temp_c=5, tolerance=tolerance).status is Status.UNKNOWN
    alone = Exposure({300: timedelta(minutes=15)})
    assert verdict(BLOOD_COUNT, alone, now=NOW, temp_c=5, tolerance=tolerance).status is Status.FIT


GATHERED = "944c472a88f7fb49e0ec8e064b2f36caa35e0ed58e11fff3f6012bcf33ea6442"
"""SHA-256 of the 78 rows as they were gathered from their sources, ten columns with tabs, a line each."""


def test_every_gathered_rule_is_in_the_catalogue_with_its_source() -> None:
    """78 statements, none changed, none without a source; the columns of ours stand behind them."""
    rows = list(csv.reader(resources.files(catalogue).joinpath("stability.csv").read_text("utf-8").splitlines()))
    told = [row[:10] for row in rows[1:]]
    assert len(told) == 78
    assert all(row[9].strip() for row in told)
    assert hashlib.sha256("\n".join("\t".join(row) for row in told).encode()).hexdigest() == GATHERED
