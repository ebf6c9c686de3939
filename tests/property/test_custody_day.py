"""No sequence of acts breaks an invariant: moves drawn mostly from what fits, every act of the table among them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from logistics.domain.acts import Status
from logistics.services.acts import HANDLERS
from tests.property.day import invariants
from tests.property.day.faults import FAULTS, Patch
from tests.property.day.moves import fitting, tempting
from tests.property.day.world import Day, Move

EXAMPLES = {"sqlite": 100, "postgresql": 15}
FAULT_EXAMPLES = 200
MOVES = 14
MOST = 1_000_000
WEIGHT = {
    "hand_over": 8, "pack": 4, "receive": 3, "receive_unexpected": 3, "correct": 3, "seal": 2, "close_receipt": 2,
    "sign_handover": 2, "settle": 2,
}  # fmt: skip
Picks = Sequence[int]
Fault = Callable[[Patch], None]


@pytest.fixture
def day(session: Session) -> Day:
    return Day(session)


def play(day: Day, picks: Picks) -> None:
    """One move a pick: a type of act, then one of its moves; one in eight fitted earlier, two never do."""
    old: list[Move] = []
    choices: dict[str, list[Move]] = {}
    for pick in picks:
        choices = choices or fitting(day)
        old += [moves[-1] for moves in choices.values()]
        if day.do(_chosen(day, choices, old, pick)).status is Status.DONE:
            choices = {}  # things stand otherwise now


def _chosen(day: Day, choices: dict[str, list[Move]], old: list[Move], pick: int) -> Move:
    way, pick = pick % 8, pick // 8
    if way == 0:
        return old[pick % len(old)]
    if way in {1, 2}:
        choices = tempting(day)
    kinds = [kind for kind in sorted(choices) for _ in range(WEIGHT.get(kind, 1))]
    moves = choices[kinds[pick % len(kinds)]]
    return moves[pick // len(kinds) % len(moves)]


@pytest.mark.both_databases
def test_no_sequence_of_acts_breaks_an_invariant(day: Day, dialect: str) -> None:
    """One open consignment a tube, counts and manifests that reconcile, nothing received that was not handed over,
    nothing used that is on hold or recalled, no seal twice, a log that verifies and gives the same columns again."""

    @settings(
        max_examples=EXAMPLES[dialect], database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(picks=st.lists(st.integers(0, MOST), min_size=6, max_size=MOVES))
    def run(picks: list[int]) -> None:
        with day.example():
            play(day, picks)
            assert invariants.broken(day.session) == []

    run()


def examples(seed: int, count: int) -> list[list[int]]:
    chance = random.Random(seed)  # the same examples every time
    return [[chance.randrange(MOST) for _ in range(MOVES)] for _ in range(count)]


def test_every_act_is_among_the_moves_and_done(day: Day) -> None:
    """The moves reach all of the table: every type of act was done, and most of those that fit were."""
    for picks in examples(1, 60):
        with day.example():
            play(day, picks)
    done = {what for what, status in day.tally if status == "done"}
    assert HANDLERS.keys() - done == set()
    share = sum(n for (_, status), n in day.tally.items() if status == "done") / day.tally.total()
    assert share > 0.5


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(day: Day, monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Each rule that is broken on purpose breaks an invariant within two hundred examples."""
    fault(monkeypatch)
    for picks in examples(2, FAULT_EXAMPLES):
        with day.example():
            play(day, picks)
            if invariants.broken(day.session):
                return
    pytest.fail("nothing was found")
