"""What every act asks for and what hardly ever changes: the tree of sites, the stability rules, and who may act.

A process keeps them as long as their stamp in the database stands. The stamp is a number drawn anew by whatever
transaction changes one of these tables, so other processes see it with their next transaction. A transaction that
has changed them itself reads them from the tables.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row, ScalarSelect, event, func, inspect, select
from sqlalchemy.orm import InstanceState, Mapper, Session, object_session

from logistics.db import Base, set_number
from logistics.domain import access
from logistics.models import ApiToken, Counter, Site, StabilityRuleRow, StabilityVersion, User

STAMP = "reference"
_SEEN = "labrelay.reference"  # in Session.info: (transaction, its stamp)
_CHANGED = "labrelay.reference_changed"
_Key = tuple[str, int]
_kept: dict[str, tuple[_Key, Any]] = {}
_scopes: dict[tuple[_Key, str, str | None], access.Scope] = {}
MOST_SCOPES = 2000


def parents(session: Session) -> Mapping[str, str | None]:
    """Every site with its parent."""
    key = _key(session)
    found: Mapping[str, str | None] | None = _lookup("parents", key)
    if found is None:
        rows = session.execute(select(Site.code, Site.parent_code)).all()
        found = _keep("parents", key, MappingProxyType({row.code: row.parent_code for row in rows}))
    return found


def scope(session: Session, role: str, home: str | None) -> access.Scope:
    """The scope of a role at a site (``domain.access.scope_of``)."""
    key = _key(session)
    if key is None:
        return access.scope_of(role, home, parents(session))
    found = _scopes.get((key, role, home))
    if found is None:
        found = access.scope_of(role, home, parents(session))
        if len(_scopes) >= MOST_SCOPES:
            _scopes.clear()
        _scopes[key, role, home] = found
    return found


def stability_rules(session: Session) -> Mapping[str, Sequence[Row[Any]]]:
    """All stability rules by test code, as rows of ``StabilityRuleRow``'s columns."""
    key = _key(session)
    found: Mapping[str, Sequence[Row[Any]]] | None = _lookup("rules", key)
    if found is None:
        by_test: dict[str, list[Row[Any]]] = {}
        for row in session.execute(select(*StabilityRuleRow.__table__.columns).order_by(StabilityRuleRow.id)):
            by_test.setdefault(row.test_code, []).append(row)
        found = _keep("rules", key, MappingProxyType(by_test))
    return found


def stability_version(session: Session) -> int:
    """The number of the newest change of the stability rules; 0: as they were installed."""
    key = _key(session)
    found: int | None = _lookup("rules_version", key)
    if found is None:
        newest = session.scalar(select(func.max(StabilityVersion.number)))
        found = _keep("rules_version", key, newest or 0)
    return found


def stamp() -> ScalarSelect[int]:
    """The stamp as a column of another query, so that asking for it costs no statement of its own: see ``seen``."""
    return select(Counter.value).where(Counter.name == STAMP).scalar_subquery()


def seen(session: Session, value: int | None) -> None:
    """The present transaction has read this stamp."""
    session.info[_SEEN] = (session.get_transaction(), value)


def _key(session: Session) -> _Key | None:
    """What is kept is good for this key; None: nothing may be kept."""
    if session.info.get(_CHANGED):
        return None
    known = session.info.get(_SEEN)
    transaction = session.get_transaction()
    if known is None or transaction is None or known[0] is not transaction:
        value = session.scalar(select(Counter.value).where(Counter.name == STAMP))
        if session.info.get(_CHANGED):  # the query flushed a change
            return None
        seen(session, value)
    else:
        value = known[1]
    return None if value is None else (str(session.get_bind().engine.url), value)


def _lookup(name: str, key: _Key | None) -> Any:
    found = _kept.get(name)
    return found[1] if found is not None and key is not None and found[0] == key else None


def _keep(name: str, key: _Key | None, value: Any) -> Any:
    if key is not None:
        _kept[name] = (key, value)
    return value


def _changed(_mapper: Mapper[Any], _connection: Any, target: Base) -> None:
    session = object_session(target)
    if session is not None and not _only_logged_in(target):
        session.info[_CHANGED] = True


def _only_logged_in(target: Base) -> bool:
    """A user who logged in may do what he could before."""
    if not isinstance(target, User):
        return False
    state: InstanceState[User] = inspect(target)
    changed = {one.key for one in state.attrs if one.history.has_changes()}
    return changed == {User.last_login_at.key}


for _model in (Site, StabilityRuleRow, StabilityVersion, User, ApiToken):
    for _what in ("after_insert", "after_update", "after_delete"):
        event.listen(_model, _what, _changed)


@event.listens_for(Session, "before_commit")
def _draw(session: Session) -> None:
    """A new stamp with the change itself. A savepoint's end is not yet a commit."""
    if session.in_nested_transaction():
        return
    if session.new or session.dirty:
        session.flush()
    if session.info.get(_CHANGED):
        set_number(session, STAMP, secrets.randbelow(2**31 - 1) + 1)


@event.listens_for(Session, "after_commit")
@event.listens_for(Session, "after_rollback")
def _over(session: Session) -> None:
    session.info.pop(_CHANGED, None)
    session.info.pop(_SEEN, None)
