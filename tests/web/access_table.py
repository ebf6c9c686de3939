"""Route × role × own or other site: who may call what, said once more and independently of the views.

A new route needs a row in ``ROWS``; ``test_access_table.py`` fails without one. A row says

- which roles may call it (everybody else must get 403, nobody logged in must be sent away);
- how it is asked: values for its address and what is sent along;
- what somebody of another county gets: ``HIDDEN`` (404, as for a thing that does not exist), ``Listed`` (an
  answer without our things in it), ``Refused`` with a code, or ``Nothing`` with the reason why no site is at stake.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics.domain.access import ROLES
from logistics.domain.numbers import Kind
from logistics.models import (
    Alert,
    AlertRoute,
    ApiToken,
    AssessedTube,
    Assessment,
    BlindKey,
    Box,
    Channel,
    Consignment,
    ConsignmentLine,
    Contract,
    Delivery,
    HandoverHalf,
    Item,
    Pickup,
    Plan,
    Specimen,
    StabilityRuleRow,
    User,
)
from logistics.services import attachments, blind, label_ledger, prints
from telemetry import calibration, devices, profiles
from telemetry.files import summary
from telemetry.files.base import Recorded
from telemetry.models import DeadLetter, ExcursionRow, QuarantinedReading
from telemetry.profile import COLD
from telemetry.registry_models import DeviceType, LoggerFile
from tests import factories
from tests.factories import COUNTY, OTHER_COUNTY, OTHER_TOWN, PIN, START, TOWN

PUBLIC = frozenset({"public"})
ANY = frozenset(ROLES)
COLLECTOR = frozenset({"collector"})
COURIER = frozenset({"courier"})
DISPATCHER = frozenset({"dispatcher"})
RECEIVER = frozenset({"receiver"})
MANAGER = frozenset({"manager"})
LABORATORY = frozenset({"receiver", "manager"})
ADMINISTRATOR = frozenset({"administrator"})
OVERSIGHT = frozenset({"administrator", "auditor"})
JOURNEY = frozenset({"collector", "courier", "receiver", "manager", "dispatcher", "auditor"})
SEARCHERS = JOURNEY - COURIER
AUDITOR = frozenset({"auditor"})
KEEPERS = frozenset({"manager", "administrator", "auditor"})
MOVERS = KEEPERS - AUDITOR
LABEL_READERS = COLLECTOR | LABORATORY | ADMINISTRATOR | AUDITOR
PLAN_READERS = frozenset({"dispatcher", "manager", "administrator", "auditor"})

OURS: Mapping[str, str] = {
    "collector": "nurse", "courier": "courier", "dispatcher": "dispatcher", "receiver": "receiver",
    "manager": "manager", "administrator": "admin", "auditor": "auditor",
}  # fmt: skip
THEIRS: Mapping[str, str] = {
    "collector": "nurse2", "courier": "courier2", "dispatcher": "dispatcher2", "receiver": "receiver2",
    "manager": "manager2",
}  # fmt: skip
"""Somebody of the role in our county, and in the other one. Administrators and auditors see the whole network."""


@dataclass(frozen=True)
class World:
    """What the rows ask for: things of our county, each with a twin in the other county where lists are probed."""

    consignment: str
    specimen: int
    accession: str
    box: str
    plan: int
    pickup: int
    alert: int
    channel: int
    token: int
    rule: int
    user: int
    device: str
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Nothing:
    """No site is at stake, because …"""

    because: str


@dataclass(frozen=True)
class Hidden:
    """The row's own address names a thing of our county: 404 for the other county."""


@dataclass(frozen=True)
class Listed:
    """The answer holds this text for us and does not for them."""

    marker: Callable[[World], str]


@dataclass(frozen=True)
class Refused:
    """What is sent names a thing of our county: the other county is told this code, and we are not."""

    code: str


Probe = Nothing | Hidden | Listed | Refused
HIDDEN = Hidden()
Values = Callable[[World], dict[str, Any]]


def nothing(_world: World) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Row:
    """``values`` fill the address; ``sent`` are the client's further arguments (json, data, query_string)."""

    roles: frozenset[str]
    foreign: Probe
    values: Values = nothing
    sent: Values = nothing


SAME = Nothing("everybody gets the same")
OWN = Nothing("concerns the caller alone")
SHELL = Nothing("a page without data; its script asks the API")
NETWORK = Nothing("only roles of the whole network come here")


def _number(w: World) -> dict[str, Any]:
    return {"number": w.consignment}


def _json(body: Callable[[World], Any]) -> Values:
    return lambda w: {"json": body(w)}


def _act(w: World) -> dict[str, Any]:
    act = {
        "id": str(uuid.uuid4()),
        "type": "note",
        "occurred_at": START.isoformat(),
        "subject": {"specimen": w.accession},
        "payload": {"note": "probe"},
    }
    return {"json": {"acts": [act]}}


def _week(_world: World) -> dict[str, Any]:
    return {"query_string": {"from": "2026-03-03", "to": "2026-03-10"}}


BUNDLE = Nothing("a bundle is its owner's: test_integrity proves it")
FILTERS = Nothing("a filter is its owner's, or its site's: test_saved_filters proves it")


def _days(_world: World) -> dict[str, Any]:
    return {"query_string": {"from": "2026-03-01", "to": "2026-03-20"}}


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


ACT_DONE = Listed(lambda w: '"status":"done"')

