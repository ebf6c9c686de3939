"""Dial-a-ride instances with proven optima: how near the search comes, beside OR-Tools' own routing search.

``python -m bench.darp DIR --optima OPTIMA.csv --seconds 60 --workers 2 --out DIR`` prints one line an instance
(cost, optimum, gap, seconds to the best, unserved) and writes the routes as JSON, nodes numbered as in the instance.
``--baseline`` also runs OR-Tools (guided local search) for the same time on each.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import time
from pathlib import Path

from bench.darp_baseline import baseline
from routing.darp import DarpInstance, cost_of, faults, read
from routing.search.engine import Engine, Limits, Routes


def main() -> int:
    """Solve every instance; 1 when a plan breaks a rule."""
    options = _options()
    optima = _optima(options.optima)
    paths = sorted(options.instances.glob("*.txt")) if options.instances.is_dir() else [options.instances]
    wanted = set(options.only.split(",")) if options.only else None
    print(f"{'instance':10} {'cost':>11} {'optimum':>11} {'gap %':>8} {'best at s':>9} {'unserved':>8}", flush=True)
    gaps, broken = [], 0
    for path in paths:
        if wanted is not None and path.stem not in wanted:
            continue
        instance = read(path)
        routes, cost, best_s = solve(instance, options)
        wrong = faults(instance, routes)
        broken += bool(wrong)
        optimum = optima.get(path.stem)
        gap = math.nan if optimum is None else 100 * (cost / optimum - 1)
        gaps.append(gap)
        left = instance.requests - sum(len(route) for route in routes) // 2
        line = f"{path.stem:10} {cost:11.4f} {optimum or math.nan:11.4f} {gap:8.4f} {best_s:9.2f} {left:8d}"
        if options.baseline:
            plain = baseline(instance, options.seconds)
            other = cost_of(instance, plain) if plain else math.nan
            line += f"   OR-Tools {other:.4f} ({100 * (other / (optimum or cost) - 1):.2f} %)"
        print(line, *wrong[:2], flush=True)
        if options.out:
            _write(options.out, path.stem, cost, routes)
    known = [gap for gap in gaps if not math.isnan(gap)]
    if known:
        met = sum(gap < 1e-3 for gap in known)
        print(f"mean gap {sum(known) / len(known):.4f} %, worst {max(known):.4f} %, optimum met {met} of {len(known)}")
    return 1 if broken else 0


def solve(instance: DarpInstance, options: argparse.Namespace) -> tuple[Routes, float, float]:
    """Routes (instance's node numbers, vehicles that stay at the depot left out), cost, seconds to the best."""
    when = [0.0]
    began = time.monotonic()

    def better(_seconds: float, _cost: float, _routes: Routes) -> None:
        when[0] = time.monotonic() - began

    limits = Limits(options.seconds, None, options.workers, options.seed)
    found, _, _ = Engine(instance.arrays, limits).run(progress=better)
    routes = [[node + 1 for node in nodes] for nodes in found if nodes]
    return routes, cost_of(instance, routes), when[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.darp", description=__doc__)
    parser.add_argument("instances", type=Path, help="folder of instances, or one instance")
    parser.add_argument("--optima", type=Path, help="CSV with columns instance and optimal_cost")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="folder for the routes")
    parser.add_argument("--only", help="names of instances, by commas")
    parser.add_argument("--baseline", action="store_true", help="OR-Tools beside it, for the same time")
    return parser.parse_args()


def _optima(path: Path | None) -> dict[str, float]:
    if path is None:
        return {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {row["instance"]: float(row["optimal_cost"]) for row in csv.DictReader(file)}


def _write(folder: Path, name: str, cost: float, routes: Routes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    data = {"instance": name, "cost": cost, "routes": sorted(routes)}
    (folder / f"{name}.json").write_text(json.dumps(data) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
