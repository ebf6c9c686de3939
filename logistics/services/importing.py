"""Files into the database: a preview against what is there, then all of it or nothing.

    checked = preview(session, "orders", table, mapping, scope=scope, now=now)
    if not checked.errors:
        apply(session, checked, actor=user, scope=scope, now=now)

The same file twice changes nothing: sites, tests and users are matched by their natural key, a tube by issuing
site, number and date window (as custody.md asks).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from logistics.domain.access import Scope
from logistics.errors import Forbidden, Invalid
from logistics.imports import Kind, Table, parse
from logistics.models import User
from logistics.services import import_orders
from logistics.services.import_checked import Checked, Result
from logistics.services.import_masters import (
    apply_sites,
    apply_tests,
    apply_users,
    check_sites,
    check_tests,
    check_users,
)

CHECKS = {
    Kind.SITES: check_sites,
    Kind.TESTS: check_tests,
    Kind.USERS: check_users,
    Kind.ORDERS: import_orders.check,
}


def preview(
    session: Session,
    kind: Kind | str,
    table: Table,
    mapping: Mapping[str, str] | None = None,
    *,
    scope: Scope,
    now: datetime,
    default_site: str | None = None,
) -> Checked:
    """What ``table`` would change, and everything wrong with it. Reads only.

    ``default_site`` stands in where an order file names no site. Raises Invalid as ``imports.parse`` does, and
    Forbidden ``import_kind_forbidden`` when master data is imported without the whole network in scope.
    """
    parsed = parse(table, kind, mapping)
    _permit(parsed.kind, scope)
    return CHECKS[parsed.kind](session, parsed, scope, now, default_site)


def apply(session: Session, checked: Checked, *, actor: User, scope: Scope, now: datetime) -> Result:
    """Write what ``checked`` shows; the caller commits. Any refusal raises, so that nothing is kept.

    Raises Invalid ``import_has_errors`` (with the count), Conflict ``import_row_refused`` (line, reason).
    """
    if checked.errors:
        raise Invalid("import_has_errors", field="file", count=len(checked.errors))
    _permit(checked.kind, scope)
    if checked.kind is Kind.ORDERS:
        return import_orders.apply(session, checked, actor=actor, scope=scope, now=now)
    if checked.kind is Kind.SITES:
        return apply_sites(session, checked)
    if checked.kind is Kind.TESTS:
        return apply_tests(session, checked)
    return apply_users(session, checked)


def _permit(kind: Kind, scope: Scope) -> None:
    if kind is not Kind.ORDERS and not scope.everything:
        raise Forbidden("import_kind_forbidden", field="kind", kind=kind.value)


__all__ = ["Checked", "Result", "apply", "preview"]
