"""The exception tree. Every error a user may meet has a stable code and names the field it is about.

    LabrelayError
    ├── Invalid       what was sent is wrong            (HTTP 400)
    ├── Forbidden     who sent it may not do this       (HTTP 403)
    ├── NotFound      no such thing, or not yours       (HTTP 404)
    ├── Conflict      it no longer fits the state       (HTTP 409)
    └── Unavailable   a service we need is away         (HTTP 503)

The sentence for a code, in the user's language, lives in ``web/messages.py`` alone: a rule knows codes,
never prose. ``params`` fill the sentence's placeholders and must hold no personal data.
"""

from __future__ import annotations


class LabrelayError(Exception):
    """Base of all errors with a code. ``str()`` gives ``code field params`` for logs and tests."""

    def __init__(self, code: str, *, field: str | None = None, **params: object) -> None:
        self.code = code
        self.field = field
        self.params = params
        super().__init__(" ".join(str(part) for part in (code, field or "", params or "") if part))


class Invalid(LabrelayError):
    """What was sent is wrong and would be wrong again."""


class Forbidden(LabrelayError):
    """The sender's role or site does not allow this."""


class NotFound(LabrelayError):
    """No such thing, or none that this user may see."""


class Conflict(LabrelayError):
    """Well formed, but it does not fit the present state."""


class Unavailable(LabrelayError):
    """A service that is needed does not answer."""
