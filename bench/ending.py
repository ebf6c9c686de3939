"""A bench that is stopped or killed takes its servers with it."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from web.processes import die_with_parent


def orderly() -> None:
    """Let SIGTERM end a bench as Ctrl-C does, so that its servers are stopped and its folders removed."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: the second must not break off the tidying
    sys.exit(128 + number)


def with_bench(parent: int, number: int = signal.SIGKILL) -> None:
    """Called in a process of the bench ``parent``: end it by signal ``number`` when that dies, however that was."""
    die_with_parent(number)
    if os.getppid() != parent:  # it died before we could ask
        os._exit(1)
