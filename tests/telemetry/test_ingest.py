"""From messages to rows: idempotent, in event time, nothing dropped, and what it means for the tubes in the box."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.errors import Forbidden, Invalid
from logistics.models import Alert, Consignment, Specimen
from telemetry import charting, devices, evaluate, http, quarantine, queries, store, sweep
from telemetry.evaluate import profile_for
from telemetry.excursion import detect
from telemetry.ingest import BatchResult, Incoming, store_batch
from telemetry.models import (
    DeadLetter,
    Device,
    ExcursionChange,
    ExcursionRow,
    QuarantinedReading,
    ReadingRow,
)
from tests import factories as f
from tests.factories import START

pytestmark = pytest.mark.both_databases
MINUTE = timedelta(minutes=1)


@pytest.fixture
def world(session: Session) -> Session:
    """The small world with one logger in the cold box of TOWN since an hour before START."""
    f.world(session)
    before = START - timedelta(hours=1)
    devices.register(session, "LG-1", now=before)
    devices.bind(session, "LG-1", "BX-C", at=before, now=before)
    session.commit()
    return session


def message(
    temps: Iterable[float], *, start: datetime = START, every: int = 5, seq: int | None = None, device: str = "LG-1"
) -> Incoming:
    readings = [{"at": (start + i * every * MINUTE).isoformat(), "temp_c": t} for i, t in enumerate(temps)]
    body = {"seq": seq, "readings": readings}
    return Incoming(f"labrelay/v1/{device}/readings", json.dumps(body).encode())


def send(session: Session, *messages: Incoming, now: datetime = START + timedelta(hours=6)) -> BatchResult:
    result = store_batch(session, messages, now=now)
    session.commit()
    return result


def count(session: Session, table: type) -> int:
    return session.scalar(select(func.count()).select_from(table)) or 0


def standing(session: Session) -> list[ExcursionRow]:
    return queries.excursions(session, "BX-C")


def test_a_repeated_message_is_stored_once(world: Session) -> None:
    """Redelivery, in the same batch and later: the rows are there once and the duplicates are counted."""
    first = send(world, message([5, 5, 5]), message([5, 5, 5, 5]))
    assert (first.stored, first.duplicates) == (4, 3)
    again = send(world, message([5, 5, 5]))
    assert (again.stored, again.duplicates) == (0, 3)
    assert count(world, ReadingRow) == 4


def test_the_first_value_of_an_instant_stays(world: Session) -> None:
    """A device that says another value for the same instant changes nothing, in one batch or in two."""
    send(world, message([5.0]), message([6.0]))
    send(world, message([7.0]))
    assert world.scalars(select(ReadingRow.temp_c)).all() == [5.0]


def test_what_cannot_be_used_is_kept_and_the_rest_counts(world: Session) -> None:
    """Undecodable bytes, an unknown device, a strange topic, a dead probe: dead letters beside good readings."""
    result = send(
        world,
        Incoming("labrelay/v1/LG-1/readings", b"\x00\xff garbage"),
        message([5.0], device="LG-9"),
        Incoming("other/topic", b"{}"),
        message([5.0, -127.0, 5.0]),
    )
    assert result.stored == 2
    assert sorted(world.scalars(select(DeadLetter.reason))) == [
        "bad_topic", "not_text", "probe_disconnected", "unknown_device",
    ]  # fmt: skip
    assert world.scalars(select(DeadLetter.raw).where(DeadLetter.reason == "not_text")).one() == b"\x00\xff garbage"
    send(world, Incoming("labrelay/v1/LG-1/readings", b"\x00\xff garbage"))
    assert count(world, DeadLetter) == 4


def test_a_wrong_clock_is_quarantined_and_can_be_released(world: Session) -> None:
    """More than five minutes ahead, or before commissioning: held with the reason; released with an offset."""
    now = START + timedelta(hours=1)
    result = send(
        world,
        message([5.0], start=START + timedelta(hours=3)),
        message([5.0], start=START - timedelta(days=9000)),
        message([5.0], start=now + 5 * MINUTE),
        now=now,
    )
    assert result.stored == 1
    held = world.scalars(select(QuarantinedReading).order_by(QuarantinedReading.at)).all()
    assert [row.reason for row in held] == ["before_commissioning", "in_future"]
    asked = quarantine.Asked()
    quarantine.release(world, asked, ids=[held[1].id], offset=-timedelta(hours=3), username="manager", now=now)
    world.commit()
    assert START in world.scalars(select(ReadingRow.at)).all()
    assert held[1].state == "released"


def test_receipts_and_holes(world: Session) -> None:
    """A receipt says up to where nothing is missing; a hole in the numbers is asked for."""
    result = send(world, message([5.0], seq=7), message([5.0], start=START + MINUTE, seq=8))
    assert [receipt.body() for receipt in result.receipts] == [{"stored_from": 7, "stored_up_to": 8, "stored": [7, 8]}]
    assert result.requests == []
    result = send(world, message([5.0], start=START + 9 * MINUTE, seq=12))
    assert result.receipts[0].stored_up_to == 8
    assert [request.body() for request in result.requests] == [{"from": 9, "to": 11}]
    result = send(world, *(message([5.0], start=START + n * MINUTE, seq=n) for n in (9, 10, 11)))
    assert result.receipts[0].stored_up_to == 12
    assert result.requests == []
    world.get_one(Device, "LG-1").receipts = False
    world.commit()
    assert send(world, message([5.0], seq=13)).receipts == []


def test_a_logger_that_counts_anew_is_not_told_to_forget(world: Session) -> None:
    """Its counter was lost: numbers that are stored already over readings that are new. Its receipts name only what
    came since; a message that is sent again is no such thing."""
    send(world, *(message([5.0], start=START + n * MINUTE, seq=n) for n in (1, 2, 3, 4)))
    again = send(world, message([5.0], start=START + 2 * MINUTE, seq=2))
    assert (again.receipts[0].stored_from, again.receipts[0].stored_up_to) == (1, 4)
    anew = send(world, message([5.0], start=START + 20 * MINUTE, seq=1))
    assert (anew.receipts[0].stored_from, anew.receipts[0].stored_up_to) == (1, 1)
    following = send(world, message([5.0], start=START + 21 * MINUTE, seq=2))
    assert following.receipts[0].body() == {"stored_from": 1, "stored_up_to": 2, "stored": [2]}
    assert following.requests == []


def test_an_excursion_opens_grows_and_ends(world: Session) -> None:
    """Ten readings one at a time: raised when half an hour is full, open while hot, ended when cold."""
    temps = [5, 9, 9, 9, 9, 9, 9, 9, 11, 5]
    seen = []
    for index, temp in enumerate(temps):
        at = START + index * 5 * MINUTE
        send(world, message([temp], start=at), now=at)
        seen.append([(row.state, row.max_c) for row in standing(world)])
    assert seen[6] == []
    assert seen[7] == [("open", 9.0)]
    assert seen[8] == [("open", 11.0)]
    assert seen[9] == [("ended", 11.0)]
    [row] = standing(world)
    assert row.start_at == START + 5 * MINUTE
    assert row.end_at == START + 45 * MINUTE
    assert row.minutes == 40
    assert row.profile["rules"][0]["limit_c"] == 8.0
    assert world.scalars(select(ExcursionChange.what).order_by(ExcursionChange.id)).all() == ["raised", "ended"]


def test_late_readings_split_and_withdraw(world: Session) -> None:
    """What was told late is judged in event time: a cold reading in the middle takes the excursion back."""
    hot = [START + i * 5 * MINUTE for i in range(9) if i != 4]
    for at in hot:
        send(world, message([9.0], start=at))
    [row] = standing(world)
    row.acknowledged_by = "manager"
    world.commit()
    send(world, message([5.0], start=START + 20 * MINUTE))
    assert standing(world) == []
    assert world.scalars(select(ExcursionChange.what).order_by(ExcursionChange.id)).all()[-1] == "withdrawn"


def test_a_late_begin_moves_an_excursion_and_keeps_its_acknowledgement(world: Session) -> None:
    """Earlier hot readings that arrive later make the same excursion longer, not another one."""
    send(world, message([9.0] * 8, start=START + 20 * MINUTE))
    [row] = standing(world)
    row.acknowledged_by = "manager"
    world.commit()
    send(world, message([9.0] * 4, start=START))
    [row] = standing(world)
    assert (row.start_at, row.acknowledged_by) == (START, "manager")


def test_any_order_of_batches_ends_the_same(world: Session) -> None:
    """A morning's readings shuffled, doubled and cut anyhow: the stored excursions are those of one sorted pass."""
    rnd = random.Random(5)
    temps = [rnd.choice([5.0, 5.0, 7.6, 8.4, 9.0, 9.0, 26.0, 1.0]) for _ in range(90)]
    series = [(START + i * 5 * MINUTE, temp) for i, temp in enumerate(temps) if i % 17]
    arrivals = series + rnd.sample(series, 20)
    rnd.shuffle(arrivals)
    end = START + timedelta(hours=8)
    while arrivals:
        take = [arrivals.pop() for _ in range(min(len(arrivals), rnd.randint(1, 9)))]
        send(world, *(message([temp], start=at) for at, temp in take), now=end)
    want = detect(series, profile_for("cold_2_8", 300), now=end)
    found = sorted(standing(world), key=lambda row: (row.rule_code, row.start_at))
    assert [
        (r.rule_code, r.start_at, r.end_at, r.max_c, r.min_c, round(r.minutes, 6), r.reading_count) for r in found
    ] == [
        (e.rule.code, e.start, e.end, e.max_c, e.min_c, round(e.minutes, 6), e.count)
        for e in sorted(want, key=lambda e: e.key)
    ]


