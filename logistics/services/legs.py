"""Where a tube is tested and which way it goes there: up the tree township → county centre → city centre, and from
the laboratory that has the contract to one outside of the network. Load items go down the same tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Invalid
from logistics.models import Site, TestSite
from logistics.models.network import EXTERNAL
from logistics.services import network


def chain_up(site: str, parents: Mapping[str, str | None]) -> list[str]:
    """``site`` and every site above it, nearest first."""
    chain = [site]
    while (parent := parents.get(chain[-1])) is not None and parent not in chain:
        chain.append(parent)
    return chain


def laboratory_for(session: Session, tests: Iterable[str], collecting_site: str) -> str:
    """The nearest laboratory upwards that performs all these tests, else an external one that works for one of them.

    Raises Invalid('no_laboratory') naming the tests when there is none.
    """
    wanted = sorted(set(tests))
    performed: dict[str, set[str]] = {}
    rows = session.execute(select(TestSite.site_code, TestSite.test_code).where(TestSite.test_code.in_(wanted)))
    for site_code, test_code in rows:
        performed.setdefault(site_code, set()).add(test_code)
    for code in laboratories(session, collecting_site):
        if performed.get(code, set()) >= set(wanted):
            return code
    raise Invalid("no_laboratory", field="tests", tests=", ".join(wanted))


def laboratories(session: Session, site: str) -> list[str]:
    """Where tubes of ``site`` may be tested, nearest first: the sites upwards, then the external laboratories that
    hang on one of these."""
    chain = chain_up(site, network.parents(session))
    rows = session.execute(
        select(Site.code, Site.parent_code).where(Site.tier == EXTERNAL, Site.active, Site.parent_code.in_(chain))
    ).all()
    outside = sorted((chain.index(parent), code) for code, parent in rows if parent is not None)
    return [*chain, *(code for _, code in outside)]


def next_hop(session: Session, at: str, destination: str) -> str:
    """The site that a tube or item at ``at`` travels to next on its way to ``destination``: one tier up, one tier
    down towards it, or straight there when it is neither above nor below.

    To an external laboratory the way leads through the site that has the contract.
    """
    if at == destination:
        return destination
    parents = network.parents(session)
    up, down = chain_up(at, parents), chain_up(destination, parents)
    if destination in up:
        return up[1]
    if at in down:
        return down[down.index(at) - 1]
    parent = parents.get(destination)
    if parent in up and session.get_one(Site, destination).tier == EXTERNAL:
        return up[1]
    return destination


def between(session: Session, origin: str, destination: str) -> list[str]:
    """The sites on the way from ``origin`` up to ``destination``, nearest first: where a sealed box may be handed in
    to be taken on. Empty when the destination is the next one, or not above."""
    chain = chain_up(origin, network.parents(session))
    return chain[1 : chain.index(destination)] if destination in chain[1:] else []
