"""Processor time by program, of everything that this process started: where the time of a measurement goes."""

from __future__ import annotations

import os
import resource
from collections import Counter
from pathlib import Path

_TICKS_S = 1 / os.sysconf("SC_CLK_TCK")
GONE = "publishers"
"""Children that have ended and were waited for."""


def used_s() -> Counter[str]:
    """Seconds of processor time so far: by program for what runs below this process, and of what has ended."""
    parents, found = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        parents[int(folder.name)] = int(rest[1])
        found[int(folder.name)] = (name, (int(rest[11]) + int(rest[12])) * _TICKS_S)
    total: Counter[str] = Counter()
    for pid, (name, seconds) in found.items():
        above = parents[pid]
        while above > 1 and above != os.getpid():
            above = parents.get(above, 0)
        if above == os.getpid():
            total[name] += seconds  # type: ignore[assignment]
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total[GONE] = ended.ru_utime + ended.ru_stime  # type: ignore[assignment]
    return total
