"""The network of the day: tubes, boxes and loads at every stage, and everybody who may move them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.db import set_reading
from logistics.domain import offer_code
from logistics.domain.acts import Answer, Status
from logistics.domain.offer_code import Shown
from logistics.models import Box, Consignment, User
from logistics.services import alerts, custody, network, offers
from tests import factories as f
from tests import send_outs
from tests.factories import act, done

NOW = f.START + timedelta(days=1)
MORNING = f.START + timedelta(hours=4)  # when the moves begin
RECEIVED = ("V1", "V2", "V3", "V4", "V5", "V6", "V7", "X1", "X2", "X3")
BOXES = {
    "BX-D": f.TOWN, "BX-E": f.TOWN, "BX-F": f.TOWN, "BX-G": f.TOWN, "BX-H": f.TOWN, "BX-U": f.COUNTY, "BX-W": f.COUNTY,
    "BX-V": f.CITY,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Move:
    """Something that somebody may want to do."""

    who: str
    what: str
    subject: dict[str, Any]
    payload: dict[str, Any] = field(default_factory=dict)
    site: str | None = None
    how: str = "scanned"
    offline: bool = False


class Day:
    """Starts each example from the same morning; everything else is rolled back."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.taken = _morning(session)
        self.people = {user.username: user for user in session.scalars(select(User))}
        self.scopes = {name: network.scope_of_user(session, user) for name, user in self.people.items()}
        self.tally: Counter[tuple[str, str]] = Counter()
        self.offers: list[tuple[str, str, int]] = []  # handovers by code: id, consignment, count
        self.minute = 0
        session.commit()

    @contextmanager
    def example(self) -> Iterator[None]:
        set_reading(False)
        self.offers, self.minute = [self.taken], 0
        try:
            yield
        finally:
            self.session.rollback()
            self.session.expire_all()

    def do(self, move: Move) -> Answer:
        self.minute += 1
        at = MORNING + timedelta(minutes=self.minute)
        payload = move.payload
        if "of" in payload:
            drawn = offers.draw(self.session, self.people[payload["of"]], count=1, now=NOW)[0]
            shown = Shown(drawn.id, "pickup", at, {self._number(move): payload["count"]})
            payload = {**payload, "handover_id": drawn.id, "code": offer_code.write(shown, drawn.key)}
        one = act(move.what, move.subject, payload, site=move.site, at=at, how=move.how, offline=move.offline)
        people = {"actor": self.people[move.who], "scope": self.scopes[move.who]}
        answer = custody.record(self.session, [one], **people, now=NOW)[0]
        self.tally[move.what, answer.status.value] += 1
        if answer.status is Status.DONE and move.payload.get("method") == "app":
            self.offers.append((payload["handover_id"], answer.result["consignment"], answer.result["count"]))
        return answer

    def _number(self, move: Move) -> str:
        """Of the consignment that is handed over, also when the move names its box."""
        if "consignment" in move.subject:
            return str(move.subject["consignment"])
        inside = Consignment.box_code == move.subject["box"], Consignment.state.not_in(("cancelled", "closed"))
        return self.session.scalars(select(Consignment.number).where(*inside).order_by(Consignment.number)).all()[-1]


def _morning(session: Session) -> tuple[str, str, int]:
    """One box has been through; the others stand at every stage of the way."""
    f.world(session)
    send_outs.build(session)
    send_outs.staff(session)
    password, pin = f._hashes()
    session.add(User(username="citymanager", role="manager", site_code=f.CITY, name_zh="市某", password_hash=password,
                     pin_hash=pin))  # fmt: skip
    for code, site in BOXES.items():
        session.add(Box(code=code, temp_class="cold_2_8", capacity=50, home_code=site, location_code=site))
    session.add(Box(code="BAG-1", temp_class="ambient_15_25", kind="bag", home_code=f.COUNTY, location_code=f.COUNTY))
    session.commit()
    _through(session)
    for tube in ("R1", "R2"):
        done(session, "nurse", act("register", {"specimen": tube}, {"tests": ["CBC"]}))
    for tube, test in (("C1", "CBC"), ("C2", "CBC"), ("C3", "HBA1C")):
        f.collected(session, tube, (test,))
    _boxed(session, "BX-H", ("P1", "P2"))
    _sealed(session, "BX-D", ("S1", "S2"))
    _sealed(session, "BX-G", ("W1", "W2"), test="HBA1C", through=True)
    taken = _by_code(session, _sealed(session, "BX-E", ("I1", "I2")), 2)
    _brought(session, _fetched(session, _sealed(session, "BX-F", ("D1", "D2", "D3")), 3), 3)
    for tube, box in (("X2", send_outs.OUT), ("X3", "BX-W")):
        done(session, "receiver", act("pack", {"specimen": tube, "box": box}))
        done(session, "receiver", act("seal", {"box": box}, {"seal": f"SL-{tube}"}))
    released = {"other": "extlab", "pin": f.PIN, "count": 1}
    done(session, "receiver", act("release_send_out", {"box": "BX-W"}, released))
    _loads(session)
    return taken


