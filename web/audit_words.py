"""The words for the actions of the audit log."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

ACTIONS: dict[str, Any] = {
    "login": _l("logged in"),
    "login_failed": _l("login failed"),
    "logout": _l("signed out"),
    "password_changed": _l("changed the own password"),
    "pin_changed": _l("changed the own PIN"),
    "pin_wrong": _l("typed a wrong PIN"),
    "seal_tail_wrong": _l("typed a wrong end of a seal"),
    "token_made": _l("made a key"),
    "token_revoked": _l("revoked a key"),
    "orders_received": _l("sent orders by API"),
    "orders_imported": _l("imported orders"),
    "patient_ref_read": _l("read a patient reference"),
    "patient_refs_read": _l("saw patient references in a list"),
    "recalled": _l("recalled tubes"),
    "act_settled": _l("settled a late act"),
    "act_apply": _l("applied a late act"),
    "act_void": _l("voided a late act"),
    "record_verified": _l("had the record verified"),
    "bundle_exported": _l("exported a custody bundle"),
    "act_annotate": _l("noted something about a late act"),
    "site_added": _l("added a site"),
    "site_changed": _l("changed a site"),
    "user_added": _l("added a user"),
    "user_changed": _l("changed a user"),
    "user_closed": _l("closed an account"),
    "user_opened": _l("opened an account"),
    "password_reset": _l("reset a password"),
    "pin_reset": _l("reset a PIN"),
    "box_added": _l("added a box"),
    "box_changed": _l("changed a box"),
    "device_added": _l("added a logger"),
    "device_moved": _l("moved a logger"),
    "test_changed": _l("changed a test"),
    "stability_overridden": _l("set an own stability limit"),
    "stability_withdrawn": _l("withdrew an own stability limit"),
    "reason_added": _l("added a reason"),
    "reason_closed": _l("closed a reason"),
    "reason_opened": _l("opened a reason"),
    "channel_added": _l("added an alert channel"),
    "channel_changed": _l("changed an alert channel"),
    "profile_changed": _l("stored a version of an alarm profile"),
    "profile_given_up": _l("gave an own alarm profile up"),
    "channel_tried": _l("tried an alert channel"),
    "blind_made": _l("made a blind sample"),
    "blind_read": _l("looked at what a blind sample is"),
    "blind_label_printed": _l("printed the label of a blind sample"),
    "contract_added": _l("added a contract"),
    "contract_changed": _l("changed a contract"),
    "audit_exported": _l("exported the audit log"),
    "audit_read": _l("read the audit log"),
    "exported": _l("began an export"),
    "export_ended": _l("an export ended"),
    "filter_shared": _l("shared a filter"),
    "sites_imported": _l("imported sites"),
    "tests_imported": _l("imported tests"),
    "users_imported": _l("imported users"),
    "plan_ordered": _l("ordered a plan"),
    "plan_stopped": _l("stopped a plan"),
    "plan_published": _l("published a plan"),
    "pickup_inserted": _l("inserted an urgent call"),
    "duty_on": _l("went on duty"),
    "duty_off": _l("went off duty"),
    "stops_reordered": _l("changed the order of stops"),
    "demo_clock": _l("turned the simulated clock"),
}


def action_word(action: str) -> str:
    """In the reader's language; the bare code of an action that has no word."""
    return str(ACTIONS.get(action, action))
