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
    "code_malformed": _l("“%(value)s” is no code: letters, digits, dots and hyphens, at most 32."),
    "code_taken": _l("The code %(value)s is in use already."),
    "parent_needed": _l("Say which centre this site belongs to."),
    "parent_in_circle": _l("A site cannot belong to itself or to a site below it."),
    "position_malformed": _l("Give latitude and longitude in degrees, or neither."),
    "number_between": _l("Give a number from %(low)s to %(high)s."),
    "time_of_day_malformed": _l("Give a time of day like 08:30."),
    "username_taken": _l("The user name %(username)s is taken."),
    "not_yourself": _l("You cannot do this to your own account. Ask another administrator."),
    "site_for_role": _l("This role needs a site."),
    "box_in_use": _l("The box travels with consignment %(consignment)s at the moment."),
    "performing_needed": _l("A test that can be ordered needs a laboratory that performs it."),
    "reason_needed": _l("Give a reason that an auditor will understand."),
    "temperatures_reversed": _l("The upper temperature must lie above the lower one."),
    "rule_unknown": _l("There is no such own limit."),
    "channel_unknown": _l("There is no such channel."),
}
