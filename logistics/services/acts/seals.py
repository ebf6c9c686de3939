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
    reason = known_reason(desk.session, desk.payload("reason"))
    seal = put_on(desk, consignment, desk.payload("seal"), field="seal")
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
    seal = put_on(desk, consignment, seal_now, field="seal_now", may_stay=True)
    reason = next(iter(refused.values()))
    _lock_again(desk, consignment, seal, lines, reason, site, refused=len(refused))


def put_on(desk: Desk, consignment: Consignment, sent: str | None, *, field: str, may_stay: bool = False) -> str:
    """The number of the seal that closes the box: the one that was sent, or its own where the seal ``may_stay``.

    Where a manager applies a late act and that number cannot be (another box bears it, it was voided, nobody sent one),
    the number that he found out counts; "" where nobody can tell.
    Raises Conflict('seal_now_needed'), Conflict('seal_used') or as the ledger does.
    """
    instead = desk.late.seal_now if desk.late is not None else None
    own = consignment.seal_number if may_stay else None
    try:
        return _fitting(desk, consignment, sent, field, own)
    except Conflict:
        if instead is None:
            raise
    return _fitting(desk, consignment, instead, field, own) if instead else ""


def _fitting(desk: Desk, consignment: Consignment, sent: str | None, field: str, own: str | None) -> str:
    if sent is None:
        raise Conflict("seal_now_needed", field=field, box=consignment.box_code)
    seal = lookup.text(sent, field=field)
    if own and seals.same(seal, own):
        return own
    seal_uses.refuse_used(desk.session, seal, field=field)
    label_ledger.take_if_known(desk.session, seal, by=desk.actor.username, now=desk.act.occurred_at, field=field)
    return seal


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
    keep_version(desk, consignment, seal, lines, reason)


def keep_version(desk: Desk, consignment: Consignment, seal: str, lines: list[Any], reason: str = "") -> None:
    """The manifest as it was just locked: the consignment bears its version already."""
    desk.session.add(
        ManifestVersion(
            consignment_number=consignment.number,
            version=consignment.manifest_version,
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
