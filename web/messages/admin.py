"""Sentences of administration, of machine orders and of passwords that must be changed."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "json_expected": _l("Send this as JSON, with Content-Type: application/json."),
    "orders_malformed": _l('Send {"orders": […]}: %(detail)s'),
    "order_malformed": _l("This order cannot be read: %(detail)s"),
    "too_many_orders": _l("At most %(limit)s orders at once."),
    "order_tubes_count": _l("An order needs 1 to %(maximum)s tubes."),
    "order_tube_differs": _l("%(specimen)s was ordered before with other tests. Nothing was changed."),
    "password_change_first": _l("Choose your own password first."),
}
