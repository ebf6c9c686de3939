"""Sentences of search, saved filters and exports."""

from flask_babel import lazy_gettext as _l

MESSAGES = {
    "export_format_unknown": _l("There is no export as %(format)s. Choose CSV or xlsx."),
    "page_malformed": _l("This address of a page is damaged. Search again."),
    "search_state_unknown": _l("There is no state “%(value)s” any more. Choose another."),
    "search_priority_unknown": _l("There is no priority “%(value)s”. Choose another."),
    "search_site_unknown": _l("The site “%(value)s” does not exist or is not one of yours. Choose another."),
    "search_test_unknown": _l("There is no test “%(value)s” any more. Choose another."),
    "search_courier_unknown": _l("The courier “%(value)s” does not exist or does not drive for you. Choose another."),
    "filter_name_missing": _l("Give the filter a name."),
    "filter_name_long": _l("The name may have %(maximum)s characters at most."),
    "filter_empty": _l("There is nothing to keep yet: set a condition first."),
    "filter_too_many": _l("You keep %(maximum)s filters on this page already. Delete one first."),
    "filter_unknown": _l("This filter does not exist, or it is not yours."),
    "filter_page_unknown": _l("That page keeps no filters."),
    "filter_field_unknown": _l(
        "This filter asks for “%(name)s”, which the page no longer knows. Set it again and keep it anew."
    ),
}
