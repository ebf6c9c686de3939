"""What bench/faults.py concludes from its ledger."""

from __future__ import annotations

from bench.faults import Ledger


def test_the_ledger_tells_receipted_from_waiting() -> None:
    """Receipts name numbers, measurements name instants: the third of a logger is the one that still waits."""
    lines = ["S LG-0 a", "S LG-1 a", "S LG-0 b", "R LG-0 1", "A LN-0 a", "S LG-0 c", "R LG-1 1", "R LG-0 2"]
    ledger = Ledger("\n".join(lines))
    assert ledger.sent - ledger.receipted == {("LG-0", "c")}
    assert ledger.receipted == {("LG-0", "a"), ("LG-0", "b"), ("LG-1", "a")}
    assert ledger.acknowledged == {("LN-0", "a")}
