"""Seals on the way: one that is broken or is not the one on record, and a new one put on. The manifest tells all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from logistics.domain import seals
from logistics.domain.custody import EventType as E
from logistics.domain.digests import kept_manifest_hash
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Consignment, ManifestVersion
from logistics.services import alerts, label_ledger, lookup, seal_uses
from logistics.services.desk import Desk
from logistics.services.reasons import known_reason

BROKEN, OTHER_NUMBER = "SEAL_BROKEN", "SEAL_DIFFERS"
BOX_KINDS = ("deviation", "handover")
MAX_NOTE = 400


def report(desk: Desk) -> None:
    """The seal is broken, absent or another one: a nonconformity of the consignment, and an alert. Nothing else stops.

    payload: [``reason`` (SEAL_BROKEN; HL7 0544 SB), ``seal`` that is on the box, ``note``].
    """
    consignment = _at_hand(desk)
    reason = known_reason(desk.session, desk.payload("reason", required=False, default=BROKEN))
    if reason.kind not in BOX_KINDS:
        raise Invalid("reason_unknown", field="reason", reason=reason.code)
    note = desk.payload("note", required=False, default="")[:MAX_NOTE]
    seen = desk.payload("seal", required=False, default="")[:64]
    tell(desk, consignment, reason.code, hl7=reason.hl7, seen=seen, note=note, site=desk.site)
    desk.result.update(consignment=consignment.number, state=consignment.state, reason=reason.code)


def reseal(desk: Desk) -> None:
    """A new seal goes on while the box is under way: the next version of the manifest, with the same lines.

    payload: ``seal``, ``reason`` (coded), [``note``].
    """
    consignment = _at_hand(desk)
    seal = lookup.text(desk.payload("seal"), field="seal")
    reason = known_reason(desk.session, desk.payload("reason"))
    if seals.same(seal, consignment.seal_number):
        seal_uses.refuse_used(desk.session, seal)
    _from_ledger(desk, seal, field="seal")
    note = desk.payload("note", required=False, default="")[:MAX_NOTE]
    lines = list(_manifest(desk, consignment).lines)
    _lock_again(desk, consignment, seal, lines, reason.code, desk.site, note=note)
    desk.result.update(consignment=consignment.number, seal=seal, version=consignment.manifest_version)


def without(desk: Desk, consignment: Consignment, refused: Mapping[int, str], seal_now: str | None, site: str) -> None:
    """Tubes stay behind at a pickup ({id: coded reason}): the next version of the manifest, without them.

    ``seal_now``: the number of the seal on the box now that they are out. The one it had says that it was not opened.
    Raises Conflict('seal_now_needed'), Conflict('seal_used') or Conflict('box_without_tubes').
    """
    lines = [line for line in _manifest(desk, consignment).lines if line.get("specimen") not in refused]
    if not lines:
        raise Conflict("box_without_tubes", field="refused", box=consignment.box_code)
    if seal_now is None:
        raise Conflict("seal_now_needed", field="seal_now", box=consignment.box_code)
    seal = lookup.text(seal_now, field="seal_now")
    if seals.same(seal, consignment.seal_number):
        seal = consignment.seal_number or seal
    else:
        seal_uses.refuse_used(desk.session, seal, field="seal_now")
        _from_ledger(desk, seal, field="seal_now")
    reason = next(iter(refused.values()))
    _lock_again(desk, consignment, seal, lines, reason, site, refused=len(refused))


def _from_ledger(desk: Desk, seal: str, *, field: str) -> None:
    label_ledger.take_if_known(desk.session, seal, by=desk.actor.username, now=desk.act.occurred_at, field=field)


def _lock_again(
    desk: Desk, consignment: Consignment, seal: str, lines: list[Any], reason: str, site: str, **more: Any
) -> None:
    """The next version of the manifest, locked after the box was sealed for the first time."""
    version = consignment.manifest_version + 1
    facts = {
        "seal": seal,
        "old_seal": consignment.seal_number or "",
        "version": version,
        "manifest": kept_manifest_hash(lines),
        "reason": reason,
        **more,
    }
    desk.append_consignment(consignment, E.RESEALED, facts, site=site)
    desk.session.add(
        ManifestVersion(
            consignment_number=consignment.number,
            version=version,
            locked_at=desk.act.occurred_at,
            locked_by=desk.actor.username,
            seal_number=seal,
            lines=lines,
            reason=reason,
        )
    )


def compare(desk: Desk, consignment: Consignment, seen: str | None, site: str) -> None:
    """The number that the taker reads off the box, against the record. Another one is put on record; custody passes
    all the same, because the box is in his hands."""
    if seen is None or seals.same(seen, consignment.seal_number):
        return
    reason = known_reason(desk.session, OTHER_NUMBER)
    tell(desk, consignment, reason.code, hl7=reason.hl7, seen=seen[:64], note="", site=site)


def tell(desk: Desk, consignment: Consignment, reason: str, *, hl7: str, seen: str, note: str, site: str) -> None:
    facts = {
        "reason": reason,
        "hl7": hl7,
        "seal": consignment.seal_number or "",
        "seal_seen": seen,
        "note": note,
        "box": consignment.box_code,
    }
    desk.append_consignment(consignment, E.SEAL_BROKEN, facts, site=site)
    alerts.raise_alert(
        desk.session,
        kind="seal_broken",
        severity="warning",
        site_code=consignment.destination_code,
        origin_code=consignment.origin_code,
        box_code=consignment.box_code,
        consignment_number=consignment.number,
        incident_key=f"seal_broken:{consignment.number}",
        params={
            "consignment": consignment.number, "box": consignment.box_code, "reason": reason, "site": site,
            "seal_seen": "" if seals.same(seen, consignment.seal_number) else seen,
        },
        specimen_ids=[tube.id for tube in lookup.tubes(desk.session, consignment.number)],
        occurred_at=desk.act.occurred_at,
        now=desk.now,
    )  # fmt: skip


def _at_hand(desk: Desk) -> Consignment:
    """The consignment, which the actor holds or which stands at a site of his."""
    consignment = lookup.consignment(desk)
    if consignment.holder != desk.actor.username and not desk.scope.covers(consignment.location_code):
        raise NotFound("consignment_unknown", field="consignment", consignment=consignment.number)
    return consignment


def _manifest(desk: Desk, consignment: Consignment) -> ManifestVersion:
    query = select(ManifestVersion).where(
        ManifestVersion.consignment_number == consignment.number,
        ManifestVersion.version == consignment.manifest_version,
    )
    found = desk.session.scalars(query).first()
    if found is None:
        raise Conflict("manifest_not_locked", field="consignment", consignment=consignment.number)
    return found
