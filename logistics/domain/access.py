"""Roles, and which sites each of them may see and act for. Pure: the sites come as a mapping child → parent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from logistics.errors import NotFound

COLLECTOR = "collector"
COURIER = "courier"
DISPATCHER = "dispatcher"
RECEIVER = "receiver"
MANAGER = "manager"
ADMINISTRATOR = "administrator"
AUDITOR = "auditor"
ROLES = (COLLECTOR, COURIER, DISPATCHER, RECEIVER, MANAGER, ADMINISTRATOR, AUDITOR)

WHOLE_NETWORK = frozenset({ADMINISTRATOR, AUDITOR})
SITE_AND_BELOW = frozenset({COURIER, DISPATCHER, RECEIVER, MANAGER})


@dataclass(frozen=True, slots=True)
class Scope:
    """The sites a user may see. ``everything`` stands for all, those of tomorrow included."""

    role: str
    home: str | None
    sites: frozenset[str] = field(default_factory=frozenset)
    everything: bool = False

    def covers(self, *site_codes: str | None) -> bool:
        """True when any of the sites concerned is the user's."""
        return self.everything or any(code in self.sites for code in site_codes if code)

    def require(self, *site_codes: str | None, code: str = "not_found", what: str = "") -> None:
        """Raise NotFound, as for a thing that does not exist, unless one of the sites is the user's."""
        if not self.covers(*site_codes):
            raise NotFound(code, subject=what)


def scope_of(role: str, home: str | None, parents: Mapping[str, str | None]) -> Scope:
    """The scope of a user of ``role`` at site ``home`` in the tree ``parents`` (site → its parent)."""
    if role in WHOLE_NETWORK:
        return Scope(role, home, everything=True)
    if home is None:
        return Scope(role, home)
    if role in SITE_AND_BELOW:
        return Scope(role, home, frozenset(subtree(home, parents)))
    return Scope(role, home, frozenset({home}))


def subtree(root: str, parents: Mapping[str, str | None]) -> Iterable[str]:
    """``root`` and every site below it."""
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(child)
    found, waiting = {root}, [root]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found.add(child)
                waiting.append(child)
    return found
