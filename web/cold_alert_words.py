"""Alerts of the cold chain in words: loggers, tubes at risk, calls for a new look or a new tube. No personal data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext
from flask_babel import lazy_gettext as _l

from web import i18n
from web.assessment_words import what_changed

ZONE = ZoneInfo(i18n.TIMEZONE)
Facts = dict[str, Any]
Names = dict[str, str]

TITLES: dict[str, Any] = {
    "battery": _l("Battery low in logger %(device)s"),
    "lid": _l("Lid of box %(box)s open too long"),
    "probe": _l("Probe of logger %(device)s disconnected"),
    "calibration": _l("Calibration of logger %(device)s is due"),
    "at_risk": _l("Tubes of %(consignment)s may expire on the way"),
    "expired": _l("Tubes have expired: %(consignment)s"),
    "off_plan": _l("Courier %(courier)s is off the plan"),
    "ingest_behind": _l("Telemetry is behind"),
    "reassess": _l("Look again at the assessment of box %(box)s"),
    "recollect": _l("%(tubes)s tubes to be collected again at %(site)s"),
}


def clock_time(at: datetime | str | None) -> str:
    if at is None:
        return "–"
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return instant.astimezone(ZONE).strftime("%m-%d %H:%M")


def celsius(value: Any) -> str:
    return f"{float(value):.1f} °C" if isinstance(value, int | float) else "–"


def _battery(facts: Facts, _names: Names) -> list[str]:
    return [
        gettext(
            "Battery at %(n)s %%. Charge or change logger %(device)s.",
            n=facts.get("battery_pct", "–"),
            device=facts["device"],
        )
    ]


def _lid(facts: Facts, _names: Names) -> list[str]:
    return [
        gettext(
            "Open since %(since)s, %(minutes)s minutes. Close the lid; look at the temperature.",
            since=clock_time(facts.get("since")),
            minutes=facts.get("minutes", "–"),
        )
    ]


def _probe(facts: Facts, _names: Names) -> list[str]:
    return [
        gettext(
            "Logger %(device)s measures nothing since %(since)s: its probe is off or broken. The temperature of the"
            " tubes is not known.",
            device=facts["device"],
            since=clock_time(facts.get("since")),
        )
    ]


def _calibration(facts: Facts, _names: Names) -> list[str]:
    return [
        gettext(
            "The certificate of logger %(device)s is good until %(at)s.",
            device=facts["device"],
            at=clock_time(facts.get("due")),
        )
    ]


def _at_risk(facts: Facts, names: Names) -> list[str]:
    return [
        gettext(
            "Expected at %(site)s at %(eta)s; the first tube (%(test)s) can be used until %(use_by)s.",
            site=names.get(str(facts.get("destination", "")), "–"),
            eta=clock_time(facts.get("eta")),
            test=facts.get("test") or "–",
            use_by=clock_time(facts.get("use_by")),
        )
    ]


def _expired(facts: Facts, _names: Names) -> list[str]:
    return [
        gettext(
            "The first (%(test)s) could be used until %(use_by)s. Decide about each tube.",
            test=facts.get("test") or "–",
            use_by=clock_time(facts.get("use_by")),
        )
    ]


def _off_plan(facts: Facts, names: Names) -> list[str]:
    return [
        gettext(
            "Next stop %(site)s, planned %(planned)s, now expected %(eta)s.",
            site=names.get(str(facts.get("destination", "")), "–"),
            planned=clock_time(facts.get("planned")),
            eta=clock_time(facts.get("eta")),
        )
    ]


def _ingest_behind(facts: Facts, _names: Names) -> list[str]:
    return [
        gettext(
            "Readings arrive late or not at all since %(since)s: excursions may be learned late. Waiting: %(n)s.",
            since=clock_time(facts.get("since")),
            n=facts.get("waiting", "–"),
        )
    ]


def _reassess(facts: Facts, _names: Names) -> list[str]:
    return [
        what_changed(str(facts.get("what", ""))),
        gettext(
            "Signed: %(signed)s, %(signed_min)s min. Known now: %(value)s, %(minutes)s min.",
            signed=celsius(facts.get("signed_c")),
            signed_min=facts.get("signed_min", "–"),
            value=celsius(facts.get("value_c")),
            minutes=facts.get("minutes", "–"),
        ),
    ]


def _recollect(facts: Facts, names: Names) -> list[str]:
    return [
        gettext(
            "%(laboratory)s has rejected them. Collect new tubes; the old numbers stand in the list of outcomes.",
            laboratory=names.get(str(facts.get("laboratory", "")), "–"),
        )
    ]


SENTENCES: Mapping[str, Callable[[Facts, Names], list[str]]] = {
    "battery": _battery,
    "lid": _lid,
    "probe": _probe,
    "calibration": _calibration,
    "at_risk": _at_risk,
    "expired": _expired,
    "off_plan": _off_plan,
    "ingest_behind": _ingest_behind,
    "reassess": _reassess,
    "recollect": _recollect,
}
