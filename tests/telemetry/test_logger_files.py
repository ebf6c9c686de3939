"""Files of loggers: read whole, counted as the device counted, stored once."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from telemetry import devices, file_import, store
from telemetry.files import berlinger, columns, summary
from telemetry.files.base import Limit, OwnDay, OwnStatistics, Recorded, UnreadableFileError
from telemetry.models import DeadLetter, Device, ExcursionRow, QuarantinedReading, ReadingRow
from telemetry.registry_models import LoggerFile
from tests import factories as f
from tests.factories import START
from tests.telemetry.test_ingest import count

FILES = Path(__file__).parents[1] / "data" / "loggers"
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 3, 10, tzinfo=UTC)
LOGTAG = {**columns.MAKERS["logtag"], "decimal": ",", "zone": "Asia/Shanghai"}


def text(name: str) -> str:
    return (FILES / name).read_bytes().decode()


def test_q_tag_counts_as_we_do() -> None:
    """Its own lowest, highest, mean and MKT, which it rounds down to a tenth, are ours."""
    recorded = berlinger.parse(text("q_tag_clm_doc.txt"))
    found = summary.summarise(recorded)
    assert (recorded.model, recorded.serial, found.count) == ("Q-tag CLm doc LR", "RCPJ00010", 124)
    assert recorded.samples[0] == (datetime(2022, 11, 8, 4, 49, tzinfo=UTC), 4.4)
    assert (found.min_c, found.max_c, found.gaps) == (0.9, 24.3, [])
    assert found.mkt_c is not None
    assert summary.truncated(found.mkt_c) == recorded.own.mkt_c == 10.5
    assert recorded.own == OwnStatistics(0.9, 24.3, 5.4, 10.5)
    assert (found.compared, found.differences) == (4, [])


def test_fridge_tag_2l_counts_its_minutes_as_we_do() -> None:
    """38 days of minutes above 8 and below 2 °C: ours from 5-minute readings are within 10 minutes of each."""
    recorded = berlinger.parse(text("fridge_tag_2l.txt"))
    found = summary.summarise(recorded)
    assert (found.count, len(recorded.days), found.interval_s) == (10_653, 38, 300)
    [gap] = found.gaps
    assert (gap.minutes, gap.start) == (352, datetime(2022, 5, 2, 4, 44, tzinfo=UTC))
    apart = [
        abs(printed - found.minutes[day.day][side]) for day in recorded.days for side, printed in day.minutes.items()
    ]
    assert len(apart) == 76
    assert max(apart) <= 10
    assert found.differences == []


def test_fridge_tag_2_has_statistics_alone() -> None:
    """No readings, sixty days of its own."""
    recorded = berlinger.parse(text("fridge_tag_2.txt"))
    assert (recorded.samples, len(recorded.days)) == ([], 60)
    assert recorded.days[0].minutes == {"lower": 0, "upper": 366}
    assert summary.summarise(recorded).count == 0


def test_what_differs_is_said() -> None:
    """A minute count and an MKT that are not ours are named, each with both numbers."""
    recorded = berlinger.parse(text("q_tag_clm_doc.txt"))
    recorded.own = OwnStatistics(0.9, 24.3, 5.4, 9.8)
    day = recorded.samples[0][0].date()
    recorded.days = [OwnDay(day, None, None, None, {"upper": 400})]
    found = summary.summarise(recorded)
    assert [(one.what, one.device, one.ours) for one in found.differences] == [
        ("mkt_c", 9.8, 10.5), ("minutes", 400, 121),
    ]  # fmt: skip


def test_days_are_those_of_the_devices_clock() -> None:
    """Half an hour outside over local midnight belongs to both days; the file's zone says where midnight is."""
    shanghai = text("fridge_tag_2l.txt").replace("Zone: 0.00", "Zone: 8.00")
    recorded = berlinger.parse(shanghai)
    assert recorded.samples[0][0] == datetime(2022, 5, 1, 20, 44, tzinfo=UTC)
    start = datetime(2022, 5, 2, 15, 45, tzinfo=UTC)  # 23:45 in Shanghai
    recorded.samples = [(start + n * 5 * MINUTE, 9.0) for n in range(7)]
    recorded.limits = [Limit("upper", 8.0)]
    minutes = summary.minutes_outside(recorded, 5 * MINUTE)
    assert {day.isoformat(): sides["upper"] for day, sides in minutes.items()} == {"2022-05-02": 15, "2022-05-03": 15}


