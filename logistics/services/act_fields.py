"""What an act may say: the fields of each type, and what each field may hold. Everything else is refused by name.

    act = act_fields.checked(act)        # before anything of it is kept

Acts and events are kept for ever, so no name, identity number or phone number of a patient may get that far, whatever
the sender forgot: a name is masked, a code is a code, an unknown field is refused, and a number in a note is refused
where somebody waits for the answer and can put it right, and starred out in an act that is brought in later.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from logistics.domain import offer_code, personal
from logistics.domain.acts import Act, Answer, Status
from logistics.errors import Invalid
from logistics.imports.text import mask_name

Check = Callable[[Any, str, bool], Any]
"""(value, field, offline) → the value that is kept. Raises Invalid naming the field."""

MAX_CODE = 64
MAX_WORDS = 4000
MAX_NUMBER = 10**9
SHA256 = re.compile(r"[0-9a-fA-F]{64}")
KILOMETRE = Decimal("0.01")  # of a degree of latitude; less of longitude


def checked(act: Act) -> Act:
    """The act with nothing in it that may not be kept. Raises Invalid ``act_type_unknown``, ``field_unknown``,
    ``field_malformed``, ``offer_malformed``, ``text_has_id_number`` or ``text_has_phone``, naming the field."""
    payload = PAYLOAD.get(act.type)
    if payload is None:
        raise Invalid("act_type_unknown", field="type", type=personal.mask(act.type[:40]))
    code(act.device, "device", act.offline)
    code(act.site, "site", act.offline)
    lat, lon = _whereabouts(act)
    return replace(
        act,
        subject=_fields(SUBJECT, act.subject, act.offline),
        payload=_fields(payload, act.payload, act.offline),
        lat=lat,
        lon=lon,
    )


def sifted(acts: Iterable[Act]) -> tuple[list[Act], dict[str, Answer]]:
    """Those acts that may be kept, and the answers to the others, by id: of these nothing is kept at all."""
    kept, refused = [], {}
    for act in acts:
        try:
            kept.append(checked(act))
        except Invalid as error:
            refused[act.id] = refusal(act, error)
    return kept, refused


def refusal(act: Act, error: Invalid) -> Answer:
    return Answer(act.id, Status.REFUSED, error.code, error.params, error.field)


def _whereabouts(act: Act) -> tuple[str | None, str | None]:
    """The log is for ever and a person's way is not (docs/adr/0019-whereabouts.md): an act at a site needs no position,
    one on the road keeps it to about a kilometre."""
    if act.site is not None or act.lat is None or act.lon is None:
        return None, None
    return _coarse(act.lat), _coarse(act.lon)


def _coarse(degrees: str) -> str:
    return str(Decimal(degrees).quantize(KILOMETRE))


def _fields(known: Mapping[str, Check], given: Mapping[str, Any], offline: bool) -> dict[str, Any]:
    for name in given:
        if name not in known:
            raise Invalid("field_unknown", field=personal.mask(name[:MAX_CODE]))
    return {name: None if value is None else known[name](value, name, offline) for name, value in given.items()}


# --- what a field may hold ------------------------------------------------------------------------------------


def code(value: Any, field: str, offline: bool) -> Any:
    """A code, a user name or what is read off a label: short, with a Latin letter or a digit in it."""
    if value is None or value == "":
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value, field, offline)
    if not isinstance(value, str):
        raise Invalid("field_malformed", field=field)
    personal.require_none(value, field=field, phones=not value.isascii())
    plain = unicodedata.normalize("NFKC", value)  # a Chinese keyboard writes letters and digits wide
    if len(value) > MAX_CODE or not any(one.isascii() and one.isalnum() for one in plain):
        raise Invalid("field_malformed", field=field)
    return value


def shown(value: Any, field: str, offline: bool) -> Any:
    """The code on a giver's screen."""
    if not isinstance(value, str):
        raise Invalid("field_malformed", field=field)
    for number in offer_code.read(value).counts:
        personal.require_none(number, field=field, phones=False)
    return value


def words(value: Any, field: str, offline: bool) -> Any:
    """What somebody wrote."""
    if isinstance(value, int) and not isinstance(value, bool):
        return number(value, field, offline)
    if not isinstance(value, str) or len(value) > MAX_WORDS:
        raise Invalid("field_malformed", field=field)
    if offline:
        return personal.mask(value)
    personal.require_none(value, field=field)
    return value


def name(value: Any, field: str, offline: bool) -> Any:
    """A patient's name, masked whatever was sent."""
    if not isinstance(value, str):
        raise Invalid("field_malformed", field=field)
    return words(mask_name(value), field, offline)


def number(value: Any, field: str, offline: bool) -> Any:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_NUMBER:
        raise Invalid("field_malformed", field=field)
    return value


def flag(value: Any, field: str, offline: bool) -> Any:
    if not isinstance(value, bool):
        raise Invalid("field_malformed", field=field)
    return value