def test_quiet_readings_in_any_order_read_no_history(world: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that share a logger's messages swap them: clear readings among clear ones cost no second look, a
    hot one among them does, and what follows it is judged rightly."""
    looked: list[datetime] = []
    real = evaluate._rederive

    def counted(session: Session, binding: evaluate.Bound, earliest: datetime, now: datetime) -> tuple[int, bool]:
        looked.append(earliest)
        return real(session, binding, earliest, now)

    monkeypatch.setattr(evaluate, "_rederive", counted)
    send(world, message([5.0]))
    assert looked == [START]
    for first in (20, 10, 30, 15, 25):
        send(world, message([5.0], start=START + first * MINUTE))
    assert looked == [START]
    send(world, message([30.0], start=START + 12 * MINUTE))
    assert [(row.start_at, row.end_at) for row in standing(world)] == [(START + 12 * MINUTE, START + 15 * MINUTE)]
    send(world, message([5.0], start=START + 13 * MINUTE))
    assert [row.end_at for row in standing(world)] == [START + 13 * MINUTE]
    assert looked == [START, START + 12 * MINUTE, START + 13 * MINUTE]
    send(world, message([5.0], start=START + 35 * MINUTE))
    assert len(looked) == 3


def test_a_logger_that_changes_boxes(world: Session) -> None:
    """Heat before the swap belongs to the first box, heat after it to the second; neither joins the other."""
    swap = START + 20 * MINUTE
    send(world, message([9.0] * 12))
    assert len(standing(world)) == 1
    devices.bind(world, "LG-1", "BX-T", at=swap, now=START + timedelta(hours=1))
    world.commit()
    assert queries.excursions(world, "BX-C") == []
    [row] = queries.excursions(world, "BX-T")
    assert row.start_at == swap


def test_a_warm_box_tells_the_laboratory_once(world: Session) -> None:
    """Tubes in the box: one alert for box and consignment, updated while it lasts, ended when it is over."""
    number = f.sealed(world)
    send(world, message([9.0] * 8), now=START + 35 * MINUTE)
    [alert] = world.scalars(select(Alert).where(Alert.kind == "excursion")).all()
    consignment = world.get_one(Consignment, number)
    assert (alert.site_code, alert.box_code, alert.state) == (consignment.destination_code, "BX-C", "open")
    assert len(alert.specimen_ids) == 2
    assert alert.params["value_c"] == 9.0
    send(world, message([9.0] * 7, start=START + 40 * MINUTE), now=START + 70 * MINUTE)
    send(world, message([5.0], start=START + 75 * MINUTE), now=START + 75 * MINUTE)
    world.refresh(alert)
    assert alert.state == "ended"
    assert world.scalar(select(func.count()).select_from(Alert).where(Alert.kind == "excursion")) == 1


def test_an_empty_box_raises_nothing_until_a_tube_joins(world: Session) -> None:
    """No tube, no alert; a tube that is packed into the warm box does raise it, at the next sweep."""
    send(world, message([9.0] * 8, start=START - 35 * MINUTE), now=START)
    assert world.scalars(select(Alert).where(Alert.kind == "excursion")).all() == []
    f.sealed(world)
    sweep.open_runs(world, now=START + 5 * MINUTE)
    sweep.open_runs(world, now=START + 6 * MINUTE)
    world.commit()
    [alert] = world.scalars(select(Alert).where(Alert.kind == "excursion")).all()
    assert [note.kind for note in alert.notes] == ["raised"]


def test_silence_is_its_own_state(world: Session) -> None:
    """Twenty minutes without a reading: silent; the run is over by a gap; an alert after the grace, ended by a word."""
    f.sealed(world)
    send(world, message([9.0] * 8), now=START + 35 * MINUTE)
    assert sweep.silence(world, now=START + 50 * MINUTE) == 0
    late = START + 62 * MINUTE
    assert sweep.silence(world, now=late) == 1
    assert sweep.open_runs(world, now=late) == 0
    world.commit()
    [row] = standing(world)
    assert (row.state, row.ended_by, row.end_at) == ("ended", "gap", START + 35 * MINUTE)
    [alert] = world.scalars(select(Alert).where(Alert.kind == "silence")).all()
    assert (alert.params["device"], alert.params["tubes"], alert.state) == ("LG-1", 2, "open")
    send(world, message([5.0], start=late), now=late)
    assert sweep.silence(world, now=late + MINUTE) == 0
    world.commit()
    world.refresh(alert)
    assert alert.state == "ended"
    assert world.get_one(Device, "LG-1").silent_since is None


def test_use_by_follows_the_box(world: Session) -> None:
    """In range nothing needs a decision; an hour and more above 25 °C does; silence makes it unknown."""
    f.sealed(world, ("A1",))
    send(world, message([5.0] * 13), now=START + timedelta(hours=1))
    tube = f.find(world, "A1")
    sweep.use_by(world, [tube.id], now=START + timedelta(hours=1))
    world.commit()
    assert (tube.stability, tube.use_by_at) == ("fit", START + timedelta(hours=48))
    sweep.use_by(world, [tube.id], now=START + timedelta(hours=3))
    assert f.find(world, "A1").stability == "unknown"
    send(world, message([30.0] * 25, start=START + timedelta(hours=1)), now=START + timedelta(hours=3))
    sweep.use_by(world, [tube.id], now=START + timedelta(hours=3))
    world.commit()
    hot = f.find(world, "A1")
    assert hot.stability == "outside"
    assert hot.use_by_at is not None
    assert hot.use_by_at < START + timedelta(hours=48)
    assert [t for part in sweep.clocks_due(world, now=START + timedelta(hours=4)) for t, _, _ in part] == [tube.id]
    assert world.get_one(Specimen, tube.id).use_by_test == "CBC"


def test_readings_by_http(world: Session) -> None:
    """A gateway posts a list: the same pipeline; only for its own devices; the shape is checked."""
    body = [{"device": "LG-1", "seq": 3, "readings": [{"at": START.isoformat(), "temp_c": 5.0}, {"at": "?"}]}]
    found = http.store_body(world, json.dumps(body).encode(), now=START)
    world.commit()
    assert found["messages"] == [
        {"device": "LG-1", "seq": 3, "stored": 1, "duplicates": 0, "quarantined": 0, "refused": ["time_unreadable"]}
    ]
    assert found["receipts"] == {"LG-1": {"stored_from": 3, "stored_up_to": 3, "stored": [3]}}
    with pytest.raises(Forbidden):
        http.store_body(world, json.dumps(body).encode(), now=START, allowed_devices={"LG-2"})
    for bad in (b"{", b"[]", b"[1]", b'{"readings": []}'):
        with pytest.raises(Invalid):
            http.store_body(world, bad, now=START)


def test_a_chart_keeps_every_extreme_and_shows_gaps(world: Session) -> None:
    """Two days by the minute thinned to a chart: the one hot minute is there, and so is the hole."""
    day = [5.0] * 1440
    day[777] = 31.0
    begin = START - timedelta(minutes=50)
    rows = [{"at": (begin + i * MINUTE).isoformat(), "temp_c": t} for i, t in enumerate(day) if not 300 < i < 340]
    send(
        world,
        Incoming("labrelay/v1/LG-1/readings", json.dumps({"readings": rows}).encode()),
        now=START + timedelta(days=2),
    )
    end = START + timedelta(days=2)
    [chart] = charting.lines(world, "BX-C", begin, end, now=end, points=200)
    assert chart.count == len(rows)
    assert len(chart.temps) < 250
    assert (chart.min_c, chart.max_c) == (5.0, 31.0)
    assert 31.0 in chart.temps
    assert chart.temps.count(None) == 1
    newest = queries.latest(world, ["BX-C", "BX-A"], now=START + timedelta(days=2))
    assert list(newest) == ["BX-C"]
    assert not newest["BX-C"].fresh


def test_series_around_holds_at_its_begin(world: Session) -> None:
    """The reading before an interval is given with it, because it holds there."""
    send(world, message([5.0, 6.0]))
    found = store.series_around(world, "LG-1", 1, START + 3 * MINUTE, None)
    assert [temp for _, temp in found] == [5.0, 6.0]
