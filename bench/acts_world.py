"""The network and the tubes that bench/acts.py works on, and the requests that it sends about them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

from sqlalchemy import select

from bench.load import Request, http
from logistics.db import transaction
from logistics.domain.acts import Act, Status
from logistics.models import Box, Site, Test, User
from logistics.services import network, together
from web.auth import issue_token
from web.demo import people

COUNTY, TOWN = "421281", "421281100"
NURSE, RECEIVER, COURIER = f"nurse-{TOWN}", f"lab-{COUNTY}", f"courier-{COUNTY}-1"
TEST = "CBC"
AT_ONCE = 500
DONE = b'"status":"done"'


@dataclass
class World:
    """Keys of the people, and where they work."""

    town: str = ""
    county: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    temp_class: str = ""
    boxes: int = 0
    tubes: int = 0


@dataclass
class Lot:
    """Tubes of one lane: ``fresh`` ones are to be collected and packed into ``box``, ``delivered`` ones of
    ``consignment`` to be received and decided."""

    box: str
    fresh: list[str]
    consignment: str
    delivered: list[str]


def build() -> World:
    """The 77 sites of Xianning with everybody who works there. Inside an application context."""
    world = World()
    with transaction() as session:
        people.seed_people(session)
    with transaction() as session:
        for name in (NURSE, RECEIVER, COURIER):
            user = session.scalars(select(User).where(User.username == name)).one()
            world.tokens[name] = issue_token(session, user, "bench")
        sites = {site.code.removeprefix("H"): site.code for site in session.scalars(select(Site))}
        world.town, world.county = sites[TOWN], sites[COUNTY]
        world.temp_class = session.get_one(Test, TEST).temp_class
    return world


def lot(world: World, fresh: int, delivered: int, *, box: str = "", handed: bool = True) -> Lot:
    """New tubes, all the way to where the measured acts begin: ``delivered`` ones in ``box``, signed for (``handed``)
    or still in the courier's hands at the laboratory."""
    empty, full = _box(world), box or _box(world)
    numbers = [f"77{world.tubes + place:08d}" for place in range(fresh + delivered)]
    world.tubes += len(numbers)
    new, sent = numbers[:fresh], numbers[fresh:]
    record(NURSE, [act("register", {"specimen": one}, {"tests": [TEST], "patient_ref": "张**"}) for one in numbers])
    if not sent:
        return Lot(empty, new, "", [])
    record(NURSE, [act("collect", {"specimen": one}) for one in sent])
    packed = record(NURSE, [act("pack", {"specimen": one, "box": full}) for one in sent])
    number = str(packed[0]["consignment"])
    here = {"consignment": number}
    count = len(sent)
    record(NURSE, [act("seal", here, {"seal": f"SL{number[-6:]}"})])
    record(COURIER, [act("hand_over", here, {"other": NURSE, "pin": people.PIN, "count": count}, world.town)])
    record(COURIER, [act("arrive", {}, {}, world.county)])
    if handed:
        record(RECEIVER, [act("hand_over", here, {"other": COURIER, "pin": people.PIN, "count": count}, world.county)])
    return Lot(empty, new, number, sent)


def _box(world: World) -> str:
    world.boxes += 1
    code = f"BXB{world.boxes:04d}"
    with transaction() as session:
        session.add(
            Box(
                code=code,
                temp_class=world.temp_class,
                capacity=100_000,
                home_code=world.town,
                location_code=world.town,
            )
        )
    return code


def act(
    act_type: str,
    subject: dict[str, object],
    payload: dict[str, object] | None = None,
    site: str | None = None,
    *,
    at: datetime | None = None,
) -> Act:
    when = at or datetime.now(UTC) - timedelta(minutes=1)
    return Act(str(uuid.uuid4()), act_type, when, subject, payload or {}, how="scanned", site=site)


