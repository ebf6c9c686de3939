"""Corrections beside what they correct: which entries of a stream were declared wrong, and who may declare one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flask_babel import gettext
from flask_login import current_user

from logistics.domain import access
from logistics.domain.access import Scope
from logistics.domain.custody import Event
from logistics.domain.custody import EventType as E
from web.rendering import localtime

CORRECTORS = frozenset({access.COLLECTOR, access.COURIER, access.RECEIVER, access.MANAGER})


def corrections(events: Iterable[Event]) -> dict[int, Event]:
    """Number of the entry that was declared wrong → the entry that says so."""
    return {int(one.payload["corrects"]): one for one in events if one.type is E.CORRECTED}


def may_correct(event: Event, corrected: Mapping[int, Event], scope: Scope) -> bool:
    """Who made the entry, or a manager of its site; as ``logistics.services.acts.corrections`` decides in the end."""
    if event.type is E.CORRECTED or event.seq in corrected or current_user.role not in CORRECTORS:
        return False
    manages = current_user.role == access.MANAGER and (event.site is None or scope.covers(event.site))
    return bool(manages or event.actor == current_user.username)


def words(one: Event) -> str:
    """'Declared wrong 10:42 by Wang: scanned the wrong tube'."""
    sentence: str = gettext(
        "Declared wrong %(time)s by %(name)s: %(reason)s",
        time=localtime(one.occurred_at, "%m-%d %H:%M"), name=one.actor_name or one.actor, reason=one.payload["reason"],
    )  # fmt: skip
    return sentence
