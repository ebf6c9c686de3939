"""Importing sites, tests and users: upsert by code or user name; an empty cell leaves what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import WHOLE_NETWORK, Scope
from logistics.imports import AnyRow, Preview, SiteRow, TestRow, UserRow
from logistics.imports.text import key
from logistics.models import Site, Test, TestSite, User
from logistics.models.network import CITY_CENTRE, EXTERNAL
from logistics.services.import_checked import Action, Change, Checked, Errors, Result, result_of
from logistics.services.import_names import Book, site_names

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
SITE_COLUMNS = (
    "name_zh", "name_en", "tier", "county_zh", "county_en", "lat", "lon", "opens_min", "closes_min",
    "pickup_from_min", "pickup_to_min", "cutoff_min", "service_min", "contact_name", "contact_phone",
)  # fmt: skip
TEST_COLUMNS = ("name_zh", "name_en", "short_zh", "temp_class", "stage", "turnaround_h")
USER_COLUMNS = ("name_zh", "name_en", "role")


def _given(row: AnyRow, columns: Sequence[str]) -> dict[str, Any]:
    """The columns that the file fills."""
    values = {name: getattr(row, name) for name in columns}
    return {name: value for name, value in values.items() if value not in (None, "")}


def _action(existing: object | None, values: Mapping[str, Any]) -> Action:
    if existing is None:
        return Action.CREATE
    same = all(getattr(existing, name) == value for name, value in values.items())
    return Action.UNCHANGED if same else Action.CHANGE


def check_sites(session: Session, parsed: Preview, scope: Scope, now: datetime, default_site: str | None) -> Checked:
    """Parents by code or name, from the file or the database; no circles; times the right way round."""
    errors = Errors(parsed)
    rows = [row for row in parsed.rows if isinstance(row, SiteRow)]
    existing = {site.code: site for site in session.scalars(select(Site))}
    coming = [Site(code=r.code, name_zh=r.name_zh, name_en=r.name_en, county_zh=r.county_zh) for r in rows]
    names = site_names([*coming, *(site for code, site in existing.items() if code not in {r.code for r in rows})])
    parents: dict[str, str | None] = {code: site.parent_code for code, site in existing.items()}
    changes = []
    for row in rows:
        before = len(errors.found)
        values = _given(row, SITE_COLUMNS)
        if row.parent:
            match = names.find(row.parent)
            if match.code is None:
                errors.unknown(row, "parent", "import_site_unknown", row.parent, match)
            else:
                values["parent_code"] = parents[row.code] = match.code
        elif row.code not in existing and row.tier not in (CITY_CENTRE, EXTERNAL):
            errors.add(row, "parent", "parent_missing", row.name_zh)
        if (row.lat is None) != (row.lon is None):
            errors.add(row, "lat", "position_half")
        for early, late in (("opens_min", "closes_min"), ("pickup_from_min", "pickup_to_min")):
            first, last = getattr(row, early), getattr(row, late)
            if first is not None and last is not None and first >= last:
                errors.add(row, late, "times_reversed")
        if len(errors.found) == before:
            changes.append(Change(row, row.code, _action(existing.get(row.code), values), values))
    for row in rows:
        if _in_circle(row.code, parents):
            errors.add(row, "parent", "parent_circle", row.parent)
    return Checked(parsed, tuple(changes), errors.sorted())


def _in_circle(code: str, parents: Mapping[str, str | None]) -> bool:
    at = parents.get(code)
    for _ in range(len(parents) + 1):
        if at is None:
            return False
        if at == code:
            return True
        at = parents.get(at)
    return True


def apply_sites(session: Session, checked: Checked) -> Result:
    """Parents before children, whatever the order of the file."""
    waiting = [change for change in checked.changes if change.action is not Action.UNCHANGED]
    new = {change.key for change in waiting if change.action is Action.CREATE}
    while waiting:
        ready = [change for change in waiting if change.values.get("parent_code") not in new - {change.key}]
        for change in ready:
            site = session.get(Site, change.key)
            if site is None:
                session.add(Site(code=change.key, source="imported", **change.values))
            else:
                _write(site, change.values)
            new.discard(change.key)
        session.flush()
        waiting = [change for change in waiting if change not in ready]
    return result_of(checked.changes)


def check_tests(session: Session, parsed: Preview, scope: Scope, now: datetime, default_site: str | None) -> Checked:
    """Specimen type and container become codes of the catalogue; performing sites are found by code or name."""
    errors = Errors(parsed)
    book = Book.load(session)
    performed: dict[str, set[str]] = {}
    for test_code, site_code in session.execute(select(TestSite.test_code, TestSite.site_code)):
        performed.setdefault(test_code, set()).add(site_code)
    changes = []
    for row in parsed.rows:
        if not isinstance(row, TestRow):
            continue
        before = len(errors.found)
        values = _given(row, TEST_COLUMNS)
        match = book.specimen_types.find(row.specimen_type)
        values["specimen_type"] = match.code
        if match.code is None:
            errors.unknown(row, "specimen_type", "specimen_type_unknown", row.specimen_type, match)
        if row.container:
            found = book.containers.find(row.container)
            values["container"] = found.code
            if found.code is None:
                errors.unknown(row, "container", "container_unknown", row.container, found)
        sites = _performing(row, book, errors)
        if len(errors.found) > before:
            continue
        existing = book.tests.get(row.code)
        action = _action(existing, values)
        if sites and action is Action.UNCHANGED and set(sites) != performed.get(row.code, set()):
            action = Action.CHANGE
        changes.append(Change(row, row.code, action, {**values, "performing": sites}))
    return Checked(parsed, tuple(changes), errors.sorted())


def _performing(row: TestRow, book: Book, errors: Errors) -> list[str]:
    codes = []
    for name in row.performing:
        match = book.site_names.find(name)
        if match.code is None:
            errors.unknown(row, "performing", "import_site_unknown", name, match)
        else:
            codes.append(match.code)
    return sorted(set(codes))


def apply_tests(session: Session, checked: Checked) -> Result:
    """A test whose file names no laboratory keeps the ones it has."""
    for change in checked.changes:
        if change.action is Action.UNCHANGED:
            continue
        values = {name: value for name, value in change.values.items() if name != "performing"}
        test = session.get(Test, change.key)
        if test is None:
            test = Test(code=change.key, stability_code=change.key, **values)
            session.add(test)
        else:
            _write(test, values)
        session.flush()
        if change.values["performing"]:
            kept = {site.site_code: site for site in test.sites}
            test.sites = [
                kept.get(code) or TestSite(test_code=change.key, site_code=code) for code in change.values["performing"]
            ]
        session.flush()
    return result_of(checked.changes)


def check_users(session: Session, parsed: Preview, scope: Scope, now: datetime, default_site: str | None) -> Checked:
    """Every role but those for the whole network needs a site."""
    errors = Errors(parsed)
    existing = {key(user.username): user for user in session.scalars(select(User))}
    names = site_names(session.scalars(select(Site)))
    changes = []
    for row in parsed.rows:
        if not isinstance(row, UserRow):
            continue
        before = len(errors.found)
        values = _given(row, USER_COLUMNS)
        user = existing.get(key(row.username))
        username = user.username if user else row.username.lower()
        if not USERNAME.fullmatch(username):
            errors.add(row, "username", "username_malformed", row.username)
        if row.site:
            match = names.find(row.site)
            if match.code is None:
                errors.unknown(row, "site", "import_site_unknown", row.site, match)
            values["site_code"] = match.code
        elif row.role not in WHOLE_NETWORK and not (user and user.site_code):
            errors.add(row, "site", "site_needed_for_role")
        if len(errors.found) == before:
            changes.append(Change(row, username, _action(user, values), values))
    return Checked(parsed, tuple(changes), errors.sorted())


def apply_users(session: Session, checked: Checked) -> Result:
    """New users cannot log in until somebody gives them a password; a changed role or site ends their sessions."""
    for change in checked.changes:
        if change.action is Action.UNCHANGED:
            continue
        user = session.scalar(select(User).where(User.username == change.key))
        if user is None:
            session.add(User(username=change.key, must_change_password=True, password_hash="", **change.values))
            continue
        moved = any(
            getattr(user, name) != change.values.get(name, getattr(user, name)) for name in ("role", "site_code")
        )
        _write(user, change.values)
        if moved:
            user.session_version += 1
    session.flush()
    return result_of(checked.changes)


def _write(row: object, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
