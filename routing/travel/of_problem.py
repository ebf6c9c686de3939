"""Which travel a problem is planned with."""

from __future__ import annotations

from routing.problem import Problem
from routing.travel.base import TravelMatrix, TravelProvider
from routing.travel.geodesic import GeodesicProvider
from routing.travel.table import MatrixProvider


def travel_matrix(problem: Problem, provider: TravelProvider | None = None) -> TravelMatrix:
    """Travel between the problem's sites: its own table first, then the provider, then the geodesic model.

    Raises :class:`routing.travel.TravelError` when the provider cannot answer.
    """
    if problem.travel is not None:
        return MatrixProvider(problem.travel).matrix(problem.sites)
    return (provider or GeodesicProvider()).matrix(problem.sites)
