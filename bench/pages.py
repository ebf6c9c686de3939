"""Asking for pages as somebody who is logged in."""

from __future__ import annotations

import re

import httpx

from bench.load import Request, http
from web.demo.people import PASSWORD

END = b"</html>"


class Reader:
    """One account (of the simulated network, unless ``password`` is given), logged in at the server on ``port``."""

    def __init__(self, port: int, username: str, password: str = PASSWORD) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            token = re.search(r'name="csrf-token" content="([^"]+)"', client.get("/login").text)
            if token is None:
                raise RuntimeError("the login page has no token")
            form = {"username": username, "password": password, "csrf_token": token.group(1)}
            answer = client.post("/login", data=form)
            if answer.status_code != 302:
                raise RuntimeError(f"{username} cannot log in: {answer.status_code}")
            self.cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())

    def page(self, path: str, mark: bytes = END) -> Request:
        """A request for a page that must hold ``mark`` once."""
        return Request(http("GET", path, Cookie=self.cookie), mark)
