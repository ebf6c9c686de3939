"""Fixtures of the routing tests: the tiny instance of ``cases`` and its plan."""

from __future__ import annotations

import pytest

from routing.plan import Plan
from routing.problem import Problem
from routing.travel import TravelMatrix, travel_matrix
from tests.routing import cases


@pytest.fixture
def tiny() -> Problem:
    """Two requests (A and B), one courier, all possible."""
    return cases.problem()


@pytest.fixture
def tiny_travel(tiny: Problem) -> TravelMatrix:
    """Its matrix."""
    return travel_matrix(tiny)


@pytest.fixture(scope="session")
def tiny_plan() -> Plan:
    """Its plan, solved once."""
    return cases.planned(cases.problem())
