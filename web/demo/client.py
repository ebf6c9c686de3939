"""A simulated person's way in: the HTTP API with his own token, exactly as a real machine would use it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from web.demo import people

TIMEOUT_S = 20.0


class Refused(Exception):
    """The API said no; ``str()`` is its code and sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        self.code = code
        super().__init__(f"{code}: {sentence}")


class Api:
    """One user's calls. ``http`` is a client whose base address is the installation's."""

    def __init__(self, http: httpx.Client, username: str) -> None:
        self.username = username
        self._http = http
        self._token: str | None = None

    def get(self, path: str, **query: object) -> dict[str, Any]:
        return self._call("GET", path, params={key: str(value) for key, value in query.items()})

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._call("POST", path, json=dict(body))

    def acts(self, acts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Send acts in one batch; their answers in order."""
        answers: list[dict[str, Any]] = self.post("/api/v1/acts", {"acts": list(acts)})["answers"]
        return answers

    def act(self, one: Mapping[str, Any]) -> dict[str, Any]:
        """Send one act that must be done; its result. Raises Refused."""
        answer = self.acts([one])[0]
        if answer["status"] not in {"done", "duplicate"}:
            raise Refused(answer["code"], answer["sentence"])
        result: dict[str, Any] = answer["result"]
        return result

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        if self._token is None:
            self._token = self._login()
        response = self._http.request(method, path, headers={"Authorization": f"Bearer {self._token}"}, **more)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._token = self._login()
            response = self._http.request(method, path, headers={"Authorization": f"Bearer {self._token}"}, **more)
        return self._body(response)

    def _login(self) -> str:
        body = {"username": self.username, "password": people.PASSWORD, "name": "simulated day"}
        token: str = self._body(self._http.post("/api/v1/tokens", json=body))["token"]
        return token

    def _body(self, response: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = response.json()
        if response.is_error:
            raise Refused(str(body.get("code")), str(body.get("sentence")))
        return body


def connect(base_url: str) -> httpx.Client:
    """A connection pool to an installation, like http://127.0.0.1:8731."""
    return httpx.Client(base_url=base_url, timeout=TIMEOUT_S, trust_env=False)


def act(
    act_type: str,
    at: datetime,
    subject: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """An act as a phone or PC would send it."""
    return {
        "id": str(uuid.uuid4()),
        "type": act_type,
        "occurred_at": at.isoformat(),
        "subject": dict(subject or {}),
        "payload": dict(payload or {}),
        "how": "scanned",
        **more,
    }
