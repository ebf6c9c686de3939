"""Routes that the search makes for its set partitioning: each may be driven and costs what is noted beside it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.darp import read
from routing.instance import Instance
from routing.search import lns
from routing.search.arrays import Arrays, from_instance
from routing.search.desk import desk
from routing.search.engine import Engine, Limits
from routing.search.evaluate import evaluate
from routing.search.packed import pack
from routing.search.partition import Columns, gather, reduced_by, relax
from routing.search.pricing import Pricing, price
from routing.travel import travel_matrix
from tests.routing.rich import rich_problem

DATA = Path(__file__).parent / "data"
NOBODY = np.zeros(0, dtype=np.uint64)


def searched(arrays: Arrays, rounds: int = 200) -> Engine:
    engine = Engine(arrays, Limits(rounds=rounds))
    engine.run()
    return engine


def met(engine: Engine) -> Columns:
    return gather([one.pool for one in engine.searchers], len(engine.arrays.load), NOBODY)


def priced(engine: Engine, limit: float) -> None:
    columns = met(engine)
    relaxed = relax(engine.arrays, columns)
    assert relaxed is not None
    with ThreadPoolExecutor(1) as threads:
        terms = Pricing(limit, most=30, until=np.inf)
        price(engine.arrays, engine.packed, engine.searchers, columns, relaxed, terms, set(), threads)


@settings(max_examples=15, deadline=None)
@given(st.integers(min_value=0, max_value=1_000_000))
def test_every_route_costs_what_is_noted(seed: int) -> None:
    """Breaks, speed bands, several windows, foes: evaluated anew, each route costs what stands beside it."""
    problem = rich_problem(seed)
    instance = Instance(problem, travel_matrix(problem))
    everyone = [range(len(problem.couriers)) for _ in problem.requests]
    engine = searched(from_instance(instance, range(len(problem.requests)), everyone), rounds=20)
    if len(met(engine).cost) == 0:
        return
    priced(engine, limit=1e6)
    packed, room, columns = pack(engine.arrays), desk(engine.arrays), met(engine)
    for kind, cost, size, nodes in zip(columns.kind, columns.cost, columns.size, columns.nodes, strict=True):
        again = evaluate(packed, int(kind), nodes[:size].astype(np.int64), int(size), room)
        assert again == pytest.approx(float(cost), abs=1e-6)


def test_neighbours_bring_the_relaxation_down() -> None:
    """New routes make the relaxation of a short search cheaper."""
    engine = searched(read(DATA / "a3-24.txt").arrays, rounds=60)
    before = relax(engine.arrays, met(engine))
    for _ in range(6):
        priced(engine, limit=20.0)
    after = relax(engine.arrays, met(engine))
    assert before is not None
    assert after is not None
    assert after.value < before.value - 1.0


def test_a_full_pool_forgets_what_is_dear() -> None:
    """What is left costs at most the limit over its requests' prices, and is found under its mark as before."""
    engine = searched(read(DATA / "a3-24.txt").arrays)
    columns = met(engine)
    relaxed = relax(engine.arrays, columns)
    assert relaxed is not None
    limit = float(np.quantile(relaxed.reduced, 0.5))
    pool = engine.searchers[0].pool
    lns.forget(pool, len(engine.arrays.load), relaxed.worth, relaxed.rents, limit)
    left = met(engine)
    assert 0 < len(left.cost) < len(columns.cost)
    assert pool.held[0] == len(left.cost)
    assert reduced_by(left, relaxed.worth, relaxed.rents).max() <= limit + 1e-9
    assert set(left.body.tolist()) == set(columns.body[relaxed.reduced <= limit].tolist())
