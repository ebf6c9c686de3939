"""The compiled search: its kernels say what the plain reference says, and it finds what is known to be best."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing.darp import DarpError, cost_of, faults, read
from routing.driven import driven
from routing.insertion import clash, loads_hold
from routing.instance import Instance
from routing.prune import prune
from routing.search.arrays import Arrays, from_instance
from routing.search.desk import NEVER, desk
from routing.search.engine import Engine, Limits
from routing.search.evaluate import evaluate
from routing.search.packed import PLAIN, pack
from routing.search.partition import Budget, choose, gather, relax
from routing.travel import travel_matrix
from tests.routing.cases import random_problem
from tests.routing.rich import rich_problem

SEEDS = st.integers(min_value=0, max_value=1_000_000)
DATA = Path(__file__).parent / "data"


def _both_ways(instance: Instance, seed: int) -> int:
    """Compare kernel and reference over random orders; how many of them may be driven."""
    rng = random.Random(seed)
    possible = tuple(range(len(instance.requests)))
    everyone = tuple(tuple(range(len(instance.couriers))) for _ in possible)
    arrays = from_instance(instance, possible, everyone)
    packed, room = pack(arrays), desk(arrays)
    n, driveable = len(possible), 0
    for courier in range(len(instance.couriers)):
        for _ in range(6):
            some = rng.sample(possible, rng.randint(1, min(4, n)))
            order = _random_order(rng, instance, some)
            nodes = np.array([v if v >= 0 else n + ~v for v in order], dtype=np.int64)
            cost = evaluate(packed, int(arrays.slot_type[courier]), nodes, len(nodes), room)
            way = driven(instance, courier, order)
            fits = loads_hold(instance, instance.capacity[courier], order) and clash(instance, order) is None
            if way is None or not fits:
                assert cost >= NEVER
            else:
                assert cost == pytest.approx(way.cost, abs=1e-5)
                driveable += 1
    return driveable


def _random_order(rng: random.Random, instance: Instance, some: list[int]) -> tuple[int, ...]:
    order: list[int] = []
    for request in some:
        if instance.aboard_of[request] is not None:
            order.insert(rng.randint(0, len(order)), ~request)
            continue
        first = rng.randint(0, len(order))
        order.insert(first, request)
        order.insert(rng.randint(first + 1, len(order)), ~request)
    return tuple(order)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEEDS)
def test_the_kernel_agrees_with_the_reference(seed: int) -> None:
    """Breaks, speed by hour, several windows, loads aboard, foes, lateness, promises: same verdict, same cost."""
    case = rich_problem(seed)
    _both_ways(Instance(case, travel_matrix(case)), seed)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEEDS)
def test_plain_problems_too(seed: int) -> None:
    """The quick way of plain problems says the same as the reference."""
    case = random_problem(seed)
    _both_ways(Instance(case, travel_matrix(case)), seed)


def test_both_ways_of_the_kernel_are_tried() -> None:
    """Of the generated problems some are plain and some are not, and many of their orders may be driven."""
    plain, driveable = set(), 0
    for seed in range(40):
        instance = Instance(case := (rich_problem if seed % 2 else random_problem)(seed), travel_matrix(case))
        plain.add(bool(pack(_arrays(instance)).i[PLAIN]))
        driveable += _both_ways(instance, seed)
    assert plain == {True, False}
    assert driveable > 40


def _arrays(instance: Instance) -> Arrays:
    pruned = prune(instance)
    return from_instance(instance, pruned.possible, pruned.allowed)


@pytest.mark.parametrize(("name", "optimum"), [("a2-16", 294.2480), ("a3-24", 344.8336)])
def test_the_proven_optimum_is_found(name: str, optimum: float) -> None:
    """Small dial-a-ride instances to their proven optimum, by rounds, not by the clock."""
    instance = read(DATA / f"{name}.txt")
    found, cost, _ = Engine(instance.arrays, Limits(rounds=60_000)).run()
    tours = [[node + 1 for node in nodes] for nodes in found if nodes]
    assert faults(instance, tours) == []
    assert cost == pytest.approx(optimum, abs=1e-3)
    assert cost_of(instance, tours) == pytest.approx(cost, abs=1e-6)


def test_the_same_seed_gives_the_same_routes() -> None:
    """One worker, a limit of rounds: the same routes each time, and other ones from another seed's way there."""
    instance = read(DATA / "a3-24.txt")
    runs = [Engine(instance.arrays, Limits(rounds=300, seed=seed)).run()[:2] for seed in (1, 1)]
    assert runs[0] == runs[1]


def test_the_goal_ends_the_search() -> None:
    """A plan as cheap as a known bound cannot be beaten: the minute that was allowed is not used."""
    instance = read(DATA / "a2-16.txt")
    engine = Engine(instance.arrays, Limits(seconds=60, goal=294.2481))
    assert engine.run()[1] == pytest.approx(294.2480, abs=1e-3)
    assert engine._spent() < 30


def test_the_partitioning_takes_the_best_of_what_was_met() -> None:
    """From the routes that a search met, none costs less than its own best plan, and a worse limit is beaten."""
    instance = read(DATA / "a3-24.txt")
    engine = Engine(instance.arrays, Limits(rounds=800))
    _, cost, _ = engine.run()
    nobody = np.zeros(0, dtype=np.uint64)
    columns = gather([one.pool for one in engine.searchers], instance.requests, nobody)
    relaxed = relax(instance.arrays, columns)
    assert relaxed is not None
    picked = choose(instance.arrays, columns, relaxed, cost + 5.0, nobody, Budget(20.0, True))
    assert picked is not None
    routes = [[int(node) + 1 for node in nodes] for _, nodes in picked]
    assert faults(instance, routes) == []
    assert cost_of(instance, routes) <= cost + 1e-6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1"),
        ("2 1 480 3", "line 1"),
        ("2 1 480 3 30\n0 0 0 0 0 0 480\n1 x 0 3 1 0 9", "line 3"),
        ("2 1 480 3 30\n0 0 0 0 0 0 480\n1 0 0 3", "line 3"),
        ("2 9 480 3 30\n0 0 0 0 0 0 480", "do not go with"),
    ],
)
def test_a_file_that_is_no_instance_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """The message names the line."""
    path = tmp_path / "bad.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DarpError, match=said):
        read(path)


def test_broken_tours_are_noticed() -> None:
    """The plain simulation finds what is out of order, too long, too full, too many and served twice."""
    instance = read(DATA / "a2-16.txt")
    assert any("before" in fault for fault in faults(instance, [[17, 1]]))
    assert any("never delivered" in fault for fault in faults(instance, [[1]]))
    assert any("tours for" in fault for fault in faults(instance, [[1, 17], [2, 18], [3, 19]]))
    assert any("times" in fault for fault in faults(instance, [[1, 17], [1, 17]]))
    long = [1, *range(2, 17), *range(18, 33), 17]
    assert any("too full" in fault for fault in faults(instance, [long]))
    assert any("no schedule" in fault for fault in faults(instance, [long]))
