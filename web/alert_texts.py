"""Alerts in words: a title and a text for every kind, in either language. No personal data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask
from flask_babel import force_locale, gettext, lazy_gettext
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.models import Alert, Site
from web import cold_alert_words, rule_texts
from web.cold_alert_words import celsius, clock_time

ACCESSIONS_SHOWN = 6

TITLES: dict[str, Any] = {
    "excursion": _l("Temperature excursion in box %(box)s"),
    "forecast": _l("Box %(box)s will leave its band"),
    "silence": _l("No readings from box %(box)s"),
    "missing": _l("Tube missing in %(consignment)s"),
    "unexpected": _l("Unexpected tube in %(consignment)s"),
    "load_missing": _l("Load item missing in %(consignment)s"),
    "overdue": _l("Box %(box)s is overdue"),
    "late": _l("Courier late for %(site)s"),
    "urgent_call": _l("Urgent call from %(origin)s"),
    "seal_broken": _l("Seal of %(consignment)s broken"),
    "handover": _l("Handover of %(consignment)s not signed alike by both"),
    "elsewhere": _l("Box %(box)s left elsewhere"),
    "review": _l("A conflict waits for review"),
    "recall": _l("Recall of %(tubes)s tubes: %(reason_name)s"),
    "unsent": _l("%(tubes)s tubes not sent from %(site)s"),
    **cold_alert_words.TITLES,
}

RULES: dict[str, Any] = {
    "above_8_for_30": _l("above 8 °C for 30 minutes"),
    "below_2_for_20": _l("below 2 °C for 20 minutes"),
    "above_8_sum_60": _l("above 8 °C for 60 minutes in all"),
    "below_2_sum_40": _l("below 2 °C for 40 minutes in all"),
    "above_25_at_once": _l("above 25 °C at once"),
    "freezing_at_once": _l("freezing, −0.5 °C or less, at once"),
    "above_25_for_30": _l("above 25 °C for 30 minutes"),
    "below_15_for_30": _l("below 15 °C for 30 minutes"),
    "above_37_at_once": _l("above 37 °C at once"),
    "above_minus_15_for_15": _l("above −15 °C for 15 minutes"),
}

DIFFERS: dict[str, Any] = {
    "count": _l("the number of tubes"),
    "taker": _l("who took it"),
    "giver": _l("who gave it"),
    "meaning": _l("what the handover means"),
    "consignment": _l("which consignment"),
}
"""In what the two halves of a handover may differ."""

NOTES: dict[str, Any] = {
    "raised": lazy_gettext("Raised"),
    "updated": lazy_gettext("Brought up to date"),
    "worse": lazy_gettext("Grew worse"),
    "reopened": lazy_gettext("Happened again"),
    "escalated": lazy_gettext("Nobody answered; passed on to %(site)s"),
    "acknowledged": lazy_gettext("Acknowledged"),
    "assessed": lazy_gettext("Assessed and signed"),
    "assessed_part": lazy_gettext("Signed in part; %(left)s tubes are left"),
    "snoozed": lazy_gettext("Put off until %(until)s"),
    "woken": lazy_gettext("The time it was put off is over"),
    "ended": lazy_gettext("Ended"),
    "delivered": lazy_gettext("Sent through %(channel)s"),
    "delivery_failed": lazy_gettext("Could not be sent through %(channel)s, attempt %(attempt)s"),
}


def init_app(app: Flask) -> None:
    public_url = app.extensions["labrelay.settings"].public_url

    def render(session: Session, alert: Alert, locale: str) -> tuple[str, str]:
        """The message that goes out through a channel, with the link."""
        with force_locale(locale):
            heading, lines = words(session, alert, locale)
            return heading, "\n".join([*lines, f"{public_url}/manager/alerts/{alert.id}"])

    def render_many(session: Session, alerts: Sequence[Alert], locale: str) -> tuple[str, str]:
        """A mass event in one message: how many of what, then each in a line."""
        with force_locale(locale):
            grave = sum(1 for alert in alerts if alert.severity == "critical")
            heading = gettext("%(n)s alerts at once, %(grave)s critical", n=len(alerts), grave=grave)
            order = sorted(alerts, key=lambda alert: (alert.severity != "critical", alert.occurred_at))
            lines = [f"{clock_time(alert.occurred_at)} {title(session, alert, locale)}" for alert in order]
            return heading, "\n".join([*lines, f"{public_url}/manager/alerts"])

    app.extensions["labrelay.render_alert"] = render
    app.extensions["labrelay.render_alerts"] = render_many
    app.jinja_env.filters["excursion_rule"] = rule_words


def rule_words(code: str) -> str:
    return str(RULES[code]) if code in RULES else rule_texts.rule_words(code)


def words(session: Session, alert: Alert, locale: str) -> tuple[str, list[str]]:
    """(title, lines): what happened, when, value, limit, box, tubes. In the language in force."""
    names = _site_names(session, alert, locale)
    facts = {
        "box": alert.box_code or "–",
        "consignment": alert.consignment_number or "–",
        "device": "–",
        "courier": "–",
        "site": names.get(str(alert.params.get("site", alert.site_code)), "–"),
        "origin": names.get(alert.origin_code or "", "–"),
        "tubes": len(alert.specimen_ids),
        **{key: value for key, value in alert.params.items() if key not in {"site", "origin"} and value is not None},
    }
    facts["reason_name"] = facts.get(f"reason_{locale[:2]}", "–")  # a recall's, in either language
    heading = str(TITLES[alert.kind]) % facts if alert.kind in TITLES else gettext("Alert: %(kind)s", kind=alert.kind)
    describe = _SENTENCES.get(alert.kind)
    lines = describe(facts, names) if describe else []
    if alert.params.get("items"):
        lines.append(gettext("Load items concerned: %(items)s.", items=", ".join(map(str, alert.params["items"]))))
    if alert.specimen_ids and alert.kind not in {"missing", "unexpected"}:
        lines.append(gettext("Tubes concerned: %(n)s.", n=len(alert.specimen_ids)))
    if alert.origin_code and alert.kind != "urgent_call":
        lines.append(
            gettext("From %(origin)s to %(site)s.", origin=facts["origin"], site=names.get(alert.site_code, "–"))
        )
    happened, learned = clock_time(alert.occurred_at), clock_time(alert.raised_at)
    lines.append(gettext("Happened %(happened)s, learned %(learned)s.", happened=happened, learned=learned))
    return heading, lines


def title(session: Session, alert: Alert, locale: str) -> str:
    return words(session, alert, locale)[0]


def sentence(session: Session, alert: Alert, locale: str) -> str:
    """The first line of the text: what the inbox shows under the title."""
    lines = words(session, alert, locale)[1]
    return lines[0] if len(lines) > 1 else ""


def note_words(kind: str, params: dict[str, Any]) -> str:
    """A line of an alert's history."""
    filled = {
        "site": "–",
        "channel": "–",
        "attempt": "–",
        "left": "–",
        **params,
        "until": clock_time(params.get("until")),
    }
    return str(NOTES[kind]) % filled if kind in NOTES else kind


