"""What administrators and auditors read: counts, backlog, lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics.models import (
    Act,
    Box,
    Channel,
    Consignment,
    Delivery,
    Job,
    Site,
    Specimen,
    StabilityRuleRow,
    Test,
    TestSite,
    User,
)

GONE = ("disposed", "collection_failed", "accepted", "accepted_concession", "rejected", "lost", "returned")


@dataclass(frozen=True, slots=True)
class Backlog:
    """Work that waits: how much, and since when the oldest does (real time)."""

    waiting: int
    failed: int
    oldest: datetime | None


def counts(session: Session) -> dict[str, int]:
    """How much of everything there is."""
    ask = {
        "sites": select(func.count()).select_from(Site).where(Site.active),
        "users": select(func.count()).select_from(User).where(User.active),
        "boxes": select(func.count()).select_from(Box).where(Box.active),
        "tests": select(func.count()).select_from(Test).where(Test.active),
        "channels": select(func.count()).select_from(Channel).where(Channel.active),
        "specimens": select(func.count()).select_from(Specimen).where(Specimen.state.not_in(GONE)),
        "under_way": select(func.count()).select_from(Consignment).where(Consignment.state == "in_transit"),
        "review": select(func.count()).select_from(Act).where(Act.status == "review"),
    }
    return {name: session.scalar(query) or 0 for name, query in ask.items()}


def jobs(session: Session) -> Backlog:
    waiting = Job.state.in_(("waiting", "running"))
    return _backlog(session, Job.created_at, waiting, Job.state == "failed")


def deliveries(session: Session) -> Backlog:
    return _backlog(session, Delivery.next_try_at, Delivery.state == "waiting", Delivery.state == "failed")


def _backlog(session: Session, since: Any, waiting: Any, failed: Any) -> Backlog:
    count, oldest = session.execute(select(func.count(), func.min(since)).where(waiting)).one()
    return Backlog(count, session.scalar(select(func.count()).where(failed)) or 0, oldest)


def sites(session: Session) -> list[Site]:
    order = {"city_centre": 0, "county_centre": 1, "township": 2, "external": 3}
    found = session.scalars(select(Site)).all()
    parent = {site.code: site.parent_code or "" for site in found}
    return sorted(
        found,
        key=lambda one: (
            one.tier != "city_centre",
            one.code if one.tier != "township" else parent[one.code],
            order.get(one.tier, 9),
            one.code,
        ),
    )


def laboratories(session: Session) -> list[Site]:
    return [site for site in sites(session) if site.tier != "township" and site.active]


def users(session: Session) -> list[User]:
    return list(session.scalars(select(User).order_by(User.active.desc(), User.role, User.username)))


def boxes(session: Session) -> list[Box]:
    return list(session.scalars(select(Box).order_by(Box.code)))


def tests(session: Session) -> list[tuple[Test, list[str], int, int]]:
    """(test, codes of the laboratories, catalogue rules, own limits of laboratories)."""
    performing: dict[str, list[str]] = {}
    for test_code, site_code in session.execute(select(TestSite.test_code, TestSite.site_code)):
        performing.setdefault(test_code, []).append(site_code)
    rules: dict[str, list[int]] = {}
    query = select(StabilityRuleRow.test_code, StabilityRuleRow.site_code).where(
        StabilityRuleRow.until_version.is_(None)
    )
    for stability_code, override in session.execute(query):
        rules.setdefault(stability_code, [0, 0])[override is not None] += 1
    listed = []
    for one in session.scalars(select(Test).order_by(Test.code)):
        general, own = rules.get(one.stability_code, [0, 0])
        listed.append((one, sorted(performing.get(one.code, [])), general, own))
    return listed


def rules(session: Session, test: Test) -> list[StabilityRuleRow]:
    """The limits of a test that stand or are planned: laboratories' own first. What was withdrawn is history."""
    query = select(StabilityRuleRow).where(
        StabilityRuleRow.test_code == (test.stability_code or test.code), StabilityRuleRow.until_version.is_(None)
    )
    found = session.scalars(query).all()
    return sorted(found, key=lambda row: (row.site_code is None, row.site_code or "", row.stage, row.temp_min_c or -99))


def channels(session: Session) -> list[Channel]:
    return list(session.scalars(select(Channel).order_by(Channel.site_code, Channel.name)))