def test_a_broken_file_costs_its_broken_lines() -> None:
    """A line that is none is named by its number; a file cut in the middle gives what it holds; no file is refused."""
    broken = text("q_tag_clm_doc.txt").replace("2022-11-08 05:09\t2.1", "2022-11-08 05:09\t--").splitlines()
    recorded = berlinger.parse("\r\n".join(broken[:100]))
    assert [(one.line, one.reason) for one in recorded.bad] == [(74, "unreadable")]
    assert len(recorded.samples) == 28
    for nothing in ("", "Device: x", "a,b\n1,2"):
        with pytest.raises(UnreadableFileError):
            berlinger.parse(nothing)


@given(garbage=st.text(max_size=300))
def test_no_text_breaks_the_reader(garbage: str) -> None:
    """Whatever follows the first words: a recording, or a refusal."""
    try:
        found = berlinger.parse("Device: Q-tag\nConf:\n" + garbage)
    except UnreadableFileError:
        return
    assert found.format == "berlinger"


def test_csv_by_a_mapping() -> None:
    """Lines above the heading, decimal commas, local time, a value that is none; heading found by its names."""
    recorded = columns.parse(text("logtag.csv"), LOGTAG)
    assert recorded.samples == [
        (START.replace(hour=1, minute=minute), temp_c) for minute, temp_c in ((0, 4.6), (5, 4.8), (10, 9.1), (20, 4.9))
    ]
    assert [(one.line, one.reason) for one in recorded.bad] == [(9, "unreadable")]
    options = {**columns.MAKERS["elitech"], "zone": "Asia/Shanghai"}
    recorded = columns.parse(text("elitech.csv"), options)
    assert [temp_c for _, temp_c in recorded.samples] == [4.6, 4.8, -127.0, 5.0]
    assert list(recorded.rh_pct.values()) == [61.0, 61.2, 61.5]
    fahrenheit = columns.parse(text("elitech.csv"), {**options, "unit": "F"})
    assert fahrenheit.samples[0][1] == -15.22
    no_zone = columns.parse(text("elitech.csv"), columns.MAKERS["elitech"])
    assert {one.reason for one in no_zone.bad} == {"no_zone"}
    with pytest.raises(UnreadableFileError, match="file_no_heading"):
        columns.parse(text("elitech.csv"), {**options, "temp": "Warmth"})


def test_a_mapping_is_checked_before_it_is_kept() -> None:
    """Names, zone, unit and format of the time are looked at."""
    for bad in ({}, {"time": "t"}, {"time": ["a", "b", "c"], "temp": "x"}, {**LOGTAG, "unit": "K"},
                {**LOGTAG, "zone": "Nowhere"}, {**LOGTAG, "delimiter": "|"}, {**LOGTAG, "colour": "red"},
                []):  # fmt: skip
        with pytest.raises(Invalid):
            columns.checked(bad)
    assert columns.checked({**LOGTAG, "rh": ""}) == LOGTAG


@pytest.fixture
def world(session: Session) -> Session:
    f.world(session)
    devices.register(session, "QT-1", now=START, receipts=False)
    session.commit()
    return session


def take(
    session: Session, name: str, device: str = "QT-1", now: datetime = NOW, **more: object
) -> file_import.Imported:
    data = (FILES / name).read_bytes()
    found = file_import.take(session, device, data, name, username="manager", now=now, **more)  # type: ignore[arg-type]
    session.commit()
    return found