def _loads(session: Session) -> None:
    """Reports: at the laboratory, packed, delivered and missing; and control material that came warm and is held."""
    cold = {"kind": "quality_control", "temp_class": "cold_2_8"}
    items, load = [], ""
    for box, facts in ((None, {}), ("BAG-1", {}), ("BX-T", {}), ("BX-T", {}), ("BX-T", cold)):
        payload = {"kind": "report", "destination": f.TOWN, **facts}
        items.append(done(session, "receiver", act("register_item", {}, payload))["item"])
        if box:
            packing = act("pack_item", {"item": items[-1], "box": box})
            load = str(done(session, "receiver", packing)["consignment"])
    done(session, "receiver", act("seal", {"consignment": load}, {"seal": "SL-LOAD"}))
    alerts.raise_alert(
        session, kind="excursion", severity="critical", site_code=f.COUNTY, origin_code=f.COUNTY, box_code="BX-T",
        consignment_number=load, incident_key=f"excursion:BX-T:{load}", params={"items": items[-1:]},
        occurred_at=f.START, now=f.START,
    )  # fmt: skip
    session.commit()
    _brought(session, _fetched(session, load, 3, giver="receiver", site=f.COUNTY), 3, taker="nurse", site=f.TOWN)
    done(session, "nurse", act("receive_item", {"item": items[-1], "consignment": load}, {"condition": "good"}))
    done(session, "nurse", act("item_missing", {"item": items[-2], "consignment": load}))


def _through(session: Session) -> None:
    """A box that was received and closed: what became of its tubes differs."""
    tests = {"V4": "HBA1C", "X1": send_outs.SPECIAL, "X2": send_outs.SPECIAL, "X3": send_outs.SPECIAL}
    number = ""
    for tube in RECEIVED:
        f.collected(session, tube, (tests.get(tube, "CBC"),))
        box = send_outs.BROUGHT
        number = done(session, "nurse", act("pack", {"specimen": tube, "box": box}))["consignment"]
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": "SL-THROUGH"}))
    _brought(session, _fetched(session, number, len(RECEIVED)), len(RECEIVED))
    for tube in RECEIVED:
        what, payload = ("declare_missing", {}) if tube == "V6" else ("receive", {"condition": "good"})
        done(session, "receiver", act(what, {"specimen": tube, "consignment": number}, payload))
    stranger = {"condition": "good", "reason": "UNEXPECTED", "stranger": True}
    done(session, "receiver", act("receive_unexpected", {"specimen": "STRANGE", "consignment": number}, stranger))
    done(session, "receiver", act("close_receipt", {"consignment": number}))
    done(session, "receiver", act("accept", {"specimen": "V2"}))
    done(session, "receiver", act("reject", {"specimen": "V3"}, {"reason": "CLOTTED"}))
    done(session, "receiver", act("hold", {"specimen": "V5"}, {"reason": "look"}))
    done(session, "manager", act("recall", {"specimen": "V7"}, {"reason": "RECALL_LOT"}))


def _boxed(session: Session, box: str, tubes: Sequence[str], *, test: str = "CBC", through: bool = False) -> str:
    number = ""
    for tube in tubes:
        f.collected(session, tube, (test,))
        packing = act("pack", {"specimen": tube, "box": box}, {"through": True} if through else {})
        number = done(session, "nurse", packing)["consignment"]
    return number


def _sealed(session: Session, box: str, tubes: Sequence[str], **more: Any) -> str:
    number = _boxed(session, box, tubes, **more)
    done(session, "nurse", act("seal", {"consignment": number}, {"seal": f"SL-{box}"}))
    return number


def _fetched(session: Session, number: str, count: int, *, giver: str = "nurse", site: str = f.TOWN) -> str:
    payload = {"other": giver, "pin": f.PIN, "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, payload, site=site))
    return number


def _by_code(session: Session, number: str, count: int) -> tuple[str, str, int]:
    """Taken by the code on the nurse's screen; her own half has not come yet."""
    drawn = f.offer(session)
    payload = {"method": "app", "code": f.shown(drawn, {number: count}), "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, payload, site=f.TOWN))
    return drawn, number, count


def _brought(session: Session, number: str, count: int, *, taker: str = "receiver", site: str = f.COUNTY) -> str:
    payload = {"other": taker, "pin": f.PIN, "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, payload, site=site))
    return number
