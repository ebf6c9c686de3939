"""gunicorn, started from the settings instead of a file of its own."""

from __future__ import annotations

import os
import signal
from typing import Any

from gunicorn.app.base import BaseApplication

from logistics.garbage import keep_loaded
from web.even import Counts, EvenWorker, hooks
from web.processes import die_with_parent
from web.settings import Settings


def _after_fork(_server: Any, _worker: Any) -> None:
    die_with_parent(signal.SIGTERM)


class Server(BaseApplication):  # type: ignore[misc]
    """Threads share one process's memory and caches; more processes are for installations with many users."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        options = {
            "bind": f"{host}:{self._settings.port}",
            "worker_class": EvenWorker,
            "workers": self._settings.http_workers,
            "threads": self._settings.http_threads,
            "timeout": 60,
            "graceful_timeout": 5,
            "keepalive": 15,
            "loglevel": self._settings.log_level.lower(),
            "proc_name": "labrelay-web",
            "post_fork": _after_fork,
            **hooks(Counts(self._settings.http_workers)),
            "control_socket_disable": True,
            "worker_tmp_dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else None,  # noqa: S108
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        from web.app import create_app

        app = create_app(self._settings)
        keep_loaded()
        return app


def serve(settings: Settings) -> None:
    """Serve until stopped."""
    Server(settings).run()