@pytest.mark.both_databases
def test_a_file_is_stored_once(world: Session) -> None:
    """Its number becomes the device's, its activation commissions it, and the second time nothing is new."""
    devices.bind(world, "QT-1", "BX-C", at=START, now=START)
    first = take(world, "q_tag_clm_doc.txt")
    again = take(world, "q_tag_clm_doc.txt")
    assert (first.stored, first.quarantined, first.known) == (124, 0, False)
    assert (again.stored, again.duplicates, again.known) == (0, 124, True)
    assert (count(world, ReadingRow), count(world, LoggerFile)) == (124, 1)
    device = world.get_one(Device, "QT-1")
    assert (device.serial, device.commissioned_at) == ("RCPJ00010", datetime(2022, 11, 8, 2, 20, tzinfo=UTC))
    assert device.last_reading_at == datetime(2022, 11, 9, 1, 19, tzinfo=UTC)
    assert world.scalars(select(ExcursionRow)).all() == []  # it was in no box then
    rules = {one["rule"] for one in first.report["excursions"]}
    assert {"below_2_for_20", "above_8_for_30", "below_2_sum_40"} <= rules
    with pytest.raises(Conflict, match="file_of_other_logger"):
        take(world, "fridge_tag_2l.txt")
    json.dumps(first.report)


@pytest.mark.both_databases
def test_a_file_of_a_box_raises_what_happened_in_it(world: Session) -> None:
    """Bound at the time: excursions are found as if it had spoken, also when two overlapping files meet."""
    devices.register(world, "LT-1", now=START - timedelta(days=1), receipts=False)
    devices.bind(world, "LT-1", "BX-C", at=START - timedelta(days=1), now=START)
    warm = "\n".join(["Date,Time,Temperature"] + [
        f"09-03-2026,{9 + n // 12:02d}:{n % 12 * 5:02d}:00,{12.0 if 3 <= n < 15 else 5.0}" for n in range(24)
    ])  # fmt: skip
    mapping = {**columns.MAKERS["logtag"], "zone": "Asia/Shanghai"}
    halves = ["\n".join(warm.splitlines()[:14]), warm]
    for half, stored in zip(halves, (13, 11), strict=True):
        found = file_import.take(world, "LT-1", half.encode(), "t.csv", username="manager", now=NOW, mapping=mapping)
        world.commit()
        assert found.stored == stored
    [excursion] = world.scalars(select(ExcursionRow).where(ExcursionRow.rule_code == "above_8_for_30")).all()
    assert excursion.minutes == 60
    series = store.series(world, "LT-1", 1, None, None)
    assert all(after > before for (before, _), (after, _) in itertools.pairwise(series))


@pytest.mark.both_databases
def test_what_a_file_says_wrong_is_set_aside(world: Session) -> None:
    """Faults and unreadable lines are dead letters, times before commissioning wait: the same as on every way."""
    options = {**columns.MAKERS["elitech"], "zone": "Asia/Shanghai"}
    found = take(world, "elitech.csv", mapping=options, now=START + timedelta(days=1))
    assert (found.stored, found.refused, found.quarantined) == (3, 1, 0)
    [letter] = world.scalars(select(DeadLetter)).all()
    assert (letter.reason, letter.topic) == ("probe_disconnected", "file")
    take(world, "logtag.csv", mapping={**LOGTAG, "zone": "UTC"}, now=START)
    early = world.scalars(select(QuarantinedReading)).all()
    assert {one.reason for one in early} == {"in_future"}


@pytest.mark.both_databases
def test_mappings_are_kept_by_name(world: Session) -> None:
    """The makers' are there from the beginning; one's own may stand over them."""
    assert file_import.mapping(world, "logtag") == columns.MAKERS["logtag"]
    file_import.keep_mapping(world, "logtag", LOGTAG, username="admin", now=NOW)
    assert file_import.mappings(world)["logtag"]["zone"] == "Asia/Shanghai"
    with pytest.raises(NotFound):
        file_import.mapping(world, "nobody")
    with pytest.raises(Invalid, match="file_mapping_needed"):
        take(world, "logtag.csv")
    with pytest.raises(Invalid, match="file_not_text"):
        file_import.read(b"\xff\xfe\x00\xff", "x.bin")


def test_a_recording_that_is_empty() -> None:
    """Nothing is counted, nothing divides by it."""
    assert summary.summarise(Recorded("csv")).mkt_c is None