def _excursion(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    if facts.get("withdrawn"):
        return [gettext("Later readings showed that the box was within its band. No decision is needed.")]
    told = {"value": celsius(facts.get("value_c")), "limit": celsius(facts.get("limit_c"))}
    told["minutes"] = facts.get("minutes", "–")
    over = bool(facts.get("end"))
    if facts.get("side") == "lower" and over:
        first = gettext("Lowest %(value)s, the limit is %(limit)s; %(minutes)s min below it.", **told)
    elif facts.get("side") == "lower":
        first = gettext("Lowest %(value)s, the limit is %(limit)s; %(minutes)s min below it so far.", **told)
    elif over:
        first = gettext("Highest %(value)s, the limit is %(limit)s; %(minutes)s min above it.", **told)
    else:
        first = gettext("Highest %(value)s, the limit is %(limit)s; %(minutes)s min above it so far.", **told)
    lines = [first, gettext("Rule: %(rule)s.", rule=rule_words(str(facts.get("rule", "–"))))]
    if over:
        lines.append(
            gettext(
                "Lasted from %(start)s to %(end)s.", start=clock_time(facts.get("start")), end=clock_time(facts["end"])
            )
        )
    return lines


def _forecast(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    told = {"limit": celsius(facts.get("limit_c")), "at": clock_time(facts.get("at"))}
    if facts.get("error_min") is None:
        return [gettext("Will cross %(limit)s at about %(at)s.", **told)]
    lines = [gettext("Will cross %(limit)s at about %(at)s ± %(n)s min.", n=facts["error_min"], **told)]
    if facts.get("expected_at"):
        lines.append(gettext("It is expected to arrive at %(at)s.", at=clock_time(facts["expected_at"])))
    return lines


def _silence(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    return [
        gettext(
            "%(device)s has not spoken since %(since)s. The temperature of the tubes is not known.",
            device=facts.get("device", "–"),
            since=clock_time(facts.get("since")),
        )
    ]


def _missing(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    return [
        gettext(
            "%(last)s is on the manifest of %(consignment)s and was not in box %(box)s.",
            last=facts.get("last", "–"),
            consignment=facts["consignment"],
            box=facts["box"],
        )
    ]


def _unexpected(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    return [
        gettext("A tube was in box %(box)s that is not on the manifest of %(consignment)s.", box=facts["box"],
                consignment=facts["consignment"])
    ]  # fmt: skip


def _overdue(facts: dict[str, Any], names: dict[str, str]) -> list[str]:
    return [
        gettext(
            "%(consignment)s was expected at %(site)s at %(expected)s.",
            consignment=facts["consignment"],
            site=names.get(str(facts.get("destination", "")), facts["site"]),
            expected=clock_time(facts.get("expected_at")),
        ),
        *_stands(facts, names),
    ]


def _stands(facts: dict[str, Any], names: dict[str, str]) -> list[str]:
    """Where an overdue box stands, and that it no longer keeps its temperature."""
    lines = []
    if facts.get("stands"):
        lines.append(gettext("It stands at %(site)s.", site=names.get(str(facts["stands"]), "–")))
    if facts.get("hold_until"):
        lines.append(
            gettext(
                "The validated hold time of the box ended at %(at)s: its temperature is no longer assured.",
                at=clock_time(facts["hold_until"]),
            )
        )
    return lines


def _urgent_call(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    return [
        gettext("To be fetched from %(site)s within %(n)s minutes.", site=facts["site"], n=facts.get("within_min", "–"))
    ]


def _late(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    return [gettext("The courier will be %(n)s minutes late.", n=facts.get("late_min", "–"))]


def _seal_broken(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    if facts.get("seal_seen"):
        return [gettext("Box %(box)s bears another seal than the one on record: %(seal)s.", box=facts["box"],
                        seal=facts["seal_seen"])]  # fmt: skip
    return [gettext("The seal of box %(box)s was not whole when it was handed over.", box=facts["box"])]


def _handover(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    """Both have signed something else, or one of them has not signed yet."""
    people = {"giver": facts.get("giver") or "–", "taker": facts.get("taker") or "–"}
    if facts.get("what") == "giver":
        return [gettext("%(taker)s has taken over from %(giver)s, who has not signed on his own device yet.", **people)]
    if facts.get("what") == "taker":
        return [gettext("%(giver)s has signed that it was handed over; nobody has signed for taking it.", **people)]
    named = [str(DIFFERS[one]) for one in str(facts.get("differs", "")).split(",") if one in DIFFERS]
    lines = [
        gettext(
            "%(giver)s and %(taker)s have signed different things: %(what)s.",
            what=gettext(", ").join(named) or "–",
            **people,
        )
    ]
    if "count" in str(facts.get("differs", "")).split(",") and facts.get("given") is not None:
        lines.append(gettext("Given: %(given)s, taken: %(taken)s.", given=facts["given"], taken=facts.get("counted")))
    return lines


def _elsewhere(facts: dict[str, Any], names: dict[str, str]) -> list[str]:
    return [
        gettext(
            "%(consignment)s stands sealed at %(site)s. It is for %(destination)s and has to be fetched from there.",
            consignment=facts["consignment"],
            site=facts["site"],
            destination=names.get(str(facts.get("destination", "")), "–"),
        )
    ]


def _review(_facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    return [gettext("Something sent from a phone no longer fits the record. Compare both sides and decide.")]


def _recall(facts: dict[str, Any], names: dict[str, str]) -> list[str]:
    left = int(facts.get("left") or 0)
    lines = [
        gettext("%(left)s of %(tubes)s still to be found. To be brought to %(site)s and set aside.", left=left,
                tubes=facts.get("tubes", "–"), site=names.get(str(facts.get("destination", "")), "–"))
        if left
        else gettext("All %(tubes)s tubes are accounted for.", tubes=facts.get("tubes", "–"))
    ]  # fmt: skip
    if facts.get("note"):
        lines.append(f"“{facts['note']}”")
    return lines


def _unsent(facts: dict[str, Any], _names: dict[str, str]) -> list[str]:
    lines = [
        gettext("Collected more than %(h)s hours ago; the oldest at %(oldest)s.", h=facts.get("hours", "–"),
                oldest=clock_time(facts.get("oldest")))
    ]  # fmt: skip
    if facts.get("use_by"):
        lines.append(gettext("The first expires at %(at)s.", at=clock_time(facts["use_by"])))
    return lines


_SENTENCES: dict[str, Callable[[dict[str, Any], dict[str, str]], list[str]]] = {
    "excursion": _excursion,
    "forecast": _forecast,
    "silence": _silence,
    "missing": _missing,
    "unexpected": _unexpected,
    "load_missing": _missing,
    "overdue": _overdue,
    "late": _late,
    "urgent_call": _urgent_call,
    "seal_broken": _seal_broken,
    "handover": _handover,
    "elsewhere": _elsewhere,
    "review": _review,
    "recall": _recall,
    "unsent": _unsent,
    **cold_alert_words.SENTENCES,
}
KINDS = tuple(_SENTENCES)


def _site_names(session: Session, alert: Alert, locale: str) -> dict[str, str]:
    named = (alert.params.get(name) for name in ("site", "destination", "stands", "laboratory"))
    codes = {alert.site_code, alert.origin_code, *named}
    wanted = sorted(str(code) for code in codes if code)
    return {site.code: site.name(locale) for site in session.scalars(select(Site).where(Site.code.in_(wanted)))}
