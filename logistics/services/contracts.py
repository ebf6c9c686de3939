"""Contracts with external laboratories: which tests, from when until when; none valid, nothing is sent out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Contract, ContractTest, Site, Specimen, Test
from logistics.models.network import EXTERNAL
from logistics.services import network
from logistics.services.desk import Desk
from logistics.services.orders import local_day

MAX_REFERENCE = 40
MAX_TURNAROUND_H = 24 * 90


def valid_on(session: Session, *, external: str, day: str, site: str | None = None) -> list[Contract]:
    """The contracts with an external laboratory that hold on a local day, the one that ends last first."""
    query = select(Contract).where(
        Contract.external_code == external,
        Contract.active,
        Contract.valid_from <= day,
        Contract.valid_to >= day,
    )
    if site is not None:
        query = query.where(Contract.site_code == site)
    return list(session.scalars(query.order_by(Contract.valid_to.desc(), Contract.reference)))


def tests_of(contract: Contract) -> set[str]:
    return {covered.test_code for covered in contract.tests}


def for_tube(desk: Desk, specimen: Specimen, *, external: str, site: str) -> Contract:
    """The contract under which the tube may leave today.

    Raises Conflict('no_contract') when none holds, Conflict('contract_does_not_cover') when none has its tests.
    """
    day = local_day(desk.act.occurred_at).isoformat()
    found = valid_on(desk.session, external=external, day=day, site=site)
    if not found:
        raise Conflict("no_contract", field="specimen", specimen=specimen.accession, external=external)
    wanted = {ordered.test_code for ordered in specimen.tests}
    for contract in found:
        if wanted <= tests_of(contract):
            return contract
    raise _uncovered(specimen, found[0], wanted)


def check_covers(desk: Desk, reference: str, specimen: Specimen) -> None:
    """A tube that joins a send-out must be covered by the contract it travels under, today."""
    contract = require_valid(desk, reference)
    wanted = {ordered.test_code for ordered in specimen.tests}
    if not wanted <= tests_of(contract):
        raise _uncovered(specimen, contract, wanted)


def require_valid(desk: Desk, reference: str | None) -> Contract:
    """Raises Conflict('contract_not_valid') when the contract has ended, not begun, or been closed."""
    contract = desk.session.get(Contract, reference or "")
    day = local_day(desk.act.occurred_at).isoformat()
    if contract is None or not contract.active or not contract.valid_from <= day <= contract.valid_to:
        raise Conflict("contract_not_valid", field="contract", contract=reference or "–")
    return contract


def _uncovered(specimen: Specimen, contract: Contract, wanted: set[str]) -> Conflict:
    return Conflict(
        "contract_does_not_cover",
        field="specimen",
        specimen=specimen.accession,
        contract=contract.reference,
        tests=", ".join(sorted(wanted - tests_of(contract))),
    )


# --- administration ---------------------------------------------------------------------------------------


def known(session: Session, reference: str) -> Contract:
    found = session.get(Contract, reference)
    if found is None:
        raise NotFound("contract_unknown", field="reference", contract=reference[:MAX_REFERENCE])
    return found


def add(session: Session, reference: str, values: dict[str, Any], tests: Iterable[str]) -> Contract:
    """Raises Invalid naming the field, Conflict('contract_exists')."""
    reference = reference.strip()
    if not reference or len(reference) > MAX_REFERENCE:
        raise Invalid("field_missing" if not reference else "field_malformed", field="reference")
    if session.get(Contract, reference) is not None:
        raise Conflict("contract_exists", field="reference", contract=reference)
    contract = Contract(reference=reference, active=True, **_checked(session, values))
    contract.tests = _tests(session, reference, tests)
    session.add(contract)
    session.flush()
    return contract


def change(session: Session, reference: str, values: dict[str, Any], tests: Iterable[str], *, active: bool) -> Contract:
    contract = known(session, reference)
    for name, value in _checked(session, values).items():
        setattr(contract, name, value)
    contract.active = active
    wanted = {one.test_code: one for one in _tests(session, reference, tests)}
    kept = [one for one in contract.tests if one.test_code in wanted]
    have = {one.test_code for one in kept}
    contract.tests = [*kept, *(one for code, one in wanted.items() if code not in have)]
    session.flush()
    return contract


def _checked(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    for name in ("external_code", "site_code"):
        if not values[name]:
            raise Invalid("field_missing", field=name)
    external = network.site(session, str(values["external_code"]), field="external_code")
    if external.tier != EXTERNAL:
        raise Invalid("site_not_external", field="external_code", site=external.code)
    site = network.site(session, str(values["site_code"]), field="site_code")
    days = {name: _day(values[name], name) for name in ("valid_from", "valid_to")}
    if days["valid_from"] > days["valid_to"]:
        raise Invalid("contract_ends_before", field="valid_to")
    return {
        "external_code": external.code,
        "site_code": site.code,
        "turnaround_h": _hours(values.get("turnaround_h")),
        "contact": str(values.get("contact") or "")[:200],
        **days,
    }


def _hours(value: float | None) -> float | None:
    if value is not None and not 1 <= value <= MAX_TURNAROUND_H:
        raise Invalid("number_between", field="turnaround_h", low=1, high=MAX_TURNAROUND_H)
    return value


def _day(text: Any, name: str) -> str:
    try:
        return date.fromisoformat(str(text or "")).isoformat()
    except ValueError:
        raise Invalid("field_malformed" if text else "field_missing", field=name) from None


def _tests(session: Session, reference: str, codes: Iterable[str]) -> list[ContractTest]:
    wanted = list(dict.fromkeys(codes))
    if not wanted:
        raise Invalid("field_missing", field="tests")
    found = set(session.scalars(select(Test.code).where(Test.code.in_(wanted))))
    for code in wanted:
        if code not in found:
            raise Invalid("test_unknown", field="tests", test=code[:40])
    return [ContractTest(contract_reference=reference, test_code=code) for code in wanted]


def externals(session: Session) -> list[Site]:
    """The laboratories outside of the network."""
    return list(session.scalars(select(Site).where(Site.tier == EXTERNAL, Site.active).order_by(Site.code)))
