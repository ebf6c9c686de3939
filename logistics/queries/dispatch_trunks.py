"""The trunk runs of a plan as the dispatcher reads them: what makes each, what does not, and what missing costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from logistics.models import Plan
from logistics.services import planning_tiers
from logistics.services.planning_problem import DayClock
from routing.connections import Chain, Connections, Missing, Run

Pickup = Callable[[str], dict[str, Any]]


def trunks(row: Plan, sites: Mapping[str, Any], people: Mapping[str, str], pickup: Pickup) -> list[dict[str, Any]]:
    """A line for each county centre, in order of its code."""
    found = planning_tiers.connections(row)
    tiers = planning_tiers.tiers_of(row)
    if found is None or tiers is None:
        return []
    view = _View(DayClock(row.day), people, pickup)
    return [
        {
            "centre": hub.site_id,
            "name": sites[hub.site_id]["name"] if hub.site_id in sites else hub.site_id,
            "sorting_min": hub.transfer_s // 60,
            "runs": [view.run(run, found) for run in found.runs if run.departure.centre == hub.site_id],
            "missed": [
                view.missed(chain)
                for chain in found.chains
                if chain.centre == hub.site_id and chain.trunk is None and chain.legs
            ],
            "left_out": [
                view.pickup(chain.request_id)
                for chain in found.chains
                if chain.centre == hub.site_id and not chain.legs
            ],
        }
        for hub in tiers.hubs
    ]


class _View:
    def __init__(self, clock: DayClock, people: Mapping[str, str], pickup: Pickup) -> None:
        self.clock, self.people, self.pickup = clock, people, pickup

    def at(self, seconds: int | None) -> str | None:
        return None if seconds is None else self.clock.at(seconds).isoformat()

    def run(self, run: Run, found: Connections) -> dict[str, Any]:
        departure = run.departure
        chains = {chain.request_id: chain for chain in found.chains}
        return {
            "request": departure.request_id,
            "departs_at": self.at(departure.departs_s),
            "city_at": self.at(departure.city_s),
            "courier": departure.courier_id,
            "courier_name": self.people.get(departure.courier_id, departure.courier_id),
            "next_at": self.at(run.next_s),
            "extra_at": self.at(run.extra_s),
            "boxes": [self._box(chains[one.request_id], one) for one in run.missing],
            "too_late": sum(one.too_late for one in run.missing),
        }

    def missed(self, chain: Chain) -> dict[str, Any]:
        return self._box(chain, chain.missed)

    def _box(self, chain: Chain, missing: Missing | None) -> dict[str, Any]:
        return {
            **self.pickup(chain.request_id),
            "sorted_at": self.at(chain.sorted_s),
            "city_due_at": self.at(chain.due_s),
            "in_time": chain.in_time,
            "delay_s": missing.delay_s if missing else None,
            "late_at": self.at(missing.city_s) if missing else None,
            "too_late": missing.too_late if missing else None,
        }
