"""Group commit: what comes in during one turn shares the next, nobody is left waiting, a failed turn takes nobody."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

from web.gathering import Gathering

LONG_S = 10.0


class Counter:
    """Work that doubles numbers, remembers its turns, and holds the first one until it is let go."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.held, self.go = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.turns.append(list(items))
        if len(self.turns) == 1:
            self.held.set()
            assert self.go.wait(LONG_S)
        return [2 * one for one in items]


def until_waiting(gathering: Gathering[int, int], count: int) -> None:
    deadline = monotonic() + LONG_S
    while len(gathering._waiting) < count:
        assert monotonic() < deadline
        sleep(0.001)


def test_one_alone_is_a_turn_of_its_own() -> None:
    """Nothing is waited for when nobody is at work."""
    work = Counter()
    work.go.set()
    assert Gathering(work).submit(4) == 8
    assert work.turns == [[4]]


def test_what_comes_meanwhile_shares_the_next_turn() -> None:
    """Everybody gets his own result; the turns hold each item once, and the second holds all that waited."""
    work = Counter()
    gathering = Gathering(work, patience_s=LONG_S)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(gathering.submit, 0)
        assert work.held.wait(LONG_S)
        others = [pool.submit(gathering.submit, one) for one in range(1, 20)]
        until_waiting(gathering, 19)
        work.go.set()
        assert [one.result(LONG_S) for one in (first, *others)] == [2 * one for one in range(20)]
    assert work.turns[0] == [0]
    assert sorted(work.turns[1]) == list(range(1, 20))
    assert len(work.turns) == 2


def test_who_was_just_answered_may_join_the_next_turn() -> None:
    """The next turn begins when as many are there as were in the last one and behind it, not before."""
    work = Counter()
    gathering = Gathering(work, patience_s=LONG_S, linger_s=LONG_S)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathering.submit, 0)
        assert work.held.wait(LONG_S)
        others = [pool.submit(gathering.submit, one) for one in (1, 2)]
        until_waiting(gathering, 2)
        work.go.set()
        assert first.result(LONG_S) == 0
        assert gathering.submit(3) == 6
        assert [one.result(LONG_S) for one in others] == [2, 4]
    assert [sorted(turn) for turn in work.turns] == [[0], [1, 2, 3]]


def test_nobody_lingers_for_those_who_do_not_come() -> None:
    """After ``linger_s`` the turn begins with those who are there, and whoever comes alone later waits for nobody."""
    work = Counter()
    gathering = Gathering(work, patience_s=LONG_S, linger_s=0.001)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathering.submit, 0)
        assert work.held.wait(LONG_S)
        other = pool.submit(gathering.submit, 1)
        until_waiting(gathering, 1)
        work.go.set()
        assert (first.result(LONG_S), other.result(LONG_S)) == (0, 2)
    assert gathering.submit(2) == 4
    assert work.turns == [[0], [1], [2]]


def test_a_turn_takes_only_so_many() -> None:
    """What does not fit into one turn gets into the ones after it."""
    work = Counter()
    gathering = Gathering(work, most=4, patience_s=LONG_S)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(gathering.submit, 0)
        assert work.held.wait(LONG_S)
        others = [pool.submit(gathering.submit, one) for one in range(1, 11)]
        until_waiting(gathering, 10)
        work.go.set()
        assert [one.result(LONG_S) for one in (first, *others)] == [2 * one for one in range(11)]
    assert [len(turn) for turn in work.turns] == [1, 4, 4, 2]


def test_nobody_waits_behind_a_turn_that_is_held_up() -> None:
    """A turn that hangs on a lock holds up what it took, and nothing that came later."""
    work = Counter()
    gathering = Gathering(work, patience_s=0.01)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathering.submit, 0)
        assert work.held.wait(LONG_S)
        assert [pool.submit(gathering.submit, one).result(LONG_S) for one in (1, 2)] == [2, 4]
        assert not first.done()
        work.go.set()
        assert first.result(LONG_S) == 0


def test_a_turn_that_fails_answers_nobody_and_stops_nobody() -> None:
    """Each of its items is for its own thread to work on alone; later turns go on."""

    def work(items: Sequence[int]) -> list[int]:
        if 3 in items:
            raise ValueError("three")
        return list(items)

    gathering = Gathering(work)
    assert gathering.submit(3) is None
    assert gathering.submit(4) == 4


def test_many_threads_each_get_their_own_result() -> None:
    """A thousand submissions from many threads: none lost, none mixed up."""

    def work(items: Sequence[int]) -> list[int]:
        sleep(0.0005)
        return [-one for one in items]

    gathering = Gathering(work, most=7, patience_s=0.002)
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(gathering.submit, range(1000))) == [-one for one in range(1000)]
