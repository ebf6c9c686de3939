"""What goes to external laboratories: tubes that wait for it, boxes that are under way, contracts that end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload

from logistics.domain.access import Scope
from logistics.errors import NotFound
from logistics.models import Consignment, ConsignmentLine, Contract, Handover, Site, Specimen, User
from logistics.models.network import EXTERNAL
from logistics.queries import worklists
from logistics.services import contracts
from logistics.services.items import SEND_OUT
from logistics.services.orders import local_day

ENDS_SOON = timedelta(days=30)
SHOWN = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A tube that waits to be sent out; ``contract`` None: nothing covers it today."""

    specimen: Specimen
    since: datetime
    contract: Contract | None


def waiting(session: Session, site_code: str, *, now: datetime) -> list[Waiting]:
    """Tubes that stand at the site for an external laboratory, the longest waiting first."""
    outside = set(session.scalars(select(Site.code).where(Site.tier == EXTERNAL)))
    tubes = [one for one in worklists.packable(session, site_code) if one.destination_code in outside]
    day = local_day(now).isoformat()
    valid = {code: contracts.valid_on(session, external=code, day=day, site=site_code) for code in sorted(outside)}
    found = [Waiting(one, one.received_at or one.state_since, _covering(one, valid)) for one in tubes]
    return sorted(found, key=lambda each: each.since)


def _covering(one: Specimen, valid: dict[str, list[Contract]]) -> Contract | None:
    wanted = {ordered.test_code for ordered in one.tests}
    for contract in valid.get(one.destination_code, []):
        if wanted <= contracts.tests_of(contract):
            return contract
    return None


@dataclass(frozen=True, slots=True)
class SendOut:
    """A box for an external laboratory and its signatures."""

    consignment: Consignment
    handovers: Sequence[Handover]
    contract: Contract | None

    @property
    def due_at(self) -> datetime | None:
        """When the result is promised, by the contract's turnaround."""
        hours = self.contract.turnaround_h if self.contract else None
        left = self.consignment.departed_at
        return left + timedelta(hours=hours) if left is not None and hours is not None else None


def send_outs(session: Session, scope: Scope, *, now: datetime) -> list[SendOut]:
    """Boxes that are being packed, wait for their taker, are under way, or were confirmed in the last two weeks."""
    query = (
        select(Consignment)
        .where(Consignment.kind == SEND_OUT, Consignment.state != "cancelled")
        .where(or_(Consignment.closed_at.is_(None), Consignment.closed_at >= now - SHOWN))
        .options(joinedload(Consignment.origin), joinedload(Consignment.destination))
        .order_by(Consignment.opened_at.desc())
        .limit(200)
    )
    found = [one for one in session.scalars(query) if scope.covers(one.origin_code, one.destination_code)]
    signed = worklists.handovers(session, [one.number for one in found])
    return [
        SendOut(one, signed.get(one.number, []), session.get(Contract, one.contract_reference or "")) for one in found
    ]


def send_out(session: Session, scope: Scope, number: str) -> SendOut:
    """Raises NotFound('consignment_unknown') unless it is a send-out of a site in scope."""
    one = session.get(Consignment, number)
    if one is None or one.kind != SEND_OUT or not scope.covers(one.origin_code, one.destination_code):
        raise NotFound("consignment_unknown", field="consignment", consignment=number)
    signed = worklists.handovers(session, [number]).get(number, [])
    return SendOut(one, signed, session.get(Contract, one.contract_reference or ""))


def lines(session: Session, number: str) -> list[tuple[ConsignmentLine, Specimen]]:
    """The tubes of a send-out and what became of them."""
    query = (
        select(ConsignmentLine, Specimen)
        .join(Specimen, Specimen.id == ConsignmentLine.specimen_id)
        .where(ConsignmentLine.consignment_number == number, ConsignmentLine.outcome.not_in(("refused", "unpacked")))
        .order_by(ConsignmentLine.position, Specimen.id)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def witnesses(session: Session, site_code: str, *, besides: str) -> list[User]:
    """Who of the laboratory may confirm a taker from outside with the own PIN."""
    query = select(User).where(
        User.site_code == site_code, User.active, User.pin_hash != "", User.username != besides,
        User.role.in_(("receiver", "manager")),
    )  # fmt: skip
    return list(session.scalars(query.order_by(User.username)))


def takers(session: Session, external: str) -> list[User]:
    """Users of the external laboratory who can sign themselves."""
    query = select(User).where(User.site_code == external, User.active, User.pin_hash != "")
    return list(session.scalars(query.order_by(User.username)))


def all_contracts(session: Session) -> list[Contract]:
    query = select(Contract).options(joinedload(Contract.external), joinedload(Contract.site))
    return list(session.scalars(query.order_by(Contract.active.desc(), Contract.valid_to, Contract.reference)))
