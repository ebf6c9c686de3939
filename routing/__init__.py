"""Which courier fetches what, when: numbers in, plan out. Knows no specimen, no database, no web.

``solve(problem, params, travel=…, progress=…, should_stop=…) → Plan``. Units and datum: ``routing.problem``.
The search itself (OR-Tools) is imported by ``routing.solve`` alone, so that reading a plan stays light.
"""

from routing.codec import from_builtins, plan_from_json, problem_from_json, to_builtins, to_json
from routing.plan import (
    Binding,
    BreakTaken,
    Kind,
    Notice,
    Plan,
    PlanProgress,
    Remedy,
    Route,
    Service,
    Stop,
    Unserved,
)
from routing.problem import (
    AMBIENT_15_25,
    COLD_2_8,
    FROZEN,
    Break,
    Courier,
    Priority,
    Problem,
    ProblemError,
    Request,
    Site,
    SpeedBand,
    TravelTable,
    Window,
)

__all__ = [
    "AMBIENT_15_25",
    "COLD_2_8",
    "FROZEN",
    "Binding",
    "Break",
    "BreakTaken",
    "Courier",
    "Kind",
    "Notice",
    "Plan",
    "PlanProgress",
    "Priority",
    "Problem",
    "ProblemError",
    "Remedy",
    "Request",
    "Route",
    "Service",
    "Site",
    "SpeedBand",
    "Stop",
    "TravelTable",
    "Unserved",
    "Window",
    "from_builtins",
    "plan_from_json",
    "problem_from_json",
    "to_builtins",
    "to_json",
]
