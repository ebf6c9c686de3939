"""How well the crossing of a limit is foretold: share of breaches foretold, false warnings a box-day.

    .venv/bin/python -m bench.forecast [--days 400] [--seed 1]

Simulated box days are played with the two-body box model (telemetry.simulator): ten hours on the road by day, weather
drawn by season with clouds passing, lids opened at stops (now and then for long), packs charged fully, half or hardly,
a few boxes that lose their cooling, loggers with noise, a bias, their own resolution and an interval of 1, 2 or 5
minutes. Beside it the stretches of a real recording. The straight line through the same half hour, with the same
horizon and the same rule of confirmation, is what has to be beaten. No parameter of either is fitted to the seed.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from telemetry.excursion import Sample, detect
from telemetry.forecast import HORIZON, LEAST_READINGS, LEAST_SPAN, WINDOW, State, outlook
from telemetry.profile import COLD, RuleKind
from telemetry.simulator import BoxModel, stretches

MINUTE = timedelta(minutes=1)
START = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)
LEAD = timedelta(minutes=10)
LOW_C, HIGH_C = COLD.low_c, COLD.high_c
# Gives the chance (0 … 1) that the band is left before the arrival.
Chance = Callable[[Sequence[Sample], datetime], float]


def newton(series: Sequence[Sample], arrival: datetime) -> float:
    found = outlook(series, LOW_C, HIGH_C)
    return found.chance if found is not None and found.at <= arrival else 0.0


def line(series: Sequence[Sample], arrival: datetime) -> float:
    """The straight line of least squares; 1 when its slope stands out of its error threefold and it crosses in time."""
    recent = [(at, temp_c) for at, temp_c in series[-200:] if series[-1][0] - at <= WINDOW]
    if len(recent) < LEAST_READINGS or recent[-1][0] - recent[0][0] < LEAST_SPAN:
        return 0.0
    if not LOW_C < recent[-1][1] < HIGH_C:
        return 0.0
    x = [(at - recent[-1][0]) / MINUTE for at, _ in recent]
    y = [temp_c for _, temp_c in recent]
    n, mean_x, mean_y = len(x), math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((value - mean_x) ** 2 for value in x)
    slope = math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    level = mean_y - slope * mean_x
    rest = math.fsum((b - level - slope * a) ** 2 for a, b in zip(x, y, strict=True))
    if abs(slope) <= 3 * math.sqrt(rest / (n - 2) / spread) or slope == 0:
        return 0.0
    minutes = ((HIGH_C if slope > 0 else LOW_C) - level) / slope
    inside = 0 <= minutes <= HORIZON / MINUTE and recent[-1][0] + minutes * MINUTE <= arrival
    return 1.0 if inside else 0.0


def box_day(rnd: random.Random, number: int) -> tuple[list[Sample], datetime]:
    """One box on the road from 07:00 or so for ten hours: (readings, planned arrival)."""
    mean = rnd.choice([2.0, 9.0, 16.0, 24.0, 30.0])  # winter … high summer
    swing = rnd.uniform(2.0, 7.0)
    clouds = [(rnd.uniform(0, 10), rnd.uniform(0.3, 2.0), rnd.uniform(-4.0, 4.0)) for _ in range(4)]

    def ambient(at: datetime) -> float:
        hour = (at - START) / timedelta(hours=1)
        passing = sum(by * math.exp(-(((hour - when) / length) ** 2)) for when, length, by in clouds)
        return mean + swing * math.sin((hour - 2.5) / 10 * math.pi) + passing

    model = BoxModel(
        f"LG-{number}", start=START, seed=rnd.randrange(2**31), charge=rnd.choice([1.0, 1.0, 0.7, 0.4, 0.2, 0.08]),
        ambient=ambient, noise_c=rnd.choice([0.05, 0.1, 0.2]), start_temp_c=rnd.uniform(3.0, 6.0),
    )  # fmt: skip
    for _ in range(rnd.randint(4, 10)):
        model.open_lid(START + rnd.uniform(5, 600) * MINUTE, rnd.choice([1, 2, 2, 4, 4, 8, 20]) * MINUTE)
    lost = rnd.uniform(60, 540) if rnd.random() < 0.1 else None
    every = rnd.choice([1, 2, 5])
    series: list[Sample] = []
    for minute in range(0, 601, every):
        if lost is not None and minute >= lost:
            model.lose_cooling(wall_min=rnd.choice([35.0, 60.0, 120.0]), warmth_c=rnd.choice([2.0, 10.0]))
            lost = None
        reading = model.step(START + minute * MINUTE)
        series.append((reading.at, reading.temp_c))
    return series, START + timedelta(hours=10)


def breaches(series: Sequence[Sample]) -> list[datetime]:
    """When the box left its band for so long that it was an excursion; those from the first reading on do not count."""
    found = detect(series, COLD)
    starts = sorted({one.start for one in found if one.rule.kind is RuleKind.CONSECUTIVE})
    return [at for at in starts if at - series[0][0] >= WINDOW + LEAD]


@dataclass
class Score:
    breaches: int = 0
    foretold: int = 0
    false: int = 0
    warnings: int = 0
    days: float = 0.0
    leads: list[float] = field(default_factory=list)

    def line(self, name: str) -> str:
        share = 100 * self.foretold / self.breaches if self.breaches else math.nan
        lead = sorted(self.leads)[len(self.leads) // 2] if self.leads else math.nan
        return (
            f"{name:<14} {self.breaches:>8} {self.foretold:>9} {share:>7.1f} % {lead:>9.0f} min"
            f" {self.warnings:>9} {self.false:>6} {self.false / self.days:>12.3f}"
        )


def score(chance: Chance, days: Sequence[tuple[list[Sample], datetime]]) -> Score:
    """Foretold: a warning stands ten minutes before an excursion begins. False: a warning during which, and in the hour
    after it, no reading leaves the band."""
    total = Score()
    for series, arrival in days:
        spans: list[tuple[datetime, datetime]] = []
        state, since = State(), series[0][0]
        for index, (at, temp_c) in enumerate(series):
            before = state.warned
            inside = LOW_C <= temp_c <= HIGH_C  # outside it has come true
            state = state.after(at, chance(series[: index + 1], arrival)) if inside else State()
            if state.warned and not before:
                since = at
            if before and not state.warned:
                spans.append((since, at))
        if state.warned:
            spans.append((since, series[-1][0]))
        starts = breaches(series)
        total.days += (series[-1][0] - series[0][0]) / timedelta(hours=10)
        total.breaches += len(starts)
        total.warnings += len(spans)
        for start in starts:
            ahead = [begin for begin, end in spans if begin <= start - LEAD <= end]
            if ahead:
                total.foretold += 1
                total.leads.append((start - ahead[0]) / MINUTE)
        outside = [at for at, temp_c in series if not LOW_C <= temp_c <= HIGH_C]
        for begin, end in spans:
            if not any(begin <= at <= end + timedelta(hours=1) for at in outside):
                total.false += 1
    return total


def recorded() -> list[tuple[list[Sample], datetime]]:
    """The stretches of the real recording, each as one box-day."""
    found = []
    for pieces in stretches().values():
        series = [(START + minute * MINUTE, temp_c) for minute, temp_c in pieces]
        found.append((series, series[-1][0]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rnd = random.Random(asked.seed)
    simulated = [box_day(rnd, number) for number in range(asked.days)]
    for title, days in ((f"simulated, seed {asked.seed}", simulated), ("recorded (Fridge-tag 2 L)", recorded())):
        print(f"{title}: {len(days)} box-days")
        print("               breaches  foretold     share  median lead  warnings  false  false/box-day")
        for name, chance in (("Newton", newton), ("straight line", line)):
            print(score(chance, days).line(name))


if __name__ == "__main__":
    main()
