"""What an administrator changes: sites, users, boxes, reasons. Every function returns what changed, for the audit log.

Values come checked for their kind from the edge; here they are checked against each other and the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import COURIER, ROLES, WHOLE_NETWORK
from logistics.errors import Conflict, Invalid, NotFound
from logistics.models import Box, Courier, Reason, Site, User, Vehicle
from logistics.models.catalogue import TEMP_CLASSES
from logistics.models.network import CITY_CENTRE, EXTERNAL, TIERS, TOWNSHIP
from logistics.models.transport import BOX_KINDS
from logistics.services import network

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
DAY_MIN = 24 * 60
REASON_KINDS = ("reject", "deviation", "handover", "collection", "recall")
TERRAINS = ("plain", "mixed", "hills")

Changes = dict[str, list[Any]]
"""field → [before, after]"""


def write(row: object, values: Mapping[str, Any]) -> Changes:
    """Set the columns that differ and tell which they were."""
    changes: Changes = {}
    for name, value in values.items():
        before = getattr(row, name, None)
        if before != value:
            changes[name] = [before, value]
            setattr(row, name, value)
    return changes


def check_code(code: str, *, field: str = "code") -> str:
    """A code that may stand on a label and in an address."""
    if not CODE.fullmatch(code):
        raise Invalid("code_malformed", field=field, value=code[:40])
    return code


# --- sites ---


def add_site(session: Session, code: str, values: Mapping[str, Any]) -> Changes:
    """Raises Invalid for what cannot be a site, Conflict for a code that is taken."""
    check_code(code)
    if session.get(Site, code) is not None:
        raise Conflict("code_taken", field="code", value=code)
    _check_site(session, code, values)
    site = Site(code=code, name_zh="", tier=values["tier"], source="typed")
    changes = write(site, values)
    session.add(site)
    session.flush()
    return changes


def change_site(session: Session, code: str, values: Mapping[str, Any]) -> Changes:
    site = network.site(session, code)
    _check_site(session, code, values)
    return write(site, values)


def _check_site(session: Session, code: str, values: Mapping[str, Any]) -> None:
    if not values["name_zh"]:
        raise Invalid("field_missing", field="name_zh")
    if values["tier"] not in TIERS:
        raise Invalid("field_malformed", field="tier")
    if values["terrain"] not in TERRAINS:
        raise Invalid("field_malformed", field="terrain")
    _check_parent(session, code, values["parent_code"], values["tier"])
    lat, lon = values["lat"], values["lon"]
    if (lat is None) != (lon is None) or (lat is not None and not (-90 <= lat <= 90 and -180 <= lon <= 180)):
        raise Invalid("position_malformed", field="lat")
    for early, late in (("opens_min", "closes_min"), ("pickup_from_min", "pickup_to_min")):
        if not 0 <= values[early] < values[late] <= DAY_MIN:
            raise Invalid("times_reversed", field=late)
    if not 0 <= values["service_min"] <= 120:
        raise Invalid("number_between", field="service_min", low=0, high=120)


def _check_parent(session: Session, code: str, parent: str | None, tier: str) -> None:
    if parent is None:
        if tier not in (CITY_CENTRE, EXTERNAL):
            raise Invalid("parent_needed", field="parent_code")
        return
    parents = network.parents(session)
    if parent not in parents:
        raise Invalid("site_unknown", field="parent_code", site=parent[:40])
    at: str | None = parent
    while at is not None:
        if at == code:
            raise Invalid("parent_in_circle", field="parent_code")
        at = parents.get(at)


# --- users ---


def add_user(session: Session, username: str, values: Mapping[str, Any]) -> User:
    """A user who cannot log in until a password is set. Raises Invalid or Conflict('username_taken')."""
    if not USERNAME.fullmatch(username):
        raise Invalid("username_malformed", field="username", value=username[:40])
    if session.scalars(select(User.id).where(User.username == username)).first() is not None:
        raise Conflict("username_taken", field="username", username=username)
    _check_user(session, values)
    user = User(username=username, role=values["role"], must_change_password=True)
    write(user, values)
    session.add(user)
    session.flush()
    _courier(session, user)
    return user


def change_user(session: Session, user: User, values: Mapping[str, Any], *, by: User) -> Changes:
    """A new role or site ends the user's sessions. Nobody takes the own administration away: somebody must keep it."""
    _check_user(session, values)
    if user.id == by.id and values["role"] != user.role:
        raise Invalid("not_yourself", field="role")
    changes = write(user, values)
    if {"role", "site_code"} & changes.keys():
        user.session_version += 1
    session.flush()
    _courier(session, user)
    return changes


