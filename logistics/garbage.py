"""Python's search for garbage in cycles, in processes that stay: what was loaded once is no longer looked through."""

from __future__ import annotations

import gc


def keep_loaded() -> None:
    """To be called when a process is ready to serve. Everything there is then counts as needed until its end.

    Looking through all that a loaded application holds takes an eighth of a second, in the middle of some answer.
    """
    gc.collect()
    gc.freeze()
