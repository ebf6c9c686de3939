"""Sentences of alerts, channels, assessments, the journey and the search."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "alert_state_unknown": _l("Ask for one of open, acknowledged, ended, all."),
    "channel_kind_unknown": _l("“%(kind)s” is not a kind of channel."),
    "channel_malformed": _l("This channel is not filled in so that anything could be sent."),
    "channel_mail_malformed": _l("This is not a mail address."),
    "channel_url_malformed": _l("Give an address that begins with https:// or http://."),
    "channel_host_refused": _l("Alerts may not be sent to %(host)s: it is not on this installation's list."),
    "channel_host_unresolved": _l("The name %(host)s is not known to the network."),
    "channel_not_accepted": _l("The other side did not take the message."),
    "channel_slow": _l("The mail server was slow; who has no mail yet is written to next time."),
    "channel_certificate_refused": _l("The certificate of the other side is not trusted."),
    "channel_certificate_expired": _l("The certificate of the other side has expired: it needs a new one."),
    "channel_certificate_early": _l(
        "The certificate of the other side is not valid yet: compare the clocks of both machines."
    ),
    "channel_certificate_unknown": _l(
        "Nobody here knows the authority that signed the other side's certificate: add it to those this machine trusts."
    ),
    "channel_certificate_name": _l(
        "The certificate of the other side is for another name: enter the server under the name in its certificate."
    ),
    "channel_certificate_revoked": _l("The certificate of the other side was revoked: it needs a new one."),
    "channel_password_in_the_clear": _l(
        "A password goes over an encrypted connection only: choose STARTTLS or TLS, or clear the user name to send"
        " without a password."
    ),
    "excursion_unknown": _l("This excursion does not exist or concerns no tube of yours."),
    "assessment_empty": _l("Choose at least one tube and what becomes of it."),
    "assessment_too_many": _l("At most %(limit)s tubes at once."),
    "disposition_unknown": _l("“%(disposition)s” is not a disposition."),
    "search_day_malformed": _l("Give the day as year-month-day."),
}
