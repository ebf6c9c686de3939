"""Celery's transport of files, for one machine: half a message, whose writer was killed, stops no worker.

The file is gone then. Jobs and alerts stand in the database, and sweeps send what they need again.
"""

from __future__ import annotations

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem

log = logging.getLogger(__name__)


class Channel(filesystem.Channel):
    """Passes over what cannot be read."""

    def _get(self, queue: Any, timeout: Any = None) -> Any:
        while True:
            try:
                return super()._get(queue)  # type: ignore[no-untyped-call]
            except ValueError:  # JSON or characters that break off
                log.warning("half a task was passed over; a sweep sends it again")


class Transport(filesystem.Transport):
    """The same with such channels."""

    Channel = Channel


def install() -> None:
    """``filesystem://`` means this transport from now on."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