def record(username: str, acts: Sequence[Act], *, now: datetime | None = None) -> list[dict[str, object]]:
    """The results of acts that somebody sent (at ``now``); each must be done."""
    results: list[dict[str, object]] = []
    waiting = iter(acts)
    while some := list(islice(waiting, AT_ONCE)):
        with transaction() as session:
            user = session.scalars(select(User).where(User.username == username)).one()
            scope = network.scope_of_user(session, user)
            answers = together.record(session, some, actor=user, scope=scope, now=now or datetime.now(UTC))
        for answer in answers:
            if answer.status is not Status.DONE:
                raise RuntimeError(f"{answer.code} {answer.field} {answer.params}")
            results.append(dict(answer.result))
    return results


def singles(world: World, one: Lot) -> list[Request]:
    """collect, receive, pack, accept and so on: each an act of its own in a request of its own."""
    found: list[Request] = []
    for fresh, here in zip(one.fresh, one.delivered, strict=True):
        found += [
            post(world, NURSE, [collect(fresh)]),
            post(world, RECEIVER, [receive(one, here)]),
            post(world, NURSE, [pack(one, fresh)]),
            post(world, RECEIVER, [accept(here)]),
        ]
    return found


def batches(world: World, one: Lot, size: int) -> list[Request]:
    """The same acts, ``size`` in a request: a phone that was out of reach, a receiver who confirms many at once."""
    half = size // 2
    found: list[Request] = []
    for fresh, here in zip(_parts(one.fresh, half), _parts(one.delivered, half), strict=True):
        found += [
            post(world, NURSE, [one_act for tube in fresh for one_act in (collect(tube), pack(one, tube))]),
            post(world, RECEIVER, [one_act for tube in here for one_act in (receive(one, tube), accept(tube))]),
        ]
    return found


def whole_box(world: World, one: Lot) -> Request:
    """Every tube of the box confirmed in one request."""
    return post(world, RECEIVER, [receive(one, tube) for tube in one.delivered])


def _parts(tubes: list[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(tubes), size):
        yield tubes[start : start + size]


def collect(tube: str) -> dict[str, object]:
    return sent("collect", {"specimen": tube})


def pack(one: Lot, tube: str) -> dict[str, object]:
    return sent("pack", {"specimen": tube, "box": one.box})


def receive(one: Lot, tube: str) -> dict[str, object]:
    return sent("receive", {"specimen": tube, "consignment": one.consignment}, {"condition": "good"})


def accept(tube: str) -> dict[str, object]:
    return sent("accept", {"specimen": tube})


def sent(act_type: str, subject: dict[str, object], payload: dict[str, object] | None = None) -> dict[str, object]:
    at = datetime.now(UTC) - timedelta(seconds=30)
    return {
        "id": str(uuid.uuid4()),
        "type": act_type,
        "occurred_at": at.isoformat(),
        "subject": subject,
        "payload": payload or {},
        "how": "scanned",
        "device": "bench-1",
    }


def post(world: World, username: str, acts: Sequence[dict[str, object]]) -> Request:
    body = json.dumps({"acts": list(acts)}, separators=(",", ":")).encode()
    return Request(
        http("POST", "/api/v1/acts", body, Authorization=f"Bearer {world.tokens[username]}"), DONE, len(acts)
    )


def inserts(world: World, count: int) -> list[Request]:
    """What the bare view gets: an event of the usual size, made by somebody else."""
    body = {
        "act": str(uuid.uuid4()),
        "actor": "lab-421281",
        "actor_name": "某某",
        "at": datetime.now(UTC).isoformat(),
        "device": "bench-1",
        "how": "scanned",
        "payload": {"condition": "good", "consignment": "CN2603020001K"},
        "position": None,
        "recorded": datetime.now(UTC).isoformat(),
        "seq": 8,
        "site": world.county,
        "stream": "specimen:100000",
        "type": "received",
    }
    text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    found = []
    for _ in range(count):
        key = str(uuid.uuid4())
        wire = json.dumps({"stream": f"bench:{key}", "seq": 1, "act": key, "hash": key * 2, "body": text}).encode()
        found.append(Request(http("POST", "/insert", wire), DONE))
    return found
