"""An external laboratory that hangs on the county and alone performs one test, and tubes on their way to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from logistics.domain import numbers
from logistics.models import Box, Site, Test, TestSite, User
from logistics.services import contracts
from tests import factories as f
from tests.factories import COUNTY, PIN, START, TOWN, act, done

EXTERNAL, SPECIAL, CONTRACT = "EXT1", "NGS-PANEL", "WS-2026-01"
OUT, BROUGHT = (numbers.issue(numbers.Kind.BOX, serial) for serial in (742, 744))
TERMS: dict[str, Any] = {
    "external_code": EXTERNAL, "site_code": COUNTY, "valid_from": "2026-01-01", "valid_to": "2026-03-31",
    "turnaround_h": 72.0, "contact": "0715-8888120",
}  # fmt: skip


def build(session: Session, *, contract: bool = True) -> None:
    """The laboratory, its test and its receiver ('extlab'), two boxes, a contract that ends this month."""
    session.add(Site(code=EXTERNAL, name_zh="武汉外部检验所", name_en="Wuhan External Laboratory", tier="external",
                     parent_code=COUNTY))  # fmt: skip
    known = session.get_one(Test, "CBC")
    session.add(Test(code=SPECIAL, name_zh="基因测序组合", name_en="Sequencing panel", temp_class="cold_2_8",
                     specimen_type=known.specimen_type, container=known.container))  # fmt: skip
    session.flush()
    session.add(TestSite(test_code=SPECIAL, site_code=EXTERNAL))
    for code, site in ((OUT, COUNTY), (BROUGHT, TOWN)):
        session.add(Box(code=code, temp_class="cold_2_8", home_code=site, location_code=site))
    if contract:
        contracts.add(session, CONTRACT, TERMS, [SPECIAL])
    session.commit()


def staff(session: Session) -> None:
    """Somebody of the external laboratory with an account here: 'extlab'."""
    password, pin = f._hashes()
    session.add(User(username="extlab", role="receiver", site_code=EXTERNAL, name_zh="外检某", name_en="Extlab",
                     password_hash=password, pin_hash=pin))  # fmt: skip
    session.commit()


def received(session: Session, tubes: Sequence[str], *, at: datetime = START) -> None:
    """Collected at the township for that test, brought to the county laboratory and received there."""
    for code in tubes:
        subject = {"specimen": code}
        done(session, "nurse", act("register", subject, {"tests": [SPECIAL], "patient_ref": "李**"}, at=at))
        done(session, "nurse", act("collect", subject, at=at))
    number = packed(session, "nurse", tubes, BROUGHT, "SL70003", at=at)
    ride(session, number, len(tubes), ("nurse", TOWN), ("receiver", COUNTY), at=at)
    for code in tubes:
        subject = {"specimen": code, "consignment": number}
        done(session, "receiver", act("receive", subject, {"condition": "good"}, at=at))
    done(session, "receiver", act("close_receipt", {"consignment": number}, at=at))


def packed(session: Session, who: str, tubes: Sequence[str], box: str, seal: str, *, at: datetime = START) -> str:
    """Packed and sealed; the consignment's number."""
    number = ""
    for code in tubes:
        number = str(done(session, who, act("pack", {"specimen": code, "box": box}, at=at))["consignment"])
    done(session, who, act("seal", {"consignment": number}, {"seal": seal}, at=at))
    return number


def ready(session: Session, tubes: Sequence[str], *, at: datetime = START) -> str:
    """A sealed box for the external laboratory at the county, ready for release."""
    return packed(session, "receiver", tubes, OUT, "SL70004", at=at)


def ride(
    session: Session, number: str, count: int, giver: tuple[str, str], taker: tuple[str, str], *, at: datetime
) -> None:
    """The courier fetches it at one site and hands it over at the next, each side signing by PIN."""
    take = {"other": giver[0], "pin": PIN, "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, take, site=giver[1], at=at))
    give = {"other": taker[0], "pin": PIN, "count": count}
    done(session, "courier", act("hand_over", {"consignment": number}, give, site=taker[1], at=at))
