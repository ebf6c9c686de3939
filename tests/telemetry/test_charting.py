"""What a chart shows: no extreme lost, no gap joined, every probe; answered from many readings."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from telemetry import charting, devices
from telemetry.ingest import Incoming, store_batch
from tests import factories as f
from tests.factories import START

MINUTE = timedelta(minutes=1)


@given(st.lists(st.integers(-400, 400), max_size=400), st.integers(8, 120))
def test_thinning_keeps_the_extremes_of_every_bucket(tenths: list[int], points: int) -> None:
    """Of each bucket the lowest and the highest reading are drawn, and first and last of all; about ``points``."""
    temps = [value / 10 for value in tenths]
    kept = charting.thin(temps, points)
    assert kept == sorted(set(kept))
    assert len(kept) <= max(points, 8) + 4
    if not temps:
        return
    assert {0, len(temps) - 1} <= set(kept)
    size = len(temps) if len(temps) <= points else -(-len(temps) * charting.KEPT_A_BUCKET // points)
    for begin in range(0, len(temps), max(1, size)):
        bucket = temps[begin : begin + max(1, size)]
        shown = [temps[index] for index in kept if begin <= index < begin + len(bucket)]
        assert (min(shown), max(shown)) == (min(bucket), max(bucket))


@given(st.lists(st.tuples(st.sampled_from([60, 60, 300, 601, 4000]), st.integers(-50, 300)), min_size=1, max_size=200),
       st.integers(8, 60))  # fmt: skip
def test_a_gap_is_never_joined(pieces: list[tuple[int, int]], points: int) -> None:
    """Between two drawn readings with a longer silence between them stands a hole, however much was left out."""
    times, at = [], 0.0
    for seconds, _ in pieces:
        at += seconds
        times.append(at)
    drawn = charting.line("LG", 1, times, [value / 10 for _, value in pieces], 10 * MINUTE, points, until=at)
    silent = [(a, b) for a, b in pairwise(times) if b - a > 600]
    assert drawn.gaps == silent
    for begin, end in silent:
        between = [temp for at, temp in zip(drawn.times, drawn.temps, strict=True) if begin < at < end]
        assert between == [None]


@pytest.mark.both_databases
def test_every_probe_of_a_box_is_a_line(session: Session) -> None:
    """Two probes, a month by the minute for one of them: thinned, the hot minute there, the silence at the end too."""
    f.world(session)
    before = START - timedelta(days=40)
    devices.register(session, "LG-1", now=before, interval_s=60)
    for probe in (1, 2):
        devices.bind(session, "LG-1", "BX-C", at=before, now=before, probe=probe)
    begin = START - timedelta(days=3)
    rows = [{"at": (begin + i * MINUTE).isoformat(), "temp_c": 31.0 if i == 777 else 5.0} for i in range(4000)]
    rows += [{"at": (begin + i * 30 * MINUTE).isoformat(), "temp_c": 6.0, "probe": 2} for i in range(3)]
    for first in range(0, len(rows), 1000):
        body = json.dumps({"readings": rows[first : first + 1000]}).encode()
        store_batch(session, [Incoming("labrelay/v1/LG-1/readings", body)], now=START)
    session.commit()
    one, two = charting.lines(session, "BX-C", begin, START, now=START, points=400)
    assert (one.count, one.thinned, one.min_c, one.max_c) == (4000, True, 5.0, 31.0)
    assert len(one.times) < 450
    hot = one.times[one.temps.index(31.0)]
    assert hot == (begin + 777 * MINUTE).timestamp()
    assert one.gaps == [((begin + 3999 * MINUTE).timestamp(), START.timestamp())]
    assert (two.count, two.temps) == (3, [6.0, None, 6.0, None, 6.0])


@pytest.mark.both_databases
def test_a_gap_is_what_the_logger_itself_left_out(session: Session) -> None:
    """Five minutes without a reading are a gap for a logger of one minute, though no silence yet, and none for one of
    five minutes."""
    f.world(session)
    minutes = [*range(5), *range(10, 15)]
    for code, interval_s in (("LG-1", 60), ("LG-2", 300)):
        devices.register(session, code, now=START, interval_s=interval_s)
        devices.bind(session, code, "BX-C", at=START, now=START, probe=1)
        rows = [{"at": (START + i * MINUTE).isoformat(), "temp_c": 5.0} for i in minutes]
        body = json.dumps({"readings": rows}).encode()
        store_batch(session, [Incoming(f"labrelay/v1/{code}/readings", body)], now=START + 15 * MINUTE)
    session.commit()
    end = START + 15 * MINUTE
    one, two = charting.lines(session, "BX-C", START, end, now=end)
    assert one.gaps == [((START + 4 * MINUTE).timestamp(), (START + 10 * MINUTE).timestamp())]
    assert two.gaps == []


def test_what_was_asked_for_in_pieces_is_one_line_a_probe() -> None:
    """A tube that went back into its box: one line, a hole between the stays, and no gap at the end of the first."""
    first = charting.line("LG", 1, [0.0, 60.0], [4.0, 5.0], MINUTE * 2.5, 100, until=600.0)
    other = charting.line("LG", 2, [0.0], [7.0], MINUTE * 2.5, 100, until=0.0)
    later = charting.line("LG", 1, [900.0, 960.0], [3.0, 6.0], MINUTE * 2.5, 100, until=960.0)
    whole, second = charting.joined([first, other, later])
    assert second == other
    assert (whole.times, whole.temps) == ([0.0, 60.0, 480.0, 900.0, 960.0], [4.0, 5.0, None, 3.0, 6.0])
    assert whole.gaps == [(60.0, 900.0)]
    assert (whole.count, whole.min_c, whole.max_c) == (4, 3.0, 6.0)
