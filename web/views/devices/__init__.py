"""Loggers: the fleet, one logger, types, files, and what was set aside."""

from web.views.devices import fleet, logger_files, one, set_aside, types
from web.views.devices.base import blueprint

__all__ = ["blueprint", "fleet", "logger_files", "one", "set_aside", "types"]
