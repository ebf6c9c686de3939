"""Seconds and metres between sites: providers, their cache, calibration, and what happens when a server is away.

``base``: the protocol · ``geodesic``: the embedded estimate · ``calibration`` and ``fitting``: its numbers from
recorded legs · ``osrm``: a road server · ``table``: an uploaded matrix · ``cache``: remembering and falling back.
"""

from routing.travel.base import Int32Matrix, TravelError, TravelMatrix, TravelProvider
from routing.travel.cache import CachedProvider, FallbackProvider
from routing.travel.calibration import Calibration, Errors, Road
from routing.travel.geodesic import FAST_FROM_M, FAST_KMH, SLOW_UNTIL_M, GeodesicProvider, road_time_s
from routing.travel.of_problem import travel_matrix
from routing.travel.osrm import OsrmProvider
from routing.travel.table import MatrixProvider, read_matrix

__all__ = [
    "FAST_FROM_M",
    "FAST_KMH",
    "SLOW_UNTIL_M",
    "CachedProvider",
    "Calibration",
    "Errors",
    "FallbackProvider",
    "GeodesicProvider",
    "Int32Matrix",
    "MatrixProvider",
    "OsrmProvider",
    "Road",
    "TravelError",
    "TravelMatrix",
    "TravelProvider",
    "read_matrix",
    "road_time_s",
    "travel_matrix",
]
