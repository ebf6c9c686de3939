"""For any WSGI server: ``web.wsgi:application``. ``labrelay web`` does the same with gunicorn."""

from __future__ import annotations

import os

from web.app import create_app
from web.settings import Settings

application = create_app(Settings.from_env(os.environ))
