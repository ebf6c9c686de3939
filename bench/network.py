"""Network design on the 77 sites of Xianning, and how near the estimate is to planned rounds.

``python -m bench.network`` prints the best network, the best with today's laboratories and today's, then plans one
round of each laboratory with the engine and puts its kilometres beside the estimate. Amounts are invented.
"""

from __future__ import annotations

import argparse

from bench.xianning import CITY, HOUR_S, read_sites
from routing import COLD_2_8, Courier, Problem, Request, Site
from routing.network import Design, Level, Place, Terms, design
from routing.solve import SolveParams, solve
from routing.travel import GeodesicProvider, TravelMatrix

LEVELS = {"township": Level.TOWNSHIP, "county_centre": Level.CENTRE, "city_centre": Level.CITY}


def places() -> list[Place]:
    """The 77 sites: a township sends two to four boxes a day to its own county centre, a centre four to the city."""
    found = []
    for number, (level, site) in enumerate(read_sites()):
        township = level == "township"
        today = f"H{site.id[:6]}" if township else ""
        found.append(Place(site, LEVELS[level], 2.0 + number % 3 if township else 4.0, today))
    return found


def table(name: str, found: Design) -> str:
    """One design in two or more lines."""
    changed = sum(line.changed for line in found.lines)
    direct = sum(line.hub == CITY for line in found.lines)
    hubs = ", ".join(f"{hub.site_id} {hub.townships}×{hub.rounds}" for hub in found.hubs if hub.townships)
    proof = "" if found.bound is None else f", bound {found.bound:.0f}" + (" (proven)" if found.proven else "")
    return (
        f"{name:18} cost {found.cost:8.0f}{proof}, {found.km_per_day:6.0f} km, {found.hours_per_day:5.1f} h, "
        f"{found.couriers:2} couriers, turnaround {found.mean_turnaround_s / HOUR_S:.1f} h, {changed} changed, "
        f"{direct} straight to the city, {len(found.unserved)} unserved\n{'':18} townships × rounds: {hubs}"
    )


def engine_km(found: Design, sites: dict[str, Site], terms: Terms, seconds: float) -> dict[str, tuple[float, float]]:
    """One planned round of each laboratory: estimated and planned kilometres a day, trunk runs left out."""
    answer = {}
    for hub in found.hubs:
        mine = [line for line in found.lines if line.hub == hub.site_id]
        if not mine:
            continue
        inside = [sites[hub.site_id], *(sites[line.site_id] for line in mine)]
        travel = GeodesicProvider().matrix(inside)
        plan = solve(_round(inside, terms), SolveParams(seconds=seconds), travel=travel)
        answer[hub.site_id] = (sum(line.km_per_day for line in mine), plan.distance_m / 1000 * hub.rounds)
    return answer


def _round(inside: list[Site], terms: Terms) -> Problem:
    hub, *townships = [Site(site.id, site.lat, site.lon) for site in inside]
    start_s, end_s = 8 * HOUR_S, 8 * HOUR_S + terms.shift_s
    requests = [
        Request(site.id, site.id, hub.id, {COLD_2_8: 1}, start_s, end_s, end_s, terms.max_ride_s, terms.service_s, 0)
        for site in townships
    ]
    couriers = [
        Courier(f"C{i}", hub.id, hub.id, start_s, end_s, {COLD_2_8: terms.boxes_per_car}, None, 0.0, 1.0, 0.0)
        for i in range(max(3, len(townships) // 3))
    ]
    return Problem((hub, *townships), tuple(requests), tuple(couriers))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="for the choice (default 20)")
    parser.add_argument("--round-seconds", type=float, default=2.0, help="for each planned round (default 2)")
    options = parser.parse_args()
    everything, terms = places(), Terms()
    sites = {place.site.id: place.site for place in everything}
    travel: TravelMatrix = GeodesicProvider().matrix([place.site for place in everything])
    result = design(everything, travel, terms, seconds=options.seconds)
    for name, found in (("best", result.best), ("today's hubs", result.same_hubs), ("today", result.today)):
        print(table(name, found))
    print("\nkm a day to townships, estimated against planned by the engine")
    for name, found in (("best", result.best), ("today", result.today)):
        both = engine_km(found, sites, terms, options.round_seconds)
        for hub, (estimate, planned) in both.items():
            print(f"  {name:6} {hub:8} {estimate:7.0f} {planned:7.0f}  {estimate / planned - 1:+.0%}")
        estimate, planned = (sum(pair[i] for pair in both.values()) for i in (0, 1))
        print(f"  {name:6} all      {estimate:7.0f} {planned:7.0f}  {estimate / planned - 1:+.0%}")


if __name__ == "__main__":
    main()
