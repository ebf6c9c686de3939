"""A key whose owner is remembered from the request before: every change about him counts from the next act on."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from logistics import clock
from logistics.models import ApiToken, CustodyEvent, Site, User
from tests import factories as f
from web import remembered
from web.auth import issue_token

pytestmark = pytest.mark.both_databases
NUMBERS = [f"26112200{place}" for place in range(20, 30)]
Post = Callable[[int], tuple[int, dict[str, Any]]]


@pytest.fixture
def post(app: Flask, session: Session) -> Post:
    """Collects the tube of a place with the nurse's key: (HTTP status, the act's answer or the refusal)."""
    f.world(session)
    for number in NUMBERS:
        f.done(session, "nurse", f.act("register", {"specimen": number}, {"tests": ["CBC"]}))
    user = session.scalars(select(User).where(User.username == "nurse")).one()
    secret = issue_token(session, user, "analyser")
    session.commit()
    _kept(app).clear()
    client = app.test_client(use_cookies=False)

    def send(place: int) -> tuple[int, dict[str, Any]]:
        act = {"id": str(uuid.uuid4()), "type": "collect", "occurred_at": clock.now().isoformat(),
               "subject": {"specimen": NUMBERS[place]}}  # fmt: skip
        with app.app_context():  # its own ``g``
            answer = client.post("/api/v1/acts", json={"acts": [act]}, headers={"Authorization": f"Bearer {secret}"})
        body = answer.get_json()
        return answer.status_code, body["answers"][0] if answer.status_code == 200 else body

    return send


def _kept(app: Flask) -> dict[str, remembered.Known]:
    found: dict[str, remembered.Known] = app.extensions.setdefault("labrelay.remembered", {})
    return found


def test_the_second_act_is_recorded_for_a_remembered_sender(app: Flask, post: Post, session: Session) -> None:
    """He is kept without what proves him, and the record names him all the same."""
    assert post(0)[1]["status"] == "done"
    (known,) = _kept(app).values()
    assert (known.user.username, known.user.password_hash, known.user.pin_hash) == ("nurse", None, None)
    assert post(1)[1]["status"] == "done"
    session.rollback()
    events = select(func.count()).where(CustodyEvent.type == "collected", CustodyEvent.actor == "nurse")
    assert session.scalar(events) == 2


def _revoke(session: Session) -> None:
    session.scalars(select(ApiToken)).one().revoked_at = clock.wall_now()


def _dismiss(session: Session) -> None:
    session.scalars(select(User).where(User.username == "nurse")).one().active = False


def _other_role(session: Session) -> None:
    session.scalars(select(User).where(User.username == "nurse")).one().role = "admin"


def _new_password(session: Session) -> None:
    session.scalars(select(User).where(User.username == "nurse")).one().must_change_password = True


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (_revoke, 401, "login_required"),
        (_dismiss, 401, "login_required"),
        (_other_role, 403, "role_not_allowed"),
        (_new_password, 403, "password_change_first"),
    ],
)
def test_what_was_taken_away_is_gone_with_the_next_act(
    post: Post, session: Session, change: Callable[[Session], None], status: int, code: str
) -> None:
    """Changed by another process while this one remembers him: the act is refused and leaves nothing."""
    assert post(0)[0] == post(1)[0] == 200
    change(session)
    session.commit()
    found = post(2)
    assert (found[0], found[1]["code"]) == (status, code)
    session.rollback()
    assert session.scalar(select(func.count()).where(CustodyEvent.type == "collected")) == 2


def test_a_nurse_who_moved_acts_for_her_new_site(post: Post, session: Session) -> None:
    """Her old site's tubes are unknown to her from the next act on."""
    assert post(0)[1]["status"] == "done"
    session.scalars(select(User).where(User.username == "nurse")).one().site_code = f.OTHER_TOWN
    session.commit()
    status, answer = post(1)
    assert (status, answer["status"], answer["code"]) == (200, "refused", "specimen_unknown")


def test_a_change_elsewhere_costs_a_look_and_nothing_else(app: Flask, post: Post, session: Session) -> None:
    """Another site's name changed: he is looked up anew, and remembered under the new stamp."""
    post(0)
    before = {known.stamp for known in _kept(app).values()}
    session.get_one(Site, f.OTHER_TOWN).name_en = "Elsewhere"
    session.commit()
    assert post(1)[1]["status"] == "done"
    assert post(2)[1]["status"] == "done"
    after = {known.stamp for known in _kept(app).values()}
    assert len(after) == 1
    assert after != before


def test_logging_in_makes_nobody_forget(app: Flask, post: Post, session: Session) -> None:
    """The time of the last login is no right."""
    post(0)
    before = {known.stamp for known in _kept(app).values()}
    session.scalars(select(User).where(User.username == "receiver")).one().last_login_at = clock.wall_now()
    session.commit()
    post(1)
    assert {known.stamp for known in _kept(app).values()} == before


def test_a_key_ends_when_its_time_is_over(post: Post, session: Session) -> None:
    """A remembered key knows its own end."""
    soon = clock.wall_now()
    session.scalars(select(ApiToken)).one().expires_at = soon
    session.commit()
    assert post(0)[0] == 401
