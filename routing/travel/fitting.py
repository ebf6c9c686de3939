"""Fits the geodesic model to recorded legs: robust, shrunk to what was assumed before, judged on legs kept aside.

    calibration = fit(legs, prior={"plain": Road(1.3, 40.0)})       # calibration.before.mape, .after.mape

Where a leg has its driven metres (a track of positions), they give the detour factor of the road classes at its two
ends. Then speed by class, the speed of long legs and a factor by hour of day come out of the seconds: a regression of
log(driven ÷ model), in which legs far off (a flat tyre, a lunch) weigh less (Huber's weights) and every number is
held near its prior as if by ``prior_legs`` legs. Without driven metres the detour factor stays as it was and the
speed takes up the whole difference, because seconds alone cannot tell the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from routing.problem import Site
from routing.travel.calibration import HOURS, Calibration, Errors, Road
from routing.travel.geodesic import FAST_KMH, SLOW_UNTIL_M, fast_share, road_times_s, straight_m

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PRIOR = Road(1.4, 40.0)
MIN_LEGS = 30
"""Fewer legs than this teach nothing that could be tested."""
_HUBER = 1.345  # 95 % efficient for normal errors (Huber 1981)
_KMH = (8.0, 110.0)
_DETOUR = (1.0, 3.0)
_STEPS = 6  # the model is not linear in its numbers


class TooFewLegs(ValueError):
    """``known`` legs can be used, ``needed`` are wanted."""

    def __init__(self, known: int) -> None:
        self.known, self.needed = known, MIN_LEGS
        super().__init__(f"{known} legs, {MIN_LEGS} needed")


@dataclass(frozen=True, slots=True)
class Leg:
    """One drive as it was recorded: from leaving ``origin`` to being at ``target``.

    ``depart_s``: after local midnight. ``distance_m``: driven, where it is known. Classes: see ``Calibration.roads``.
    """

    origin: Site
    target: Site
    origin_class: str
    target_class: str
    depart_s: int
    travel_s: int
    distance_m: int | None = None


@dataclass(frozen=True, slots=True)
class _Data:
    """Legs as columns; ``ends`` are the numbers of the classes at both ends."""

    straight: Floats
    ends: Ints
    hour: Ints
    driven_s: Floats
    driven_m: Floats  # nan: unknown

    def some(self, rows: npt.NDArray[np.bool_]) -> _Data:
        return _Data(self.straight[rows], self.ends[rows], self.hour[rows], self.driven_s[rows], self.driven_m[rows])


@dataclass(slots=True)
class _Model:
    detour: Floats
    kmh: Floats
    fast_kmh: float
    by_hour: Floats

    def road_m(self, data: _Data) -> Floats:
        return np.asarray(data.straight * self.detour[data.ends].mean(axis=1), dtype=np.float64)

    def seconds(self, data: _Data) -> Floats:
        plain = road_times_s(self.road_m(data), self.kmh[data.ends].mean(axis=1), self.fast_kmh)
        return np.maximum(plain, 1) * self.by_hour[data.hour]


def fit(
    legs: Sequence[Leg],
    prior: Mapping[str, Road] | None = None,
    *,
    fast_kmh: float = FAST_KMH,
    prior_legs: float = 8.0,
    held_out: int = 5,
) -> Calibration:
    """Numbers from all usable ``legs``; the errors come from fits that did not see the legs they are judged by.

    Every ``held_out``-th part of the legs is judged by a fit of the others (cross-validation), so the error is that
    of legs not seen. Raises :class:`TooFewLegs` when fewer than 30 legs are usable.
    """
    usable = [leg for leg in legs if leg.travel_s > 0 and leg.origin.id != leg.target.id]
    if len(usable) < MIN_LEGS:
        raise TooFewLegs(len(usable))
    names = sorted({name for leg in usable for name in (leg.origin_class, leg.target_class)} | set(prior or {}))
    data = _columns(usable, names)
    start = _start(names, prior or {}, fast_kmh)
    fold = np.arange(len(usable)) % held_out
    guess = np.empty(len(usable))
    for part in range(held_out):
        aside = fold == part
        guess[aside] = _fitted(data.some(~aside), start, prior_legs).seconds(data.some(aside))
    model = _fitted(data, start, prior_legs)
    counts = np.bincount(data.ends.ravel(), minlength=len(names))
    roads = {
        name: Road(round(float(model.detour[i]), 3), round(float(model.kmh[i]), 2), int(counts[i]))
        for i, name in enumerate(names)
    }
    return Calibration(
        roads=roads,
        fast_kmh=round(model.fast_kmh, 2),
        hour_factors=tuple(round(float(value), 4) for value in model.by_hour),
        before=errors(start.seconds(data), data.driven_s),
        after=errors(guess, data.driven_s),
        legs=len(usable),
    )


def errors(model_s: Floats, driven_s: Floats) -> Errors:
    """How far ``model_s`` is from ``driven_s``, leg by leg."""
    off = (model_s - driven_s) / driven_s
    return Errors(
        legs=len(off),
        mape=round(float(np.abs(off).mean()), 4),
        median=round(float(np.median(np.abs(off))), 4),
        bias=round(float(off.mean()), 4),
    )


def model_seconds(calibration: Calibration, legs: Sequence[Leg]) -> Floats:
    """What a calibration foretells for legs, at their hour of day. Classes that it does not know are as assumed."""
    names = sorted({name for leg in legs for name in (leg.origin_class, leg.target_class)})
    start = _start(names, calibration.roads, calibration.fast_kmh)
    start.by_hour = np.array(calibration.hour_factors)
    return start.seconds(_columns(legs, names))


def _columns(legs: Sequence[Leg], names: Sequence[str]) -> _Data:
    number = {name: i for i, name in enumerate(names)}
    origin = np.array([(leg.origin.lat, leg.origin.lon) for leg in legs], dtype=np.float64)
    target = np.array([(leg.target.lat, leg.target.lon) for leg in legs], dtype=np.float64)
    return _Data(
        straight=np.maximum(straight_m(origin[:, 0], origin[:, 1], target[:, 0], target[:, 1]), 1.0),
        ends=np.array([(number[leg.origin_class], number[leg.target_class]) for leg in legs]),
        hour=np.array([leg.depart_s // 3600 % HOURS for leg in legs]),
        driven_s=np.array([leg.travel_s for leg in legs], dtype=np.float64),
        driven_m=np.array([leg.distance_m or np.nan for leg in legs], dtype=np.float64),
    )


def _start(names: Sequence[str], prior: Mapping[str, Road], fast_kmh: float) -> _Model:
    roads = [prior.get(name, PRIOR) for name in names]
    return _Model(
        detour=np.array([road.detour_factor for road in roads]),
        kmh=np.array([road.speed_kmh for road in roads]),
        fast_kmh=fast_kmh,
        by_hour=np.ones(HOURS),
    )


def _fitted(data: _Data, start: _Model, prior_legs: float) -> _Model:
    model = replace(start, detour=_detours(data, start, prior_legs))
    count = len(start.kmh)
    hours = np.eye(HOURS)[data.hour]
    total = np.zeros(count + 1 + HOURS)  # log of: slower by class, slower on long legs, slower at this hour
    for _ in range(_STEPS):
        share, kmh = _mixed(model, data)
        by_class = _ends(data, model.kmh) * ((1 - share) / kmh)[:, None]
        design = np.hstack([by_class, (share * model.fast_kmh / kmh)[:, None], hours])
        off = np.log(data.driven_s / model.seconds(data))
        step = _robust(design, off, prior_legs, pull=total)
        total += step
        model.kmh = np.clip(start.kmh * np.exp(-total[:count]), *_KMH)
        model.fast_kmh = float(np.clip(start.fast_kmh * np.exp(-total[count]), *_KMH))
        model.by_hour = np.exp(total[count + 1 :])
        if np.abs(step).max() < 1e-4:
            break
    return _centred(model, data)


def _mixed(model: _Model, data: _Data) -> tuple[Floats, Floats]:
    """Each leg's share of the long legs' speed, and its speed; both of the local roads where those bind."""
    road_m, local = model.road_m(data), model.kmh[data.ends].mean(axis=1)
    share = fast_share(road_m)
    kmh = local + share * (np.maximum(model.fast_kmh, local) - local)
    binds = road_m / kmh < np.minimum(road_m, SLOW_UNTIL_M) / local
    return np.where(binds, 0.0, share), np.where(binds, local, kmh)


def _detours(data: _Data, start: _Model, prior_legs: float) -> Floats:
    """Detour factors from the legs whose metres are known; those assumed where there are none."""
    known = data.some(~np.isnan(data.driven_m))
    detour = start.detour
    if not len(known.hour):
        return detour
    total = np.zeros(len(detour))
    for _ in range(_STEPS):
        mean = detour[known.ends].mean(axis=1)
        off = np.log(known.driven_m / (known.straight * mean))
        total += _robust(_ends(known, detour) / mean[:, None], off, prior_legs, pull=total)
        detour = np.clip(start.detour * np.exp(total), *_DETOUR)
    return detour


def _centred(model: _Model, data: _Data) -> _Model:
    """The mean of the recorded hours is 1: what all hours share belongs to the speeds."""
    level = float(np.exp(np.log(model.by_hour[data.hour]).mean()))
    return _Model(model.detour, model.kmh / level, model.fast_kmh / level, model.by_hour / level)


def _ends(data: _Data, values: Floats) -> Floats:
    """Leg by class: half of the class's value for each end that lies in it."""
    each = np.diag(values) / 2
    return np.asarray(each[data.ends[:, 0]] + each[data.ends[:, 1]], dtype=np.float64)


def _robust(design: Floats, off: Floats, prior_legs: float, pull: Floats | None = None) -> Floats:
    """The change that explains ``off``: weighted least squares, repeated with Huber's weights; ridge to the prior.

    ``pull``: how far the numbers are from their prior already.
    """
    size = design.shape[1]
    away = np.zeros(size) if pull is None else pull
    weights: Floats = np.ones(len(off))
    change: Floats = np.zeros(size)
    for _ in range(20):
        left = (design * weights[:, None]).T
        fresh = np.linalg.solve(left @ design + prior_legs * np.eye(size), left @ off - prior_legs * away)
        rest = off - design @ fresh
        scale = max(1e-6, 1.4826 * float(np.median(np.abs(rest - np.median(rest)))))
        weights = np.asarray(np.minimum(1.0, _HUBER * scale / np.maximum(np.abs(rest), 1e-12)), dtype=np.float64)
        done = np.abs(fresh - change).max() < 1e-6
        change = np.asarray(fresh, dtype=np.float64)
        if done:
            break
    return change
