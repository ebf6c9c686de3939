"""A running web server and a real Chromium for browser tests, and the small things that they all need."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from flask import Flask
from playwright.sync_api import Browser, Page, expect, sync_playwright
from werkzeug.security import generate_password_hash
from werkzeug.serving import WSGIRequestHandler, make_server

from logistics.db import transaction
from logistics.models import User

expect.set_options(timeout=15_000)  # the machine may be busy; what is there already waits for nothing
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "tests-only-password"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}


class Handler(WSGIRequestHandler):
    """Keeps connections open between requests, as the real server does; ``open`` holds them for the end."""

    protocol_version = "HTTP/1.1"
    open: set[socket.socket]

    def handle(self) -> None:
        self.open.add(self.connection)
        try:
            super().handle()
        finally:
            self.open.discard(self.connection)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nobody reads it."""


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """The application on a free port of this machine; gives its address.

    A browser keeps the scripts and styles that it has, as long as its context lives: forty small files a page.
    """
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    connections: set[socket.socket] = set()
    server = make_server(
        "127.0.0.1", 0, app, threaded=True, request_handler=type("Handler", (Handler,), {"open": connections})
    )
    # The next test lays the database file anew: no request of this one may still have it open then.
    server.daemon_threads = False  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        for connection in list(connections):  # those that wait for a next request end; an answer under way is written
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        server.server_close()  # waits for the threads of requests under way


@contextmanager
def chromium(*, camera: Path | None = None) -> Iterator[Browser]:
    """Debian's Chromium without a window. ``camera``: a .y4m or .mjpeg file that plays as the camera."""
    args = ["--no-sandbox", "--disable-gpu"]
    if camera is not None:
        args += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        try:
            yield browser
        finally:
            browser.close()


def add_user(app: Flask, username: str, role: str, **fields: object) -> None:
    with app.app_context(), transaction() as session:
        session.add(
            User(
                username=username,
                role=role,
                name_zh=fields.pop("name_zh", username),
                name_en=fields.pop("name_en", username),
                password_hash=generate_password_hash(PASSWORD, method="scrypt:1024:8:1"),
                **fields,
            )
        )


def sign_in(page: Page, address: str, username: str, *, lang: str = "zh_CN") -> None:
    """Through the login page, as a person would."""
    page.goto(f"{address}/login?lang={lang}")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    with page.expect_navigation():
        page.click("#login-form [type=submit]")
