"""Battery, lid and probe: told once when they matter, over once when they are well, whatever flickers between."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from telemetry.condition import Change, Seen, State, step
from tests.factories import START

MINUTE = timedelta(minutes=1)
FIVE = 5 * MINUTE


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def told(seen: list[Seen], state: State | None = None) -> list[tuple[str, float, float, bool]]:
    """(kind, began, known, over), in minutes."""
    _, changes = step(state or {}, seen, FIVE)
    return [(one.kind, (one.since - START) / MINUTE, (one.at - START) / MINUTE, one.ended) for one in changes]


def test_a_battery_has_hysteresis() -> None:
    """14 % is told; 16, 24 and 14 again are the same trouble; 26 % ends it."""
    seen = [Seen(at(n), 1, battery_pct=pct) for n, pct in enumerate((16, 14, 16, 24, 14, 26, 20))]
    assert told(seen) == [("battery", 1, 1, False), ("battery", 1, 5, True)]


def test_a_lid_open_too_long() -> None:
    """Open for 10 minutes is told at the reading that says so; less is nobody's business."""
    lid = [True, True, False, True, True, True, True, False, True, False, False]
    seen = [Seen(at(5 * n), 1, lid_open=is_open) for n, is_open in enumerate(lid)]
    # Closed at 35, open again at 40: the same; closed from 45 on, which the reading at 50 makes sure.
    assert told(seen) == [("lid", 15, 25, False), ("lid", 15, 45, True)]


def test_a_probe_that_is_off() -> None:
    """One 85 °C at power-up is nothing. Faults over two intervals are told; good readings over two end it."""
    faults = [True, False, True, True, True, False, True, False, False, False]
    seen = [Seen(at(5 * n), 2, fault=fault) for n, fault in enumerate(faults)]
    assert told(seen) == [("probe", 10, 20, False), ("probe", 10, 35, True)]


def test_each_probe_has_its_own() -> None:
    """Probe 1 measures on while probe 2 is off."""
    seen = [Seen(at(5 * n), probe, fault=probe == 2) for n in range(3) for probe in (1, 2)]
    state, changes = step({}, seen, FIVE)
    assert [(one.kind, one.probe) for one in changes] == [("probe", 2)]
    assert set(state) == {"probe:2"}


seen_lists = st.lists(
    st.builds(
        Seen,
        at=st.integers(0, 300).map(at),
        probe=st.integers(1, 2),
        fault=st.booleans(),
        lid_open=st.none() | st.booleans(),
        battery_pct=st.none() | st.floats(0, 100),
    ),
    max_size=30,
)


@given(seen=seen_lists)
def test_told_and_over_take_turns(seen: list[Seen]) -> None:
    """For every device and kind: told, over, told, over … and a day of good readings leaves nothing behind."""
    state, changes = step({}, seen, FIVE)
    well = [Seen(at(400 + 10 * n), probe, lid_open=False, battery_pct=90) for n in range(4) for probe in (1, 2)]
    after, last = step(state, well, FIVE)
    assert after == {}
    by_key: dict[tuple[str, int], list[Change]] = {}
    for one in [*changes, *last]:
        by_key.setdefault((one.kind, 0 if one.kind == "battery" else one.probe), []).append(one)
    for line in by_key.values():
        assert [one.ended for one in line] == [n % 2 == 1 for n in range(len(line))]
        assert len(line) % 2 == 0
        assert all(before.since == after.since for before, after in list(pairwise(line))[::2])


@given(seen=seen_lists, cut=st.integers(0, 30))
def test_batches_change_nothing(seen: list[Seen], cut: int) -> None:
    """In order, cut anywhere into two batches: the same state and the same is told."""
    seen = sorted(seen, key=lambda one: (one.at, one.probe))
    whole = step({}, seen, FIVE)
    state, first = step({}, seen[:cut], FIVE)
    state, second = step(state, seen[cut:], FIVE)
    assert (state, [*first, *second]) == whole
