"""Road times from an OSRM server over HTTP."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import numpy as np

from routing.problem import Site
from routing.travel.base import Int32Matrix, TravelError, TravelMatrix


class OsrmProvider:
    """Road times from an OSRM server (``/table/v1``), asked in blocks that a default server accepts.

    Raises ``osrm_unreachable``, ``osrm_refused`` (status or code of the server), ``osrm_bad_answer`` and
    ``osrm_no_route`` (a pair without a road between: site and other).
    """

    def __init__(
        self,
        url: str,
        *,
        profile: str = "driving",
        timeout_s: float = 10.0,
        block: int = 50,
        client: httpx.Client | None = None,
    ) -> None:
        self._base = f"{url.rstrip('/')}/table/v1/{profile}/"
        self._block = block
        self._client = client or httpx.Client(timeout=timeout_s)

    def matrix(self, points: Sequence[Site]) -> TravelMatrix:
        """Seconds and metres by road, rounded."""
        size = len(points)
        travel_s = np.zeros((size, size), dtype=np.int32)
        distance_m = np.zeros((size, size), dtype=np.int32)
        blocks = [range(at, min(at + self._block, size)) for at in range(0, size, self._block)]
        for rows in blocks:
            for columns in blocks:
                self._fill(points, rows, columns, travel_s, distance_m)
        return TravelMatrix(tuple(point.id for point in points), travel_s, distance_m, "osrm")

    def _fill(
        self,
        points: Sequence[Site],
        rows: range,
        columns: range,
        travel_s: Int32Matrix,
        distance_m: Int32Matrix,
    ) -> None:
        answer = self._ask([points[row] for row in rows], [points[column] for column in columns])
        for name, target in (("durations", travel_s), ("distances", distance_m)):
            table = answer.get(name)
            if not isinstance(table, list) or len(table) != len(rows):
                raise TravelError("osrm_bad_answer", field=name)
            for row, values in zip(rows, table, strict=True):
                if not isinstance(values, list) or len(values) != len(columns):
                    raise TravelError("osrm_bad_answer", field=name)
                for column, value in zip(columns, values, strict=True):
                    if value is None:
                        raise TravelError("osrm_no_route", site=points[row].id, other=points[column].id)
                    target[row, column] = 0 if row == column else round(value)

    def _ask(self, origins: Sequence[Site], targets: Sequence[Site]) -> dict[str, object]:
        places = ";".join(f"{point.lon:.6f},{point.lat:.6f}" for point in (*origins, *targets))
        query = {
            "annotations": "duration,distance",
            "sources": ";".join(str(i) for i in range(len(origins))),
            "destinations": ";".join(str(len(origins) + i) for i in range(len(targets))),
        }
        try:
            response = self._client.get(self._base + places, params=query)
        except httpx.HTTPError as error:
            raise TravelError("osrm_unreachable", detail=type(error).__name__) from error
        try:
            answer = response.json()
        except ValueError as error:
            raise TravelError("osrm_bad_answer", status=response.status_code) from error
        if not isinstance(answer, dict):
            raise TravelError("osrm_bad_answer", status=response.status_code)
        if response.status_code != httpx.codes.OK or answer.get("code") != "Ok":
            raise TravelError("osrm_refused", status=response.status_code, answer=str(answer.get("code", "")))
        return answer