def secret(value: Any, field: str, offline: bool) -> Any:
    """Shown to prove presence; never kept (``domain.acts.SECRETS``)."""
    return value


def hash_(value: Any, field: str, offline: bool) -> Any:
    """The SHA-256 of a photo."""
    if not isinstance(value, str) or (value != "" and not SHA256.fullmatch(value)):
        raise Invalid("field_malformed", field=field)
    return value


def several(one: Check) -> Check:
    def check(value: Any, field: str, offline: bool) -> Any:
        if not isinstance(value, (list, tuple)):
            raise Invalid("field_malformed", field=field)
        return [one(each, field, offline) for each in value]

    return check


def record(**known: Check) -> Check:
    def check(value: Any, field: str, offline: bool) -> Any:
        if not isinstance(value, Mapping):
            raise Invalid("field_malformed", field=field)
        return _fields(known, value, offline)

    return check


def by_number(one: Check) -> Check:
    """Something for each of several consignments, under its number."""

    def check(value: Any, field: str, offline: bool) -> Any:
        if not isinstance(value, Mapping):
            raise Invalid("field_malformed", field=field)
        return {code(key, field, offline): one(each, field, offline) for key, each in value.items()}

    return check


# --- the fields of each type ----------------------------------------------------------------------------------

SUBJECT: Mapping[str, Check] = {
    "specimen": code, "specimen_id": number, "issuing_site": code, "box": code, "consignment": code,
    "consignments": several(code), "stop": code, "item": code,
}  # fmt: skip

WHY: Mapping[str, Check] = {"reason": code, "note": words, "photo": hash_}
NOTE: Mapping[str, Check] = {"note": words}
IN_WORDS: Mapping[str, Check] = {"reason": words}
RECALL: Mapping[str, Check] = {"reason": code, "note": words, "bring_to": code, "recall": code}
_ELSEWHERE = record(reason=code, note=words)
_REFUSED = several(record(specimen=code, reason=code))
_PART: Mapping[str, Check] = {
    "count": number, "checked": number, "refused": _REFUSED, "box_temp_c": code, "seal": code, "seal_now": code,
    "elsewhere": _ELSEWHERE,
}  # fmt: skip
SIGNER: Mapping[str, Check] = {
    "other": code, "pin": secret, "method": code, "handover_id": code, "code": shown, "seal_tail": secret,
    "meaning": code,
}  # fmt: skip

PAYLOAD: Mapping[str, Mapping[str, Check]] = MappingProxyType({
    "register": {
        "tests": several(code), "order_number": code, "priority": code, "specimen_type": words, "container": words,
        "patient_ref": name, "sex": words, "age": words, "department": words, "source": code,
    },
    "collect": {},
    "collection_failed": {"reason": code, "note": words},
    "recollect": {"accession": code},
    "pack": {"through": flag},
    "unpack": {},
    "seal": {"seal": code},
    "unseal": IN_WORDS,
    "cancel_consignment": IN_WORDS,
    "ready": {},
    "urgent_call": {"note": words, "within_min": number},
    "hand_over": {**SIGNER, **_PART, "parts": by_number(record(**_PART))},
    "sign_handover": {
        "handover_id": code, "count": number, "counts": by_number(number), "other": code, "meaning": code,
    },
    "seal_broken": {"reason": code, "seal": code, "note": words},
    "reseal": {"seal": code, "reason": code, "note": words},
    "arrive": {},
    "depart": {},
    "receive": {"condition": code},
    "receive_unexpected": {**WHY, "condition": code, "stranger": flag},
    "declare_missing": NOTE,
    "receive_all": {"condition": code, "specimens": several(number)},
    "found": {"condition": code},
    "deviation": WHY,
    "settle": {"finding": number, "note": words},
    "close_receipt": {},
    "accept": WHY,
    "reject": {**WHY, "condition": code},
    "reject_tests": {**WHY, "tests": several(code)},
    "decide_all": {**WHY, "decision": code, "specimens": several(number)},
    "hold": {"reason": words, "code": code, "photo": hash_},
    "release": IN_WORDS,
    "recall": RECALL,
    "recall_consignment": RECALL,
    "returned": NOTE,
    "lost": NOTE,
    "dispose": NOTE,
    "note": NOTE,
    "correct": {"event": number, "reason": words},
    "register_item": {
        "kind": code, "destination": code, "description": words, "quantity": number, "temp_class": code, "lot": code,
        "expires_on": code,
    },
    "pack_item": {},
    "unpack_item": {},
    "return_box": {"destination": code},
    "receive_item": {"condition": code},
    "item_missing": {},
    "found_item": {"condition": code},
    "release_item": IN_WORDS,
    "dispose_item": NOTE,
    "release_send_out": {
        "count": number, "other": code, "pin": secret, "taker_name": words, "taker_organisation": words,
        "witness": code, "box_temp_c": code,
    },
    "confirm_send_out": {"condition": code, "missing": several(code), "received_by": words},
})  # fmt: skip