def set_active(session: Session, user: User, active: bool, *, by: User) -> None:
    """Close or open an account. Closing ends every session and key at once."""
    if user.id == by.id:
        raise Invalid("not_yourself", field="active")
    user.active = active
    user.session_version += 1
    courier = session.get(Courier, user.username)
    if courier is not None:
        courier.active = active and user.role == COURIER


def known_user(session: Session, user_id: int) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFound("user_unknown", field="user")
    return user


def _check_user(session: Session, values: Mapping[str, Any]) -> None:
    if values["role"] not in ROLES:
        raise Invalid("field_malformed", field="role")
    if not values["name_zh"]:
        raise Invalid("field_missing", field="name_zh")
    if values["site_code"] is None:
        if values["role"] not in WHOLE_NETWORK:
            raise Invalid("site_for_role", field="site_code")
    elif session.get(Site, values["site_code"]) is None:
        raise Invalid("site_unknown", field="site_code", site=values["site_code"][:40])


def _courier(session: Session, user: User) -> None:
    """A courier needs working conditions and a vehicle before anything can be planned for him."""
    courier = session.get(Courier, user.username)
    if user.role != COURIER:
        if courier is not None:
            courier.active = False
        return
    site = user.site_code or ""
    if courier is None:
        vehicle = Vehicle(code=f"V-{user.username}", site_code=site)
        session.add(vehicle)
        session.flush()
        courier = Courier(
            username=user.username, vehicle_code=vehicle.code, start_site_code=site, end_site_code=site, skills=[]
        )
        session.add(courier)
    courier.active = user.active
    session.flush()


# --- boxes ---


def add_box(session: Session, code: str, values: Mapping[str, Any]) -> Changes:
    check_code(code)
    if session.get(Box, code) is not None:
        raise Conflict("code_taken", field="code", value=code)
    _check_box(session, values)
    box = Box(code=code, temp_class=values["temp_class"], home_code=values["home_code"])
    changes = write(box, values)
    box.location_code = values["home_code"]
    session.add(box)
    session.flush()
    return changes


def change_box(session: Session, code: str, values: Mapping[str, Any]) -> Changes:
    """Raises Conflict('box_in_use') when the class would change under a consignment."""
    box = known_box(session, code)
    _check_box(session, values)
    if box.consignment_number and (values["temp_class"] != box.temp_class or not values["active"]):
        raise Conflict("box_in_use", field="temp_class", consignment=box.consignment_number)
    return write(box, values)


def known_box(session: Session, code: str) -> Box:
    box = session.get(Box, code)
    if box is None:
        raise NotFound("box_unknown", field="box", box=code)
    return box


def _check_box(session: Session, values: Mapping[str, Any]) -> None:
    if values.get("kind", "box") not in BOX_KINDS:
        raise Invalid("box_kind_unknown", field="kind")
    if values["temp_class"] not in TEMP_CLASSES:
        raise Invalid("field_malformed", field="temp_class")
    if not 1 <= values["capacity"] <= 1000:
        raise Invalid("number_between", field="capacity", low=1, high=1000)
    if not 0 < values["hold_h"] <= 240:
        raise Invalid("number_between", field="hold_h", low=1, high=240)
    if session.get(Site, values["home_code"] or "") is None:
        raise Invalid("site_unknown", field="home_code", site=str(values["home_code"])[:40])


# --- reasons ---


def add_reason(session: Session, code: str, values: Mapping[str, Any]) -> Changes:
    check_code(code)
    if session.get(Reason, code) is not None:
        raise Conflict("code_taken", field="code", value=code)
    for name in ("zh", "en"):
        if not values[name]:
            raise Invalid("field_missing", field=name)
    if values["kind"] not in REASON_KINDS:
        raise Invalid("field_malformed", field="kind")
    reason = Reason(code=code, zh=values["zh"], en=values["en"])
    changes = write(reason, values)
    session.add(reason)
    session.flush()
    return changes


def switch_reason(session: Session, code: str, active: bool) -> None:
    """A reason that was ever used stays in the records; it is only no longer offered."""
    reason = session.get(Reason, code)
    if reason is None:
        raise NotFound("reason_unknown", field="reason", reason=code[:40])
    reason.active = active


__all__ = [
    "REASON_KINDS", "TERRAINS", "TIERS", "TOWNSHIP", "Changes", "add_box", "add_reason", "add_site", "add_user",
    "change_box", "change_site", "change_user", "check_code", "known_box", "known_user", "set_active",
    "switch_reason", "write",
]  # fmt: skip
