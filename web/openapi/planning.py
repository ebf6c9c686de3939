"""Plans, the live board, alerts."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from web.openapi.parts import (
    LIMIT,
    Operation,
    array,
    instant,
    listed,
    media,
    number,
    obj,
    path_param,
    query_param,
    ref,
    text,
)

_PLAN = (path_param("plan_id", kind="integer"),)
_PICKUP = (path_param("pickup_id", kind="integer"),)

PATHS = {
    "/api/v1/plans": {
        "get": Operation(
            "listPlans",
            "planning",
            _l("Plans of the own county or city"),
            params=(query_param("day", "YYYY-MM-DD"), query_param("state"), query_param("group")),
            answer=listed("Plan", "plans"),
        ),
        "post": Operation(
            "orderPlan",
            "planning",
            _l("Order a plan for a day; a worker makes it"),
            body=media(
                obj(
                    {
                        "day": text(format="date"),
                        "scope": text(_l("Code of the county centre or of the city centre.")),
                        "seconds": number("number", _l("How long to search.")),
                        "name": text(),
                        "each": {
                            "type": "boolean",
                            "description": _l("A plan for each county of the scope by itself; answered with a group."),
                        },
                    },
                    optional=("seconds", "name", "each"),
                ),
                {"day": "2026-03-02", "scope": "XN-0101", "seconds": 30},
            ),
            answer=media(obj({"id": number(), "state": text(), "job": text(), "url": text()})),
            status=201,
            fails=(404, 409),
        ),
    },
    "/api/v1/plans/{plan_id}": {
        "get": Operation(
            "getPlan",
            "planning",
            _l("A plan: routes, stops, what could not be planned and why"),
            params=_PLAN,
            answer=media(ref("Plan")),
        )
    },
    "/api/v1/plans/{plan_id}/progress": {
        "get": Operation(
            "planProgress",
            "planning",
            _l("How far the search is"),
            params=_PLAN,
            answer=media(
                obj(
                    {
                        "id": number(),
                        "state": text(),
                        "revision": number(),
                        "notice": text(),
                        "job": {"type": ["object", "null"]},
                        "improvements": array({"type": "object"}),
                    }
                )
            ),
        )
    },
    "/api/v1/plans/{plan_id}/stop": {
        "post": Operation(
            "stopPlan",
            "planning",
            _l("Stop the search and keep the best"),
            params=_PLAN,
            answer=media(obj({"id": number(), "state": text(), "job_state": text(null=True)})),
            fails=(409,),
        )
    },
    "/api/v1/plans/{plan_id}/publish": {
        "post": Operation(
            "publishPlan",
            "planning",
            _l("Give the plan to the couriers"),
            params=_PLAN,
            answer=media(obj({"id": number(), "state": text(), "published_at": instant(null=True)})),
            fails=(409,),
        )
    },
    "/api/v1/plans/{plan_id}/effects": {
        "post": Operation(
            "planEffects",
            "planning",
            _l("What moving requests of a draft to each courier and place would do"),
            params=_PLAN,
            body=media(
                obj(
                    {"requests": array(text()), "revision": number(), "deliveries": {"type": "boolean"}},
                    optional=("deliveries",),
                ),
                {"requests": ["P12"], "revision": 3},
            ),
            answer=media(obj({"plan": number(), "revision": number(), "couriers": array({"type": "object"})})),
            fails=(404, 409),
        )
    },
    "/api/v1/plans/{plan_id}/edits": {
        "post": Operation(
            "editPlan",
            "planning",
            _l("Change a draft: move, leave_out, pin, lock, undo, redo, take_over, remedy"),
            params=_PLAN,
            body=media(
                obj(
                    {
                        "action": text(),
                        "revision": number(),
                        "requests": array(text()),
                        "courier": text(),
                        "before": number(null=True),
                        "deliveries": {"type": "boolean"},
                        "on": {"type": "boolean"},
                        "plan": number(null=True),
                        "remedy": number(null=True),
                    },
                    optional=("requests", "courier", "before", "deliveries", "on", "plan", "remedy"),
                ),
                {"action": "move", "revision": 3, "requests": ["P12"], "courier": "li.wei", "before": 2},
            ),
            answer=media(obj({"id": number(), "revision": number(), "version": number()})),
            fails=(404, 409),
        )
    },
    "/api/v1/plans/{plan_id}/improve": {
        "post": Operation(
            "improvePlan",
            "planning",
            _l("Search on from a draft in the background; the answer is a plan beside it"),
            params=_PLAN,
            body=media(
                obj({"revision": number(), "seconds": number("number"), "name": text()}, optional=("seconds", "name")),
                {"revision": 3, "seconds": 30},
            ),
            answer=media(obj({"id": number(), "state": text(), "job": text(), "url": text()})),
            status=201,
            fails=(404, 409),
        )
    },
    "/api/v1/plans/{plan_id}/replan": {
        "post": Operation(
            "replanDay",
            "planning",
            _l("Plan what is left of the day anew, without some couriers; the answer is a draft beside the plan"),
            params=_PLAN,
            body=media(
                obj({"out": array(text()), "seconds": number("number")}, optional=("out", "seconds")),
                {"out": ["li.wei"], "seconds": 5},
            ),
            answer=media(obj({"id": number(), "state": text(), "job": text(), "url": text()})),
            status=201,
            fails=(404, 409),
        )
    },
    "/api/v1/plans/{plan_id}/compare/{other_id}": {
        "get": Operation(
            "comparePlans",
            "planning",
            _l("Two plans of one day and scope, and what differs request by request"),
            params=(*_PLAN, path_param("other_id", kind="integer")),
            answer=media(obj({"a": ref("Plan"), "b": ref("Plan"), "changes": array({"type": "object"})})),
            fails=(409,),
        )
    },
    "/api/v1/plans/{plan_id}/changes": {
        "get": Operation(
            "planChanges",
            "planning",
            _l("What publishing a plan would change for each courier"),
            params=_PLAN,
            answer=media(obj({"plan": number(), "replaces": number(null=True), "couriers": array({"type": "object"})})),
        )
    },
    "/api/v1/pickups/{pickup_id}/offers": {
        "post": Operation(
            "pickupOffers",
            "planning",
            _l("Who could take an urgent call, and what it costs"),
            params=_PICKUP,
            answer=media(obj({"plan": number(), "pickup": number(), "offers": array(ref("Offer"))})),
            fails=(409,),
        )
    },
    "/api/v1/pickups/{pickup_id}/insert": {
        "post": Operation(
            "insertPickup",
            "planning",
            _l("Put an urgent call into a running route"),
            params=_PICKUP,
            body=media(obj({"courier": text(null=True)}, optional=("courier",)), {"courier": "li.wei"}),
            answer=media(obj({"plan": number(), "replaces": number(), "courier": text(), "state": text()})),
            fails=(409,),
        )
    },
    "/api/v1/board": {
        "get": Operation(
            "liveBoard",
            "planning",
            _l("The live board; 304 while nothing moved"),
            answer=media(obj({"couriers": array({"type": "object"}), "sites": array({"type": "object"})}, loose=True)),
        )
    },
    "/api/v1/alerts": {
        "get": Operation(
            "listAlerts",
            "alerts",
            _l("Alerts of the own laboratory; 304 while nothing moved"),
            params=(query_param("state"), query_param("kind"), LIMIT),
            answer=listed("Alert", "alerts"),
            fails=(400,),
        )
    },
    "/api/v1/alerts/{alert_id}/acknowledge": {
        "post": Operation(
            "acknowledgeAlert",
            "alerts",
            _l("Acknowledge with a word: from here the caller answers for it"),
            params=(path_param("alert_id", kind="integer"),),
            body=media(obj({"word": text()}), {"word": "on my way"}),
            answer=media(ref("Alert")),
            fails=(409,),
        )
    },
    "/api/v1/alerts/{alert_id}/snooze": {
        "post": Operation(
            "snoozeAlert",
            "alerts",
            _l("Put off with a word: it comes back when the minutes are over, or when it grows worse"),
            params=(path_param("alert_id", kind="integer"),),
            body=media(obj({"minutes": number(), "word": text()}), {"minutes": 30, "word": "at the door"}),
            answer=media(ref("Alert")),
            fails=(409,),
        )
    },
}
