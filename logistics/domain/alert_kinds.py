"""Every kind of alert: how grave it is as a rule, whether it climbs the ladder, and who may answer for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COLD, CUSTODY, TRANSPORT, SYSTEM = "cold_chain", "custody", "transport", "system"


@dataclass(frozen=True, slots=True)
class Kind:
    """``severity`` is what a raiser gives when it knows nothing graver; ``dispatch``: dispatchers may acknowledge."""

    area: str
    severity: str = "warning"
    dispatch: bool = False


KINDS: Mapping[str, Kind] = {
    "excursion": Kind(COLD),
    "forecast": Kind(COLD),
    "silence": Kind(COLD),
    "battery": Kind(COLD, "info"),
    "lid": Kind(COLD),
    "probe": Kind(COLD),
    "calibration": Kind(COLD, "info"),
    "at_risk": Kind(COLD, dispatch=True),
    "expired": Kind(COLD, "critical"),
    "reassess": Kind(COLD),
    "missing": Kind(CUSTODY, "critical"),
    "unexpected": Kind(CUSTODY, "info"),
    "load_missing": Kind(CUSTODY),
    "handover": Kind(CUSTODY, dispatch=True),
    "seal_broken": Kind(CUSTODY, "critical", dispatch=True),
    "review": Kind(CUSTODY, "info"),
    "recall": Kind(CUSTODY, "critical"),
    "recollect": Kind(CUSTODY),
    "overdue": Kind(TRANSPORT, dispatch=True),
    "off_plan": Kind(TRANSPORT, dispatch=True),
    "late": Kind(TRANSPORT, dispatch=True),
    "elsewhere": Kind(TRANSPORT, dispatch=True),
    "unsent": Kind(TRANSPORT, dispatch=True),
    "urgent_call": Kind(TRANSPORT, dispatch=True),
    "ingest_behind": Kind(SYSTEM),
}
DISPATCH_KINDS = tuple(name for name, kind in KINDS.items() if kind.dispatch)


def severity(kind: str) -> str:
    """What an alert of this kind weighs when nothing graver is known."""
    return KINDS[kind].severity if kind in KINDS else "warning"
