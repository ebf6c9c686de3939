"""A laboratory's own limits: set with a reason and a date of effect, withdrawn, and every version kept.

Nothing is deleted. A row stands from one version of the rules to another; a decision remembers the version that it was
made under, and :class:`logistics.services.stability.RuleBook` reads the rules as that version had them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Site, StabilityRuleRow, StabilityVersion, Test
from logistics.models.network import TOWNSHIP
from logistics.services import clocks
from logistics.services.orders import local_day

ZONE = ZoneInfo("Asia/Shanghai")
STAGES = ("", "unseparated", "separated")
FARTHEST = timedelta(days=366)


def override(
    session: Session, code: str, values: Mapping[str, Any], *, by: str, scope: Scope, now: datetime
) -> StabilityRuleRow:
    """A laboratory's own limit for a test; from its date of effect it counts there instead of the catalogue's.

    ``values``: site_code, stage, temp_min_c, temp_max_c, max_hours, reason, valid_on (a local day; None: now). The
    own limit of the same stage and band that stood before ends on that day. Raises Invalid naming the field.
    """
    test = _known_test(session, code)
    site = session.get(Site, values["site_code"] or "")
    if site is None or site.tier == TOWNSHIP or not scope.covers(site.code):
        raise Invalid("site_unknown", field="site_code", site=str(values["site_code"])[:40])
    _check(values)
    begins = _begins(values.get("valid_on"), now)
    stability_code = test.stability_code or test.code
    test.stability_code = stability_code
    kept = {name: values[name] for name in ("stage", "temp_min_c", "temp_max_c", "max_hours", "reason")}
    detail = {**kept, "valid_from": begins.isoformat()}
    version = _next_version(session, "override", test.code, site.code, detail, by=by, now=now)
    for before in _same_place(session, stability_code, site.code, kept):
        before.valid_until = begins
    rule = StabilityRuleRow(
        test_code=stability_code,
        specimen_type="",
        container=test.container,
        source=kept["reason"],
        site_code=site.code,
        valid_from=begins,
        since_version=version.number,
        **kept,
    )
    session.add(rule)
    session.flush()
    clocks.say_again_for(session, test.code)
    return rule


def withdraw(
    session: Session, code: str, rule_id: int, *, by: str, scope: Scope, now: datetime, reason: str = ""
) -> StabilityRuleRow:
    """Take a laboratory's own limit back; the catalogue's rules themselves are not touched here.

    Raises NotFound('rule_unknown'), Conflict('rule_withdrawn').
    """
    rule = session.get(StabilityRuleRow, rule_id, with_for_update=True)
    test = _known_test(session, code)
    mine = rule is not None and rule.site_code is not None and scope.covers(rule.site_code)
    if rule is None or not mine or rule.test_code != (test.stability_code or test.code):
        raise NotFound("rule_unknown", field="rule")
    if rule.until_version is not None:
        raise Conflict("rule_withdrawn", field="rule")
    detail = {"rule": rule.id, "max_hours": rule.max_hours, "stage": rule.stage, "reason": reason[:500]}
    detail |= {"temp_min_c": rule.temp_min_c, "temp_max_c": rule.temp_max_c}
    version = _next_version(session, "withdrawal", code, rule.site_code, detail, by=by, now=now)
    rule.until_version = version.number
    session.flush()
    clocks.say_again_for(session, code)
    return rule


def history(session: Session, *, sites: Sequence[str] | None, test_code: str = "") -> list[StabilityVersion]:
    """The changes of the rules that concern these laboratories (None: all), newest first."""
    query = select(StabilityVersion).order_by(StabilityVersion.number.desc()).limit(200)
    if sites is not None:
        query = query.where(StabilityVersion.site_code.in_(sites))
    if test_code:
        query = query.where(StabilityVersion.test_code == test_code)
    return list(session.scalars(query))


def state_of(rule: StabilityRuleRow, now: datetime) -> str:
    """In force, planned (its day is still to come), or past."""
    if rule.until_version is not None or (rule.valid_until is not None and rule.valid_until <= now):
        return "past"
    return "planned" if rule.valid_from is not None and rule.valid_from > now else "in_force"


def _known_test(session: Session, code: str) -> Test:
    test = session.get(Test, code)
    if test is None:
        raise NotFound("test_unknown", field="test", test=code[:40])
    return test


def _check(values: Mapping[str, Any]) -> None:
    if len(values["reason"]) < 5:
        raise Invalid("reason_needed", field="reason")
    for name in ("temp_min_c", "temp_max_c", "max_hours"):
        if values[name] is None:
            raise Invalid("field_missing", field=name)
    if not -100 <= values["temp_min_c"] < values["temp_max_c"] <= 60:
        raise Invalid("temperatures_reversed", field="temp_max_c")
    if not 0 < values["max_hours"] <= 24 * 365:
        raise Invalid("number_between", field="max_hours", low=0, high=8760)
    if values["stage"] not in STAGES:
        raise Invalid("field_malformed", field="stage")


def _begins(day: date | None, now: datetime) -> datetime:
    """The begin of the local day, or this moment for today: what was decided before stays as it was decided."""
    today = local_day(now)
    if day is None or day == today:
        return now
    if day < today:
        raise Invalid("effect_in_the_past", field="valid_on")
    if day - today > FARTHEST:
        raise Invalid("effect_too_far", field="valid_on", days=FARTHEST.days)
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


def _same_place(session: Session, code: str, site: str, kept: Mapping[str, Any]) -> Sequence[StabilityRuleRow]:
    return session.scalars(
        select(StabilityRuleRow).where(
            StabilityRuleRow.test_code == code,
            StabilityRuleRow.site_code == site,
            StabilityRuleRow.stage == kept["stage"],
            StabilityRuleRow.temp_min_c == kept["temp_min_c"],
            StabilityRuleRow.temp_max_c == kept["temp_max_c"],
            StabilityRuleRow.until_version.is_(None),
            StabilityRuleRow.valid_until.is_(None),
        )
    ).all()


def _next_version(
    session: Session, what: str, test: str, site: str | None, detail: dict[str, Any], *, by: str, now: datetime
) -> StabilityVersion:
    newest = session.scalar(select(func.max(StabilityVersion.number))) or 0
    row = StabilityVersion(number=newest + 1, at=now, by=by, what=what, test_code=test, site_code=site, detail=detail)
    session.add(row)
    session.flush()
    return row