ROWS: dict[tuple[str, str], Row] = {
    # the shell, login, health
    ("GET", "static"): Row(PUBLIC, SAME, lambda w: {"filename": "css/base.css"}),
    ("GET", "auth.home"): Row(ANY, OWN),
    ("GET", "auth.login"): Row(PUBLIC, SAME),
    ("POST", "auth.login"): Row(PUBLIC, SAME, sent=lambda w: {"data": {"username": "nobody", "password": "x"}}),
    ("POST", "auth.logout"): Row(ANY, OWN),
    ("GET", "auth.account"): Row(ANY, OWN),
    ("POST", "auth.account"): Row(ANY, OWN, sent=lambda w: {"data": {"locale": "en"}}),
    ("GET", "auth.offline"): Row(PUBLIC, SAME),
    ("GET", "system.healthz"): Row(PUBLIC, SAME),
    ("GET", "system.readyz"): Row(PUBLIC, SAME),
    ("GET", "system.clock_now"): Row(PUBLIC, SAME),
    ("GET", "system.catalogue"): Row(PUBLIC, SAME, lambda w: {"locale": "en"}),
    ("GET", "system.service_worker"): Row(PUBLIC, SAME),
    ("GET", "system.unsupported"): Row(PUBLIC, SAME),
    ("GET", "styleguide.page"): Row(ADMINISTRATOR, SAME),
    ("GET", "demo.story"): Row(ANY, Nothing("only in the simulated day; without it nobody finds the page")),
    ("POST", "demo.turn"): Row(ANY, Nothing("only in the simulated day"), sent=_json(lambda w: {"rate": 1})),
    # machines
    ("POST", "tokens.create"): Row(PUBLIC, SAME, sent=_json(lambda w: {})),
    ("GET", "tokens.listing"): Row(ANY, OWN),
    ("DELETE", "tokens.revoke"): Row(ANY, Nothing("a key is its owner's: test_api proves it"),
                                     lambda w: {"token_id": w.token}),
    ("POST", "orders.post_orders"): Row(
        COLLECTOR | RECEIVER, Nothing("the order names its site: test_api proves it"),
        sent=_json(lambda w: {"orders": []})),
    ("GET", "openapi.specification"): Row(PUBLIC, SAME),
    ("GET", "docs.api"): Row(PUBLIC, SAME),
    ("POST", "acts.post_acts"): Row(ANY - OVERSIGHT, ACT_DONE, sent=_act),
    ("GET", "records.consignments"): Row(ANY, Listed(lambda w: w.consignment)),
    ("GET", "records.consignment"): Row(ANY, HIDDEN, _number),
    ("GET", "records.specimens"): Row(ANY, Listed(lambda w: w.accession)),
    ("GET", "records.specimen"): Row(ANY, HIDDEN, lambda w: {"specimen_id": w.specimen}),
    ("GET", "records.boxes"): Row(ANY, Listed(lambda w: f'"{w.box}"')),
    ("GET", "records.sites"): Row(ANY, Nothing("the network itself, without contacts, is known to everybody in it")),
    ("GET", "records.devices"): Row(PLAN_READERS, Listed(lambda w: w.device)),
    ("POST", "readings.post_readings"): Row(
        frozenset({"collector", "courier", "receiver", "manager", "administrator"}), Refused("device_not_yours"),
        sent=_json(lambda w: {"device": w.device, "seq": 1, "readings": []})),
    ("POST", "readings.post_gateway_readings"): Row(
        PUBLIC, Nothing("whoever holds a logger's key; no user may use it"),
        sent=_json(lambda w: {"device": w.device})),
    # courier
    ("GET", "courier.today"): Row(COURIER, SHELL),
    ("GET", "courier_api.today"): Row(COURIER, Listed(lambda w: w.extra["carried"])),
    ("POST", "courier_api.post_positions"): Row(COURIER, OWN, sent=_json(lambda w: {"positions": []})),
    ("POST", "courier_api.post_duty"): Row(COURIER, OWN, sent=_json(lambda w: {"on": True})),
    ("POST", "courier_api.post_seen"): Row(COURIER, OWN),
    ("POST", "courier_api.post_order"): Row(COURIER, OWN, sent=_json(lambda w: {"stops": []})),
    # collector
    ("GET", "collector.worklist"): Row(COLLECTOR, Listed(lambda w: w.extra["waiting"])),
    ("GET", "collector.new_order"): Row(COLLECTOR, OWN),
    ("POST", "collector.save_order"): Row(COLLECTOR, OWN),
    ("GET", "returned.returned"): Row(COLLECTOR, OWN),
    ("GET", "collector.outcomes"): Row(COLLECTOR, Listed(lambda w: w.accession)),
    ("GET", "collector.box"): Row(COLLECTOR, OWN),
    ("GET", "collector.pack_json"): Row(COLLECTOR, OWN),
    ("GET", "imports.orders"): Row(COLLECTOR, SHELL),
    ("POST", "imports.read_orders"): Row(COLLECTOR, Nothing("the file's sites are checked: test_imports_service")),
    ("POST", "labels.specimens"): Row(COLLECTOR | RECEIVER, Refused("label_none"),
                                      sent=lambda w: {"data": {"id": str(w.extra["waiting_id"])}}),
    ("POST", "labels.consignment"): Row(COLLECTOR | LABORATORY, HIDDEN, _number),
    ("POST", "labels.manifest"): Row(COLLECTOR | COURIER | LABORATORY, HIDDEN, _number),
    ("POST", "labels.box"): Row(COLLECTOR | RECEIVER | ADMINISTRATOR, HIDDEN, lambda w: {"code": w.box}),
    ("POST", "labels.commands"): Row(LABORATORY, SAME),
    # numbers printed ahead, what a site prints on, the transport register
    ("GET", "label_ledger.batches"): Row(LABEL_READERS, Listed(lambda w: w.extra["label"])),
    ("POST", "label_ledger.make"): Row(
        LABEL_READERS - AUDITOR, Refused("data-problem=\"site\""),
        sent=lambda w: {"data": {"kind": "accession", "count": "1", "site": TOWN}}),
    ("GET", "label_ledger.batch"): Row(LABEL_READERS, HIDDEN, lambda w: {"batch_id": w.extra["batch"]}),
    ("POST", "label_ledger.print_batch"): Row(
        LABEL_READERS - AUDITOR, HIDDEN, lambda w: {"batch_id": w.extra["batch"]}),
    ("POST", "label_ledger.void"): Row(
        LABEL_READERS - AUDITOR, HIDDEN, lambda w: {"batch_id": w.extra["batch"]},
        lambda w: {"data": {"numbers": w.extra["label"], "reason": "damaged"}}),
    ("GET", "print_log.listing"): Row(LABEL_READERS, Listed(lambda w: w.extra["label"])),
    ("GET", "label_settings.settings"): Row(LABEL_READERS, OWN),
    ("POST", "label_settings.change_setting"): Row(
        LABEL_READERS - AUDITOR, Refused("data-problem=\"site\""),
        sent=lambda w: {"data": {"site": TOWN, "kind": "specimen", "stock": "roll_60x40"}}),
    ("POST", "label_settings.add_stock"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "label_settings.switch_stock"): Row(
        ADMINISTRATOR, NETWORK, lambda w: {"code": "roll_own"}, lambda w: {"data": {"active": "0"}}),
    ("GET", "registers.page"): Row(JOURNEY, Listed(lambda w: w.consignment), sent=_week),
    ("GET", "registers.pdf"): Row(JOURNEY, Nothing("the page shows the same lines: test_registers"), sent=_week),
    ("GET", "registers.xlsx"): Row(JOURNEY, Nothing("the page shows the same lines: test_registers"), sent=_week),
    # receiver
    ("GET", "receiver.desk"): Row(LABORATORY, Listed(lambda w: w.consignment)),
    ("GET", "receiver.find"): Row(LABORATORY, HIDDEN, sent=lambda w: {"query_string": {"code": w.consignment}}),
    ("GET", "receiver.receipt"): Row(LABORATORY, HIDDEN, _number),
    ("GET", "receiver.missing"): Row(LABORATORY, Nothing("nobody misses a tube here: test_receiver")),
    ("GET", "receiver.incoming"): Row(LABORATORY, Listed(lambda w: w.consignment)),
    ("GET", "receiver.forward"): Row(RECEIVER, OWN),
    ("GET", "receiver.forward_json"): Row(RECEIVER, OWN),
    ("GET", "receiver.commands"): Row(LABORATORY, SAME),
    ("GET", "nonconformities.listing"): Row(
        COLLECTOR | LABORATORY | {"auditor"}, Listed(lambda w: w.extra["unfit"]), sent=_days),
    ("GET", "nonconformities.export"): Row(
        COLLECTOR | LABORATORY | {"auditor"}, Listed(lambda w: w.extra["unfit"]), sent=_days),
    ("POST", "photos.post_photo"): Row(COLLECTOR | COURIER | LABORATORY, OWN, sent=_json(lambda w: {"photo": PIXEL})),
    ("GET", "photos.photo"): Row(JOURNEY, HIDDEN, lambda w: {"sha256": w.extra["photo"]}),
    # dispatch
    ("GET", "dispatch.board"): Row(PLAN_READERS, SHELL),
    ("GET", "dispatch.plans"): Row(PLAN_READERS, Listed(lambda w: f"/dispatch/plans/{w.plan}")),
    ("GET", "dispatch.plan"): Row(PLAN_READERS, HIDDEN, lambda w: {"plan_id": w.plan}),
    ("GET", "plans_api.live_board"): Row(PLAN_READERS, Listed(lambda w: f'"{TOWN}"')),
    ("GET", "plans_api.list_plans"): Row(PLAN_READERS, Listed(lambda w: f'"id":{w.plan},')),
    ("POST", "plans_api.order_plan"): Row(DISPATCHER, HIDDEN,
                                          sent=_json(lambda w: {"day": "2026-03-09", "scope": COUNTY, "seconds": 1})),
    ("GET", "plans_api.one_plan"): Row(PLAN_READERS, HIDDEN, lambda w: {"plan_id": w.plan}),
    ("GET", "plans_api.progress"): Row(PLAN_READERS, HIDDEN, lambda w: {"plan_id": w.plan}),
    ("POST", "plans_api.stop_plan"): Row(DISPATCHER, HIDDEN, lambda w: {"plan_id": w.plan}),
    ("POST", "plans_api.publish_plan"): Row(DISPATCHER, HIDDEN, lambda w: {"plan_id": w.plan}),
    ("POST", "plan_edits.effects"): Row(DISPATCHER, HIDDEN, lambda w: {"plan_id": w.plan},
                                        sent=_json(lambda w: {"requests": ["P1"], "revision": 0})),
    ("POST", "plan_edits.edit"): Row(DISPATCHER, HIDDEN, lambda w: {"plan_id": w.plan},
                                     sent=_json(lambda w: {"action": "undo", "revision": 0})),
    ("POST", "plan_edits.improve"): Row(DISPATCHER, HIDDEN, lambda w: {"plan_id": w.plan},
                                        sent=_json(lambda w: {"revision": 0})),
    ("POST", "plan_edits.replan"): Row(DISPATCHER, HIDDEN, lambda w: {"plan_id": w.plan}, sent=_json(lambda w: {})),
    ("GET", "plan_edits.compare"): Row(PLAN_READERS, HIDDEN, lambda w: {"plan_id": w.plan, "other_id": w.plan}),
    ("GET", "plan_edits.changes"): Row(PLAN_READERS, HIDDEN, lambda w: {"plan_id": w.plan}),
    ("GET", "dispatch.compare"): Row(PLAN_READERS, HIDDEN,
                                     sent=lambda w: {"query_string": {"a": w.plan, "b": w.plan}}),
    ("POST", "plans_api.pickup_offers"): Row(DISPATCHER, HIDDEN, lambda w: {"pickup_id": w.pickup}),
    ("POST", "plans_api.insert_pickup"): Row(DISPATCHER, HIDDEN, lambda w: {"pickup_id": w.pickup},
                                             _json(lambda w: {})),
    # alerts
    ("GET", "alerts.listing"): Row(PLAN_READERS, Listed(lambda w: f'"origin":"{TOWN}"')),
    ("POST", "alerts.acknowledge"): Row(frozenset({"manager", "dispatcher"}), HIDDEN, lambda w: {"alert_id": w.alert},
                                        _json(lambda w: {"word": "seen"})),
    # loggers: a manager's are those of his sites, and those in boxes that are at home there
    ("GET", "devices.fleet"): Row(KEEPERS, Listed(lambda w: w.device)),
    ("GET", "devices.export"): Row(KEEPERS, Listed(lambda w: w.device)),
    ("GET", "devices.new_device"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "devices.add_device"): Row(ADMINISTRATOR, NETWORK),
    ("GET", "devices.device"): Row(KEEPERS, HIDDEN, lambda w: {"code": w.device}),
    ("GET", "devices.edit_device"): Row(ADMINISTRATOR, NETWORK, lambda w: {"code": w.device}),
    ("POST", "devices.change_device"): Row(ADMINISTRATOR, NETWORK, lambda w: {"code": w.device}),
    ("POST", "devices.bind"): Row(MOVERS, HIDDEN, lambda w: {"code": w.device}),
    ("POST", "devices.swap"): Row(MOVERS, HIDDEN, lambda w: {"code": w.device}, lambda w: {"data": {"new": w.device}}),
    ("POST", "devices.add_certificate"): Row(MOVERS, HIDDEN, lambda w: {"code": w.device},
                                             lambda w: {"data": {"number": "C-1", "due": "2027-03-09"}}),
    ("GET", "devices.certificate"): Row(
        KEEPERS, HIDDEN, lambda w: {"code": w.device, "certificate_id": w.extra["certificate"]}),
    ("GET", "devices.file_form"): Row(MOVERS, HIDDEN, lambda w: {"code": w.device}),
    ("POST", "devices.take_file"): Row(MOVERS, HIDDEN, lambda w: {"code": w.device}),
    ("GET", "devices.file_report"): Row(KEEPERS, HIDDEN, lambda w: {"code": w.device, "file_id": w.extra["file"]}),
    ("GET", "devices.types"): Row(KEEPERS, SAME),
    ("GET", "devices.new_type"): Row(ADMINISTRATOR, SAME),
    ("POST", "devices.add_type"): Row(ADMINISTRATOR, NETWORK),
    ("GET", "devices.device_type"): Row(KEEPERS, SAME, lambda w: {"code": "probe"}),
    ("POST", "devices.change_type"): Row(ADMINISTRATOR, NETWORK, lambda w: {"code": "probe"}),
    ("GET", "devices.dead_letters"): Row(KEEPERS, Listed(lambda w: w.device)),
    ("GET", "devices.dead_letter"): Row(KEEPERS, HIDDEN, lambda w: {"letter_id": w.extra["letter"]}),
    ("POST", "devices.release_letters"): Row(MOVERS, Nothing("in sight alone: test_set_aside_pages proves it")),
    ("POST", "devices.discard_letters"): Row(MOVERS, Nothing("in sight alone: test_set_aside_pages proves it")),
    ("GET", "devices.held_readings"): Row(KEEPERS, Listed(lambda w: w.device)),
    ("POST", "devices.release_readings"): Row(MOVERS, Nothing("in sight alone: test_set_aside_pages proves it")),
    ("POST", "devices.discard_readings"): Row(MOVERS, Nothing("in sight alone: test_set_aside_pages proves it")),
    # administration: administrators change, auditors read
    ("GET", "admin.overview"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.sites"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.new_site"): Row(ADMINISTRATOR, NETWORK),
    ("GET", "admin.users"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.new_user"): Row(ADMINISTRATOR, NETWORK),
    ("GET", "admin.boxes"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.new_box"): Row(ADMINISTRATOR, NETWORK),
    ("GET", "admin.tests"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.reasons"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.channels"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.new_channel"): Row(ADMINISTRATOR, NETWORK),
    ("GET", "admin.audit_log"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.audit_export"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.site"): Row(OVERSIGHT, NETWORK, lambda w: {"code": TOWN}),
    ("GET", "admin.user"): Row(OVERSIGHT, NETWORK, lambda w: {"user_id": w.user}),
    ("GET", "admin.box"): Row(OVERSIGHT, NETWORK, lambda w: {"code": w.box}),
    ("GET", "admin.test"): Row(OVERSIGHT, NETWORK, lambda w: {"code": "CBC"}),
    ("GET", "admin.channel"): Row(OVERSIGHT, NETWORK, lambda w: {"channel_id": w.channel}),
    ("GET", "admin.import_file"): Row(ADMINISTRATOR, NETWORK, lambda w: {"kind": "sites"}),
    ("POST", "admin.add_site"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "admin.change_site"): Row(ADMINISTRATOR, NETWORK, lambda w: {"code": TOWN}),
    ("POST", "admin.add_user"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "admin.change_user"): Row(ADMINISTRATOR, NETWORK, lambda w: {"user_id": w.user}),
    ("POST", "admin.reset_password"): Row(ADMINISTRATOR, NETWORK, lambda w: {"user_id": w.user}),
    ("POST", "admin.reset_pin"): Row(ADMINISTRATOR, NETWORK, lambda w: {"user_id": w.user}),
    ("POST", "admin.switch_user"): Row(ADMINISTRATOR, NETWORK, lambda w: {"user_id": w.user}),
    ("POST", "admin.add_box"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "admin.change_box"): Row(ADMINISTRATOR, NETWORK, lambda w: {"code": w.box}),
    ("POST", "admin.change_test"): Row(ADMINISTRATOR, NETWORK, lambda w: {"code": "CBC"}),
    ("POST", "alerts.snooze"): Row(frozenset({"manager", "dispatcher"}), HIDDEN, lambda w: {"alert_id": w.alert},
                                   _json(lambda w: {"word": "later", "minutes": 30})),
    # who is told
    ("GET", "alert_routes.table"): Row(MANAGER | OVERSIGHT, Listed(lambda w: f"robot {COUNTY}<")),
    ("POST", "alert_routes.add"): Row(
        MANAGER | ADMINISTRATOR, Refused("There is no site with the code"),
        sent=lambda w: {"query_string": {"lang": "en"}, "data": {"site_code": COUNTY, "channel_id": str(w.channel),
                                                            "rung": "manager", "min_severity": "warning"}}),
    ("POST", "alert_routes.remove"): Row(
        MANAGER | ADMINISTRATOR, Refused("This route does not exist"), lambda w: {"route_id": w.extra["route"]},
        lambda w: {"query_string": {"lang": "en"}}),
    ("POST", "alert_routes.step"): Row(
        MANAGER | ADMINISTRATOR, Refused("There is no site with the code"),
        sent=lambda w: {"query_string": {"lang": "en"}, "data": {"site_code": COUNTY, "step_min": "20"}}),
    ("GET", "alert_routes.deliveries"): Row(MANAGER | OVERSIGHT, Listed(lambda w: f"delivery of {COUNTY}<")),
    # stability limits: catalogue for all, own limits of a laboratory for its manager
    ("GET", "stability.listing"): Row(MANAGER | OVERSIGHT, Nothing("counts the rules; their rows: stability.test")),
    ("GET", "stability.test"): Row(MANAGER | OVERSIGHT, Listed(lambda w: "own validation COUNTY<"),
                                   lambda w: {"code": "CBC"}),
    ("POST", "stability.override"): Row(
        MANAGER | ADMINISTRATOR, Refused("There is no site with the code"), lambda w: {"code": "CBC"},
        lambda w: {"query_string": {"lang": "en"}, "data": {"site_code": COUNTY, "temp_min_c": "2", "temp_max_c": "8",
                                                            "max_hours": "12", "reason": "own validation"}}),
    ("POST", "stability.withdraw"): Row(MANAGER | ADMINISTRATOR, HIDDEN, lambda w: {"code": "CBC", "rule_id": w.rule}),
    ("POST", "admin.add_reason"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "admin.switch_reason"): Row(ADMINISTRATOR, NETWORK, lambda w: {"code": "TUBE_MISSING"}),
    ("POST", "admin.add_channel"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "admin.change_channel"): Row(ADMINISTRATOR, NETWORK, lambda w: {"channel_id": w.channel}),
    ("POST", "admin.read_import"): Row(ADMINISTRATOR, NETWORK, lambda w: {"kind": "sites"}),
    ("POST", "admin.try_channel"): Row(ADMINISTRATOR, NETWORK, lambda w: {"channel_id": w.extra["unusable"]}),
    # the record's integrity
    ("GET", "integrity.page"): Row(OVERSIGHT, NETWORK),
    ("POST", "integrity.verify"): Row(OVERSIGHT, NETWORK),
    ("GET", "integrity.progress"): Row(OVERSIGHT, NETWORK),
    ("GET", "integrity.all_digests"): Row(OVERSIGHT, NETWORK),
    ("GET", "integrity.key_file"): Row(OVERSIGHT | {"manager"}, Nothing("a public key")),
    ("POST", "bundles.of_consignment"): Row(MANAGER | AUDITOR, HIDDEN, _number),
    ("POST", "bundles.of_specimen"): Row(MANAGER | AUDITOR, HIDDEN, lambda w: {"specimen_id": w.specimen}),
    ("GET", "bundles.page"): Row(MANAGER | AUDITOR, BUNDLE, lambda w: {"job_id": "none"}),
    ("GET", "bundles.state"): Row(MANAGER | AUDITOR, BUNDLE, lambda w: {"job_id": "none"}),
    ("GET", "bundles.file"): Row(MANAGER | AUDITOR, BUNDLE, lambda w: {"job_id": "none"}),
    # consignments, recalls, what was not sent
    ("GET", "consignments.record"): Row(JOURNEY, HIDDEN, _number),
    ("GET", "consignments.listing"): Row(SEARCHERS, Nothing("leads to the search")),
    ("GET", "unsent.listing"): Row(SEARCHERS, Listed(lambda w: w.extra["unsent"])),
    ("GET", "unsent.export"): Row(SEARCHERS, Listed(lambda w: w.extra["unsent"])),
    ("GET", "recalls.listing"): Row(SEARCHERS, Listed(lambda w: w.extra["called"])),
    ("POST", "recalls.new"): Row(frozenset({"manager"}), Nothing("each tube is an act of its own, refused alone")),
    ("POST", "recalls.returned"): Row(COLLECTOR | LABORATORY, HIDDEN, lambda w: {"specimen_id": w.extra["called_id"]},
                                      lambda w: {"data": {"id": str(uuid.uuid4())}}),
    # journey and search
    ("GET", "journey.specimen"): Row(JOURNEY, HIDDEN, lambda w: {"specimen_id": w.specimen}),
    ("GET", "journey.journey_json"): Row(JOURNEY, HIDDEN, lambda w: {"specimen_id": w.specimen}),
    ("GET", "journey.by_code"): Row(
        JOURNEY, Listed(lambda w: w.consignment),
        sent=lambda w: {"query_string": {"code": w.accession}, "follow_redirects": True}),
    ("POST", "journey.patient"): Row(COLLECTOR | LABORATORY, HIDDEN, lambda w: {"specimen_id": w.specimen}),
    ("GET", "search.specimens"): Row(SEARCHERS, Listed(lambda w: w.accession), sent=_week),
    ("GET", "search.specimens_export"): Row(SEARCHERS, Listed(lambda w: w.accession), sent=_week),
    ("GET", "search.consignments"): Row(SEARCHERS, Listed(lambda w: w.consignment), sent=_week),
    ("GET", "search.consignments_export"): Row(SEARCHERS, Listed(lambda w: w.consignment), sent=_week),
    # saved filters: one's own, and those of one's site
    ("POST", "filters.save"): Row(ANY, OWN, sent=lambda w: {"data": {"page": "search.specimens", "query": "q=1"}}),
    ("POST", "filters.choose"): Row(ANY, FILTERS, lambda w: {"filter_id": 1}),
    ("POST", "filters.forget"): Row(ANY, FILTERS, lambda w: {"filter_id": 1}),
    # loads on the way back, send-outs
    ("GET", "loads.send"): Row(LABORATORY, Listed(lambda w: w.extra["item"])),
    ("POST", "loads.register"): Row(LABORATORY, Nothing("an item is registered at the caller's own site")),
    ("POST", "loads.pack"): Row(RECEIVER, Nothing("what stands elsewhere is refused by the act: test_loads")),
    ("POST", "loads.boxes_home"): Row(COLLECTOR | RECEIVER, Nothing("a box elsewhere is refused by the act")),
    ("GET", "loads.incoming"): Row(COLLECTOR | LABORATORY, OWN),
    ("GET", "loads.item"): Row(JOURNEY, HIDDEN, lambda w: {"number": w.extra["item"]}),
    ("GET", "blind_samples.listing"): Row(MANAGER, Listed(lambda w: w.extra["blind_tube"])),
    ("POST", "blind_samples.label"): Row(MANAGER, HIDDEN, lambda w: {"key_id": w.extra["blind"]}),
    ("GET", "loads.boxes"): Row(LABORATORY | DISPATCHER | OVERSIGHT, Listed(lambda w: f"{TOWN}站")),
    ("POST", "load_prints.labels"): Row(LABORATORY, Refused("label_none"),
                                        sent=lambda w: {"data": {"item": w.extra["item"]}}),
    ("POST", "load_prints.manifest"): Row(COLLECTOR | COURIER | LABORATORY, HIDDEN,
                                          lambda w: {"number": w.extra["load"]}),
    ("GET", "send_outs.listing"): Row(LABORATORY, Listed(lambda w: "CN-SENT-OUT")),
    ("GET", "send_outs.one"): Row(LABORATORY, HIDDEN, lambda w: {"number": "CN-SENT-OUT"}),
    ("GET", "admin.contracts"): Row(OVERSIGHT, NETWORK),
    ("GET", "admin.new_contract"): Row(ADMINISTRATOR, NETWORK),
    ("POST", "admin.add_contract"): Row(ADMINISTRATOR, NETWORK),
    ("GET", "admin.contract"): Row(OVERSIGHT, NETWORK, lambda w: {"reference": "WS-1"}),
    ("POST", "admin.change_contract"): Row(ADMINISTRATOR, NETWORK, lambda w: {"reference": "WS-1"}),
    ("GET", "temperatures.box"): Row(
        JOURNEY, HIDDEN, lambda w: {"code": "BX-PROBE"},
        lambda w: {"query_string": {"from": START.isoformat(), "to": (START + timedelta(hours=1)).isoformat()}}),
    ("GET", "temperatures.specimen"): Row(
        JOURNEY, HIDDEN, lambda w: {"specimen_id": w.specimen},
        lambda w: {"query_string": {"from": START.isoformat(), "to": (START + timedelta(hours=1)).isoformat()}}),
    # alarm profiles
    ("GET", "profiles.listing"): Row(frozenset({"manager", "administrator", "auditor"}), Listed(lambda w: "BX-PROBE")),
    ("GET", "profiles.edit"): Row(
        frozenset({"manager", "administrator", "auditor"}), HIDDEN,
        lambda w: {"temp_class": "cold_2_8", "scope": "box", "code": "BX-PROBE"}),
    ("POST", "profiles.save"): Row(
        frozenset({"manager", "administrator"}), HIDDEN,
        lambda w: {"temp_class": "cold_2_8", "scope": "box", "code": "BX-PROBE"}, lambda w: {"data": {"low_c": "x"}}),
    ("POST", "profiles.give_up"): Row(
        frozenset({"manager", "administrator"}), HIDDEN,
        lambda w: {"temp_class": "cold_2_8", "scope": "box", "code": "BX-PROBE"}, lambda w: {"data": {"low_c": "x"}}),
    ("POST", "profiles.try_out"): Row(
        frozenset({"manager", "administrator"}), HIDDEN,
        lambda w: {"temp_class": "cold_2_8", "scope": "box", "code": "BX-PROBE"}, lambda w: {"data": {"low_c": "x"}}),
    # the laboratory manager
    ("GET", "manager.inbox"): Row(PLAN_READERS, Listed(lambda w: f"/manager/alerts/{w.alert}")),
    ("GET", "manager.inbox_rows"): Row(PLAN_READERS, Listed(lambda w: f"/manager/alerts/{w.alert}")),
    ("GET", "manager.alert"): Row(PLAN_READERS, HIDDEN, lambda w: {"alert_id": w.alert}),
    ("GET", "manager.dashboard"): Row(frozenset({"manager", "auditor", "administrator"}), OWN),
    ("GET", "manager.excursions"): Row(
        frozenset({"manager", "auditor"}), Listed(lambda w: f"/manager/excursions/{w.extra['excursion']}")),
    ("GET", "manager.excursion"): Row(
        frozenset({"manager", "auditor"}), HIDDEN, lambda w: {"excursion_id": w.extra["excursion"]}),
    ("GET", "review.listing"): Row(frozenset({"manager", "auditor"}), Listed(lambda w: str(w.extra["late"]))),
    ("POST", "review.decide"): Row(
        frozenset({"manager"}), HIDDEN, lambda w: {"act_id": w.extra["late"]},
        lambda w: {"data": {"how": "void", "word": "seen"}}),
    ("GET", "handovers.listing"): Row(
        frozenset({"manager", "dispatcher", "auditor"}), Listed(lambda w: w.extra["carried"])),
    ("POST", "handovers_api.draw"): Row(COLLECTOR | COURIER | RECEIVER, OWN, sent=_json(lambda w: {"count": 1})),
    ("POST", "assessments.sign"): Row(
        frozenset({"manager"}), HIDDEN, lambda w: {"excursion_id": w.extra["excursion"]},
        _json(lambda w: {"comment": "seen", "tubes": []})),
    ("GET", "assessments.page"): Row(MANAGER | AUDITOR, HIDDEN, lambda w: {"assessment_id": w.extra["assessment"]}),
    ("GET", "assessments.pdf"): Row(MANAGER | AUDITOR, HIDDEN, lambda w: {"assessment_id": w.extra["assessment"]}),
    ("POST", "assessments.stands"): Row(
        MANAGER, HIDDEN, lambda w: {"assessment_id": w.extra["assessment"]}, _json(lambda w: {"word": "it stands"})),
}  # fmt: skip


def _late(session: Session, username: str, box: str) -> str:
    """An act that came too late to fit and is kept for review; its id."""
    late = factories.act("seal", {"box": box}, {"seal": "SL0000001"}, offline=True)
    answer = factories.do(session, username, late)
    assert answer.status == "review", answer
    return late.id


def build(session: Session) -> World:
    """A delivered box of two tubes, a box on the road, a tube waiting and a plan in each county."""
    factories.world(session)
    password, pin = factories._hashes()
    session.add(
        User(username="dispatcher2", role="dispatcher", site_code=OTHER_COUNTY, password_hash=password, pin_hash=pin)
    )
    for code, site in (("BX-C2", TOWN), ("BX-O", OTHER_TOWN), ("BX-O2", OTHER_TOWN)):
        session.add(Box(code=code, temp_class="cold_2_8", capacity=50, home_code=site, location_code=site))
    session.commit()
    ours, carried, waiting = _county(session, "nurse", "courier", "receiver", TOWN, COUNTY, ("BX-C", "BX-C2"), "2611")
    _county(session, "nurse2", "courier2", "receiver2", OTHER_TOWN, OTHER_COUNTY, ("BX-O", "BX-O2"), "9911")
    late = _late(session, "nurse", "BX-C")
    unfit, photo = _unfit(session, ours)
    load, item = _loads(session)
    trial = _blind(session)
    _late(session, "nurse2", "BX-O")
    line = session.scalars(select(ConsignmentLine).where(ConsignmentLine.consignment_number == ours)).first()
    assert line is not None
    tube = session.get_one(Specimen, line.specimen_id)
    plan, pickup, alert, channel, rule = _offices(session, COUNTY, TOWN)
    _offices(session, OTHER_COUNTY, OTHER_TOWN)
    devices.register(session, "LG-OURS", now=START)
    devices.bind(session, "LG-OURS", "BX-A", at=START, now=START)
    devices.register(session, "LG-THEIRS", now=START)
    devices.bind(session, "LG-THEIRS", "BX-O", at=START, now=START)
    kept = _kept(session, "LG-OURS")
    excursion = _excursion("BX-C", "LG-OURS")
    session.add(Box(code="BX-PROBE", temp_class="cold_2_8", home_code=TOWN, location_code=TOWN))
    session.commit()
    stricter = replace(COLD, rules=COLD.rules[:1])
    profiles.save(session, profiles.Line("cold_2_8", profiles.BOX, "BX-PROBE"), stricter, valid_from=START,
                  reason="probe", username="admin", now=START)  # fmt: skip
    unusable = Channel(name="unusable", kind="mail", site_code=COUNTY, config={}, kinds=[])
    session.add_all([excursion, unusable])
    token = ApiToken(user_id=1, name="probe", secret_sha256="0" * 64, created_at=START)
    session.add(token)
    session.commit()
    called, called_id = _called(session)
    batch, label = _labels(session, TOWN)
    _labels(session, OTHER_TOWN)
    waiting_id = session.scalars(select(Specimen.id).where(Specimen.accession == waiting)).one()
    return World(
        consignment=ours,
        specimen=tube.id,
        accession=tube.accession,
        box="BX-A",
        plan=plan,
        pickup=pickup,
        alert=alert,
        channel=channel,
        token=token.id,
        rule=rule,
        user=session.scalars(select(User.id).where(User.username == "nurse")).one(),
        device="LG-OURS",
        extra={
            **kept,
            "carried": carried,
            "waiting": waiting,
            "waiting_id": waiting_id,
            "excursion": excursion.id,
            "assessment": _assessment(session, tube),
            "route": _route(session, channel, alert),
            "unusable": unusable.id,
            "late": late,
            "batch": batch,
            "label": label,
            "photo": photo,
            "unfit": unfit,
            "blind": trial.id,
            "blind_tube": trial.tube_number,
            "called": called,
            "unsent": factories.collected(session, "2600990098").accession,
            "called_id": called_id,
            "load": load,
            "item": item,
        },
    )


def _called(session: Session) -> tuple[str, int]:
    """A tube of our township that was recalled before it was packed: its number, its id."""
    factories.collected(session, "2600990099")
    why = {"reason": "RECALL_PATIENT"}
    factories.done(session, "manager", factories.act("recall", {"specimen": "2600990099"}, why))
    return "2600990099", factories.find(session, "2600990099").id


def _unfit(session: Session, number: str) -> tuple[str, str]:
    """A tube of nobody that lay in our box, put on record with a photo: its number, the photo's hash."""
    kept = attachments.keep(
        session, attachments.clean(base64.b64decode(PIXEL)), username="receiver", site_code=COUNTY, now=START
    )
    session.commit()
    payload = {"condition": "good", "reason": "UNEXPECTED", "photo": kept.sha256}
    at = START + timedelta(hours=1)
    stray = factories.act("receive_unexpected", {"consignment": number, "specimen": "8800112233"}, payload, at=at)
    factories.done(session, "receiver", stray)
    return "8800112233", kept.sha256


def _loads(session: Session) -> tuple[str, str]:
    """A sealed report for our township, another item that waits, a send-out of ours and its contract."""
    done, act = factories.done, factories.act
    session.add(Box(code="BAG-O", temp_class="ambient_15_25", kind="bag", home_code=COUNTY, location_code=COUNTY))
    session.add(Contract(reference="WS-1", site_code=COUNTY, external_code=COUNTY, valid_from="2026-01-01",
                         valid_to="2026-12-31"))  # fmt: skip
    session.add(Consignment(
        number="CN-SENT-OUT", origin_code=COUNTY, destination_code=COUNTY, box_code="BX-T", temp_class="cold_2_8",
        opened_at=START, opened_by="receiver", kind="send_out", contract_reference="WS-1", state="in_transit",
        state_since=START, departed_at=START,
    ))  # fmt: skip
    session.commit()
    payload = {"kind": "report", "destination": TOWN}
    packed, waiting = (done(session, "receiver", act("register_item", {}, payload))["item"] for _ in range(2))
    load = done(session, "receiver", act("pack_item", {"item": packed, "box": "BAG-O"}))["consignment"]
    done(session, "receiver", act("seal", {"consignment": load}, {"seal": "SL-LOAD"}))
    return str(load), str(waiting)


def _blind(session: Session) -> BlindKey:
    """A blind sample that our laboratory's manager has put into a parcel."""
    payload = {"kind": "other", "destination": TOWN}
    number = factories.done(session, "manager", factories.act("register_item", {}, payload))["item"]
    return blind.make(
        session, session.get_one(Item, number), reference="EQA-1", expected="", tests=["CBC"], label_ref="",
        stock="roll_50x30", symbology="code128", by="manager", now=START,
    )  # fmt: skip


def _county(
    session: Session, nurse: str, courier: str, receiver: str, town: str, lab: str, boxes: tuple[str, str], head: str
) -> tuple[str, str, str]:
    """(number delivered, number under way, accession not yet packed)."""
    done, act = factories.done, factories.act
    numbers = []
    for place, box in enumerate(boxes):
        accession = f"{head}22004{place}"
        done(session, nurse, act("register", {"specimen": accession}, {"tests": ["CBC"], "patient_ref": "张**"}))
        done(session, nurse, act("collect", {"specimen": accession}))
        number = done(session, nurse, act("pack", {"specimen": accession, "box": box}))["consignment"]
        done(session, nurse, act("seal", {"consignment": number}, {"seal": f"SL{number[-6:]}"}))
        signed = {"other": nurse, "pin": PIN, "count": 1, "box_temp_c": "4.6"}
        done(session, courier, act("hand_over", {"consignment": number}, signed, site=town))
        numbers.append(number)
        if place == 0:
            later = START + timedelta(minutes=40)
            done(session, courier, act("arrive", {}, site=lab, at=later))
            signed = {"other": courier, "pin": PIN, "count": 1, "box_temp_c": "5.1"}
            done(session, receiver, act("hand_over", {"consignment": number}, signed, site=lab, at=later))
    waiting = f"{head}220099"
    done(session, nurse, act("register", {"specimen": waiting}, {"tests": ["CBC"], "patient_ref": "李*"}))
    session.add(_half_signed(nurse, numbers[1]))
    return numbers[0], numbers[1], waiting


def _half_signed(nurse: str, number: str) -> HandoverHalf:
    """A giver's half, an hour old, to which no taker's half has come."""
    return HandoverHalf(
        act_id=str(uuid.uuid4()), consignment_number=number, handover_id=str(uuid.uuid4()), username=nurse, name=nurse,
        site_code=None, tube_count=1, signed_at=START - timedelta(hours=1), recorded_at=START,
    )  # fmt: skip


def _offices(session: Session, lab: str, town: str) -> tuple[int, int, int, int, int]:
    """A plan, an open pickup, an alert, a channel and an override of a stability rule."""
    day = "2026-03-09"
    plan = Plan(day=day, scope_code=lab, state="draft", created_at=START, created_by="dispatcher",
                problem={}, result={})  # fmt: skip
    pickup = Pickup(
        day=day, site_code=town, destination_code=lab, kind="urgent", ready_at=START,
        latest_at=START + timedelta(hours=2), created_by="nurse", created_at=START, slots_cold=1,
    )  # fmt: skip
    alert = Alert(
        incident_key=f"overdue:{lab}", kind="overdue", severity="warning", site_code=lab, origin_code=town,
        occurred_at=START, raised_at=START, updated_at=START, params={"consignment": f"CN-{lab}"},
    )  # fmt: skip
    channel = Channel(
        name=f"robot {lab}", kind="wecom", site_code=lab, config={"key": "never-shown-0000"}, kinds=[],
    )  # fmt: skip
    rule = StabilityRuleRow(test_code="CBC", site_code=lab, reason="own validation", max_hours=12.0,
                            temp_min_c=2.0, temp_max_c=8.0, source=f"own validation {lab}")  # fmt: skip
    session.add_all([plan, pickup, alert, channel, rule])
    session.commit()
    return plan.id, pickup.id, alert.id, channel.id, rule.id


def _labels(session: Session, town: str) -> tuple[int, str]:
    """(a batch of pre-printed numbers, the first of them)"""
    batch = label_ledger.make_batch(
        session, kind=Kind.ACCESSION, count=3, stock="roll_50x30", symbology="code128", site=town, by="admin", now=START
    )
    prints.log(session, "number_label", batch.first_number, by="admin", now=START, site=town)
    session.commit()
    return batch.id, batch.first_number


def _kept(session: Session, device: str) -> dict[str, Any]:
    """What is kept of a logger: a certificate, a file, a message and a reading that were set aside; and a type."""
    due = START + timedelta(days=365)
    certificate = calibration.add(session, device, number="C-1", due_at=due, username="manager", now=START,
                                  file_name="c.pdf", data=b"%PDF-1.4")  # fmt: skip
    file = LoggerFile(device_code=device, sha256="0" * 64, file_name="f.csv", format="csv", imported_at=START,
                      imported_by="manager", summary=summary.as_json(Recorded("csv"), summary.Summary()))  # fmt: skip
    letter = DeadLetter(received_at=START, device_code=device, topic=f"labrelay/v1/{device}/readings", raw=b"{",
                        reason="not_json", digest=f"probe-{device}")  # fmt: skip
    body = {"device": device, "probe": 1, "at": START.isoformat(), "temp_c": 5.0}
    held = QuarantinedReading(device_code=device, probe=1, at=START, temp_c=5.0, body=body, reason="in_future",
                              received_at=START)  # fmt: skip
    session.add_all([file, letter, held, DeviceType(code="probe", name="probe", codec="ruuvi")])
    session.flush()
    return {"certificate": certificate.id, "file": file.id, "letter": letter.id}


def _route(session: Session, channel: int, alert: int) -> int:
    """A route of our laboratory, and a message that went along it."""
    row = AlertRoute(site_code=COUNTY, channel_id=channel, kinds=["overdue"])
    message = Delivery(
        alert_id=alert, channel_id=channel, dedup_id=f"delivery of {COUNTY}", title="", text="", next_try_at=START,
    )  # fmt: skip
    session.add_all([row, message])
    session.commit()
    return row.id


def _assessment(session: Session, tube: Specimen) -> int:
    """A signed assessment about a tube of ours."""
    row = Assessment(
        at=START + timedelta(hours=1), username="manager", site_code=COUNTY, box_code="BX-C", start_at=START,
        excursion_ids=[1], side="upper", extreme_c=9.0, minutes=40.0, comment="seen",
        look_again="longer", look_again_at=START,
        tubes=[AssessedTube(specimen_id=tube.id, accession=tube.accession, disposition="note", act_id="x",
                            status="fit")],
    )  # fmt: skip
    session.add(row)
    session.commit()
    return row.id


def _excursion(box: str, device: str) -> ExcursionRow:
    """A warm quarter of an hour that has ended."""
    end = START + timedelta(minutes=20)
    return ExcursionRow(
        box_code=box, device_code=device, probe=1, rule_code="warm", kind="consecutive", side="upper", limit_c=8.0,
        profile={}, start_at=START, triggered_at=end, last_at=end, end_at=end, ended_by="cleared", state="ended",
        min_c=8.5, max_c=11.0, mean_c=9.5, minutes=20.0, area_c_min=30.0, reading_count=5, recorded_at=end,
        updated_at=end,
    )  # fmt: skip
