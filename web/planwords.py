"""Planner's codes with params → sentences: seconds become times of day or minutes, codes become names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from web.messages import MESSAGES, sentence
from web.rendering import localtime

DURATIONS = frozenset({"ride_s", "max_ride_s", "duration_s", "max_duration_s"})
KEPT_SECONDS = frozenset({"elapsed_s"})
AREA = "area:"
STEPS = {
    "made": _l("as it was worked out"),
    "move": _l("%(site)s to %(courier)s"),
    "leave_out": _l("%(site)s left out"),
    "pin": _l("%(site)s pinned"),
    "unpin": _l("%(site)s unpinned"),
    "lock": _l("route of %(courier)s locked"),
    "unlock": _l("route of %(courier)s unlocked"),
    "take_over": _l("plan %(plan)s taken over"),
    "remedy": _l("remedy for %(site)s"),
}
"""An edit of a draft in a few words."""
SITES = frozenset({"site_id", "site", "here", "other"})


class Words:
    """Knows the names of the sites and couriers that a plan or board speaks of."""

    def __init__(self, sites: Mapping[str, str], people: Mapping[str, str]) -> None:
        self._sites, self._people = sites, people

    def reason(self, code: str, params: Mapping[str, Any]) -> str:
        return self._say("unserved", code, params)

    def remedy(self, code: str, params: Mapping[str, Any]) -> str:
        return self._say("remedy", code, params)

    def notice(self, code: str, params: Mapping[str, Any]) -> str:
        return self._say("notice", code, params)

    def why(self, code: str, params: Mapping[str, Any]) -> str:
        """A line of the live board; its codes carry their area already."""
        return sentence(code, self.spoken(params))

    def site(self, code: str) -> str:
        return self._sites.get(code, code)

    def person(self, username: str) -> str:
        return self._people.get(username, username)

    def broken(self, code: str, site: str | None, by_s: int) -> str:
        """A rule that a move would break: whose stop it is, and by how many minutes."""
        return sentence(f"move_{code}", {"site": self.site(site) if site else "–", "minutes": str(-(-by_s // 60))})

    def step(self, action: str, params: Mapping[str, Any]) -> str:
        """An edit of a draft as the buttons for undo and redo name it."""
        return str(STEPS[action]) % self.spoken(params) if action in STEPS else action

    def _say(self, area: str, code: str, params: Mapping[str, Any]) -> str:
        place = next((skill for skill in params.get("skills", ()) if str(skill).startswith(AREA)), None)
        if place is not None:  # counties are skills to the planner; people speak of places
            code, params = f"{code}_area", {**params, "site_id": str(place).removeprefix(AREA)}
        known = f"{area}_{code}"
        return sentence(known, self.spoken(params)) if known in MESSAGES else code

    def spoken(self, params: Mapping[str, Any]) -> dict[str, str]:
        """Each param as people say it, under its name without the unit: ``due_s`` → ``due`` = '15:20'."""
        found = _Spoken()
        for key, value in params.items():
            found[key.removesuffix("_s").removesuffix("_id")] = self._spoken(key, value)
        if "like_courier" in found:
            found.setdefault("courier", found["like_courier"])
        return found

    def _spoken(self, key: str, value: Any) -> str:
        if value is None:
            return "–"
        if key.endswith("courier_id"):
            return self._people.get(str(value), str(value))
        if key in SITES:
            return self._sites.get(str(value), str(value))
        if key.endswith("_s") and key not in KEPT_SECONDS:
            return str(-(-int(value) // 60)) if key in DURATIONS else of_day(int(value))
        return _plain(key, value)


def _plain(key: str, value: Any) -> str:
    if key == "temperature_class":
        return temperature_class(str(value))
    if key == "at":
        return localtime(datetime.fromisoformat(str(value)))
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


class _Spoken(dict[str, str]):
    """A sentence whose param the planner did not give shows a dash, never an error."""

    def __missing__(self, key: str) -> str:
        return "–"


def of_day(seconds: int) -> str:
    """Seconds from local midnight as a time of day; on the next day with a mark."""
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest % 3600 // 60:02}"
    return f"{clock} (+{days})" if days else clock


def temperature_class(code: str) -> str:
    words = {"cold_2_8": _("2–8 °C"), "ambient_15_25": _("15–25 °C"), "frozen": _("≤ −20 °C")}
    return str(words.get(code, code))
