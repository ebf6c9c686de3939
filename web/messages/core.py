"""Sentences of the foundation: time, login, access, HTTP."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "time_without_zone": _l("The time has no time zone. Send it like 2026-03-02T08:12:00+08:00."),
    "time_unreadable": _l("“%(value)s” cannot be read as a time."),
    "clock_rate_out_of_range": _l("The speed must be between %(low)s and %(high)s."),
    "login_required": _l("Please log in first."),
    "login_failed": _l("User name or password is wrong."),
    "password_wrong": _l("The present password is wrong."),
    "password_too_short": _l("The password needs at least %(minimum)s characters."),
    "passwords_differ": _l("The two new passwords differ."),
    "pin_malformed": _l("The PIN must be 4 to 8 digits."),
    "role_not_allowed": _l("Your role does not allow this."),
    "csrf_failed": _l("This page has been open too long. Load it again and repeat; what you entered is still here."),
    "bad_request": _l("The request cannot be understood."),
    "forbidden": _l("You may not do this."),
    "not_found": _l("This does not exist, or it belongs to another site."),
    "method_not_allowed": _l("This address does not take such a request."),
    "too_large": _l("What was sent is too large."),
    "unsupported_media": _l("Send this as JSON."),
    "too_many_requests": _l("Too many attempts. Wait a few minutes and try again."),
    "internal_error": _l("Something went wrong on our side. Nothing was lost; please try again."),
    "unavailable": _l("The service is not available at the moment."),
    "database_unavailable": _l("The database does not answer at the moment. Nothing was lost; please try again."),
    "limit_out_of_range": _l("At most %(maximum)s rows at once."),
    "token_unknown": _l("There is no such key."),
    "site_unknown": _l("There is no site with the code %(site)s."),
}
