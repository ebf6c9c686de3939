"""Acts of several people in the same moment, each in a transaction and thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime

from flask import Flask
from sqlalchemy.orm import Session

from logistics.db import db, in_transaction
from logistics.domain.acts import Act, Answer
from logistics.services import custody, network, together
from tests import factories as f


def at_once(app: Flask, acts: Sequence[tuple[str, Act | list[Act]]], *, now: datetime | None = None) -> list[Answer]:
    """Record each post (who, an act or several) as the web does, all starting together; every answer, in order."""
    gate = threading.Barrier(len(acts))
    answers: dict[int, list[Answer]] = {}
    failed: list[BaseException] = []

    def post(place: int, who: str, given: list[Act]) -> None:
        def work(session: Session, *, one_by_one: bool) -> list[Answer]:
            actor = f.user(session, who)
            recorder = custody.record if one_by_one else together.record
            scope = network.scope_of_user(session, actor)
            return recorder(session, given, actor=actor, scope=scope, now=now or given[0].occurred_at)

        with app.app_context():
            try:
                gate.wait(30)
                try:
                    answers[place] = in_transaction(lambda session: work(session, one_by_one=False))
                except together.Apart:
                    answers[place] = in_transaction(lambda session: work(session, one_by_one=True))
            except BaseException as error:
                failed.append(error)
            finally:
                db.session.remove()

    threads = [
        threading.Thread(target=post, args=(place, who, given if isinstance(given, list) else [given]))
        for place, (who, given) in enumerate(acts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    return [answer for place in range(len(acts)) for answer in answers[place]]
