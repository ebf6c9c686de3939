"""Where a tube is tested and which way it goes there: up the tree township → county centre → city centre."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.models import TestSite
from logistics.services import network


def chain_up(site: str, parents: Mapping[str, str | None]) -> list[str]:
    """``site`` and every site above it, nearest first."""
    chain = [site]
    while (parent := parents.get(chain[-1])) is not None and parent not in chain:
        chain.append(parent)
    return chain


def laboratory_for(session: Session, tests: Iterable[str], collecting_site: str) -> str:
    """The nearest laboratory upwards that performs all these tests.

    Raises Invalid('no_laboratory') naming the tests when there is none.
    """
    wanted = sorted(set(tests))
    performed: dict[str, set[str]] = {}
    rows = session.execute(select(TestSite.site_code, TestSite.test_code).where(TestSite.test_code.in_(wanted)))
    for site_code, test_code in rows:
        performed.setdefault(site_code, set()).add(test_code)
    for code in chain_up(collecting_site, network.parents(session)):
        if performed.get(code, set()) >= set(wanted):
            return code
    raise Invalid("no_laboratory", field="tests", tests=", ".join(wanted))


def next_hop(session: Session, at: str, destination: str) -> str:
    """The site that a tube at ``at`` travels to next on its way to ``destination``: one tier up, or straight there
    when the destination is not above."""
    if at == destination:
        return destination
    chain = chain_up(at, network.parents(session))
    return chain[1] if destination in chain[1:] else destination
