"""Administration. Administrators change, auditors read; every change is in the audit log."""

from web.views.admin import (
    audit,
    catalogue,
    channels,
    contracts,
    equipment,
    imports,
    overview,
    reasons,
    sites,
    users,
    words,
)
from web.views.admin.base import blueprint

__all__ = [
    "audit",
    "blueprint",
    "catalogue",
    "channels",
    "contracts",
    "equipment",
    "imports",
    "overview",
    "reasons",
    "sites",
    "users",
    "words",
]
