"""Every main page of every role as data, a network at work to show on them, and what each page must keep."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Error, Page, Response, ViewportSize, expect
from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import clock, tasks
from logistics.domain.numbers import Kind
from logistics.models import Alert, LabelNumber, Specimen, User
from logistics.services import label_ledger, network, overdue, pickups, planning, prints
from telemetry import calibration
from telemetry.ingest import Incoming, store_batch
from telemetry.models import DeadLetter, ExcursionRow
from tests import courier_day, warm_box
from tests import factories as f
from tests.browser import decisions, desks
from tests.factories import START, act, done

NOW = START + timedelta(minutes=70)
SERIOUS = {"serious", "critical"}


@dataclass(frozen=True, slots=True)
class Screen:
    """A page: who looks, where (names in braces are filled from the seeded network), what must be there first."""

    role: str
    path: str
    ready: str = "h1"
    foreign: bool = False  # holds text that is not in the reader's language on purpose
    vendor: str = ""  # a part whose mark-up is not ours

    @property
    def name(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", f"{self.role}{self.path}".lower()).strip("-")


SCREENS = (
    Screen("", "/login"),
    Screen("", "/offline"),
    Screen("", "/api/docs", ".opblock", foreign=True, vendor="#api-viewer"),
    Screen("nurse", "/collector/", "#collect-scan[data-started]"),
    Screen("nurse", "/collector/orders/new"),
    Screen("nurse", "/collector/import/"),
    Screen("nurse", "/collector/pack", "[data-pack][data-started]"),
    Screen("nurse", "/collector/pack?box={box}", "[data-pack][data-started]"),
    Screen("nurse", "/collector/outcomes"),
    Screen("nurse", "/labels"),
    Screen("nurse", "/labels/{batch}"),
    Screen("nurse", "/labels/settings"),
    Screen("nurse", "/labels/prints"),
    Screen("nurse", "/loads/incoming", "html[data-loads]"),
    Screen("nurse", "/unsent"),
    Screen("nurse", "/recalls"),
    Screen("nurse", "/nonconformities"),
    Screen("nurse", "/consignments/{resealed}", "#versions-title"),
    Screen("nurse", "/search"),
    Screen("nurse", "/account"),
    Screen("courier", "/courier", "html[data-courier=ready]"),
    Screen("courier", "/registers", foreign=True),  # quotes notes as they were written
    Screen("dispatcher", "/dispatch/board", "#courier-list .courier-line"),
    Screen("dispatcher", "/dispatch/plans"),
    Screen("dispatcher", "/dispatch/plans/{plan}", "#plan-map .pin"),
    Screen("dispatcher", "/dispatch/compare?a={plan}&b={plan}", "body[data-ready]"),
    Screen("dispatcher", "/unsent"),
    Screen("dispatcher", "/handovers"),
    Screen("dispatcher", "/loads/boxes"),
    Screen("receiver", "/receiver/", "#desk[data-started]"),
    Screen("receiver", "/receiver/?consignment={consignment}", "#desk[data-started]"),
    Screen("receiver", "/receiver/incoming"),
    Screen("receiver", "/receiver/forward", "[data-pack][data-started]"),
    Screen("receiver", "/receiver/commands"),
    Screen("receiver", "/loads/", "html[data-loads]"),
    Screen("receiver", "/send-outs/"),
    Screen("receiver", "/send-outs/{send_out}", "html[data-send-out]"),
    Screen("manager", "/manager/alerts"),
    Screen("manager", "/manager/alerts?state=all"),
    Screen("manager", "/manager/alerts/{alert}"),
    Screen("manager", "/manager/excursions"),
    Screen("manager", "/manager/excursions/{excursion}", "[data-chart] canvas"),
    Screen("manager", "/profiles/"),
    Screen("manager", "/profiles/cold_2_8?scope=box&code={box}"),
    Screen("manager", "/manager/alerts?state=snoozed"),
    Screen("manager", "/manager/assessments/{assessment}", foreign=True),  # quotes the comment and the source
    Screen("manager", "/manager/routes"),
    Screen("manager", "/manager/deliveries"),
    Screen("manager", "/stability"),
    Screen("manager", "/stability/CBC", foreign=True),  # quotes its sources
    Screen("manager", "/manager/dashboard"),
    Screen("manager", "/devices", "#fleet", foreign=True),  # names of makers
    Screen("manager", "/devices/{logger}", "#bindings"),
    Screen("manager", "/devices/{logger}/file"),
    Screen("manager", "/devices/letters", "#letters", foreign=True),  # shows messages as they came
    Screen("manager", "/devices/letters/{letter}", ".letter-bytes", foreign=True),
    Screen("manager", "/devices/quarantine", "#held"),
    Screen("manager", "/registers", ".register-table", foreign=True),
    Screen("manager", "/review"),
    Screen("manager", "/consignments/{consignment}", "[data-chart] canvas"),
    Screen("manager", "/consignments/{resealed}?version=1"),
    Screen("manager", "/consignments/{return_load}"),
    Screen("manager", "/recalls"),
    Screen("manager", "/recalls?site={site}&test=CBC"),
    Screen("manager", "/loads/items/{item}", "html[data-loads]"),
    Screen("manager", "/loads/blind"),
    Screen("manager", "/handovers"),
    Screen("manager", "/nonconformities"),
    Screen("manager", "/search?q=2611"),
    Screen("manager", "/journey/{tube}", "[data-chart] canvas"),
    Screen("manager", "/journey/{rejected}"),
    Screen("manager", "/journey?code=nothing"),
    Screen("admin", "/admin/"),
    Screen("admin", "/admin/sites"),
    Screen("admin", "/admin/sites/{site}"),
    Screen("admin", "/admin/users"),
    Screen("admin", "/admin/users/{user}"),
    Screen("admin", "/admin/boxes"),
    Screen("admin", "/admin/boxes/{box}"),
    Screen("admin", "/devices/new", foreign=True),  # names of formats, examples of topics
    Screen("admin", "/devices/types", foreign=True),
    Screen("admin", "/devices/types/new", foreign=True),
    Screen("admin", "/admin/tests"),
    Screen("admin", "/admin/tests/CBC", foreign=True),  # quotes its sources in the language they were written in
    Screen("admin", "/admin/reasons", foreign=True),  # lists both names of each
    Screen("admin", "/admin/contracts"),
    Screen("admin", "/admin/contracts/{contract}"),
    Screen("admin", "/labels/settings"),
    Screen("admin", "/labels/settings?site={site}"),
    Screen("admin", "/admin/channels"),
    Screen("admin", "/admin/channels/new"),
    Screen("admin", "/admin/import/sites", foreign=True),  # names the columns of Chinese files
    Screen("auditor", "/admin/audit"),
    Screen("auditor", "/integrity"),
    Screen("auditor", "/manager/excursions"),
)
PEOPLE_NAMES = {
    "nurse": ("沈护士", "Nurse Shen"), "courier": ("李师傅", "Li Wei"), "receiver": ("周检验师", "Zhou Min"),
    "manager": ("胡主任", "Dr Hu"), "dispatcher": ("调度员陈", "Chen Jie"), "admin": ("系统管理员", "Administrator"),
    "auditor": ("审核员", "Auditor"),
}  # fmt: skip
PEOPLE = tuple(dict.fromkeys(screen.role for screen in SCREENS if screen.role))


def build(session: Session) -> dict[str, Any]:
    """A morning in full: sealed and warm boxes, tubes in every state, two plans, alerts; gives what stands in paths."""
    courier_day.build(session)
    for user in session.scalars(select(User).where(User.username.in_(PEOPLE_NAMES))):
        user.name_zh, user.name_en = PEOPLE_NAMES[user.username]
    session.commit()
    number = _warm_consignment(session)
    _worklist(session)
    pickups.urgent(session, courier_day.FAR, at=NOW, by="nurse3", note="", within=timedelta(minutes=90))
    overdue.sweep(session, now=NOW)
    session.commit()
    plan = _ready_plan(session)
    tubes = {tube.accession: tube.id for tube in session.scalars(select(Specimen))}
    return {
        "batch": _roll(session),
        "box": courier_day.BOX_COLD, "consignment": number, "site": f.TOWN,
        "tube": tubes[warm_box.ACCESSIONS[0]], "rejected": tubes[warm_box.ACCESSIONS[1]],
        "plan": plan,
        "alert": session.scalars(select(Alert.id).order_by(Alert.id)).all()[0],
        "excursion": session.scalars(select(ExcursionRow.id).order_by(ExcursionRow.id)).all()[0],
        "user": session.scalars(select(User.id).where(User.username == "nurse")).one(),
        **desks.build(session, NOW),
        **_loggers(session),
        **decisions.build(session, NOW),
    }  # fmt: skip


def _loggers(session: Session) -> dict[str, Any]:
    """What the loggers' pages show: a certificate that runs out, a message and a burst that were set aside."""
    due = NOW + timedelta(days=12)
    calibration.add(session, "LG-1", number="CNAS-L1234", due_at=due, username="manager", now=NOW)
    noise = Incoming("labrelay/v1/LG-1/readings", b"\x02\x01\x06noise")
    ahead = {"readings": [{"at": (NOW + timedelta(hours=n)).isoformat(), "temp_c": 5} for n in (2, 3)]}
    store_batch(session, [noise, Incoming(noise.topic, json.dumps(ahead).encode())], now=NOW)
    session.commit()
    return {"logger": "LG-1", "letter": session.scalars(select(DeadLetter.id).order_by(DeadLetter.id)).all()[-1]}


def _warm_consignment(session: Session) -> str:
    """A box that grew warm on its way, at the desk of the laboratory: one accepted, one rejected, one not checked."""
    tubes = (*warm_box.ACCESSIONS, "2611220049", "2611220050")
    warm_box.logger(session)
    number = f.delivered(session, tubes)
    warm_box.readings(session, [5.0, 5.1, *[12.0] * 8, 5.2, 5.0, 4.8, 4.9])
    at = START + timedelta(minutes=65)
    for accession in tubes[:3]:
        subject = {"specimen": accession, "consignment": number}
        done(session, "receiver", act("receive", subject, {"condition": "good"}, at=at))
    done(session, "receiver", act("reject", {"specimen": tubes[1]}, {"reason": "HAEMOLYSED"}, at=at))
    done(session, "receiver", act("declare_missing", {"specimen": tubes[3], "consignment": number}, at=at))
    return number


def _ready_plan(session: Session) -> int:
    """Another plan of the day, really worked out; not published, so that the courier keeps the first."""
    dispatcher = session.scalars(select(User).where(User.username == "dispatcher")).one()
    row, job = planning.order(
        session, day=clock.now().date().isoformat(), scope_code=f.COUNTY, seconds=5, by="dispatcher", now=NOW,
        scope=network.scope_of_user(session, dispatcher), wall=clock.wall_now(), name="B",
    )  # fmt: skip
    found, job_id = row.id, job.id
    session.commit()
    tasks.run_job.run(job_id)
    return found


def _worklist(session: Session) -> None:
    """At the township: two to collect, one of them urgent, and one collected."""
    for serial, priority in ((30, "routine"), (31, "stat"), (32, "routine")):
        code = courier_day.accession(serial)
        payload = {"tests": ["CBC"], "patient_ref": "王**", "priority": priority}
        done(session, "nurse", act("register", {"specimen": code}, payload, at=NOW - timedelta(minutes=20)))
    done(session, "nurse", act("collect", {"specimen": courier_day.accession(32)}, at=NOW - timedelta(minutes=5)))


def _roll(session: Session) -> int:
    """A roll of numbers printed ahead for the township: one used, two voided, nine still on it."""
    batch = label_ledger.make_batch(
        session, kind=Kind.ACCESSION, count=12, stock="roll_50x30", symbology="code128", site=f.TOWN, by="nurse",
        now=NOW,
    )  # fmt: skip
    session.commit()
    rows = list(session.scalars(select(LabelNumber).order_by(LabelNumber.position)))
    numbers = [row.number for row in rows]
    done(session, "nurse", act("register", {"specimen": numbers[0]}, {"tests": ["CBC"]}, at=NOW))
    scope = network.scope_of_user(session, f.user(session, "nurse"))
    label_ledger.void(session, scope, numbers[4:6], reason="misprinted", by="nurse", now=NOW)
    for row in rows:
        row.copies = 1
    prints.log_all(session, "number_label", numbers, by="nurse", now=NOW, site=f.TOWN)
    prints.log(session, "number_label", numbers[1], by="nurse", now=NOW, reason="jammed", site=f.TOWN)
    session.commit()
    return batch.id


class Viewer:
    """One tab: opens pages, and says in words what is wrong with each."""

    def __init__(self, page: Page, address: str, *, lang: str, msgids: Mapping[str, str]) -> None:
        self.page, self.address, self.lang = page, address, lang
        self._msgids = msgids
        self._said: list[str] = []
        page.on("pageerror", lambda error: self._said.append(str(error)))
        page.on("console", lambda said: self._said.append(said.text) if said.type == "error" else None)

    def sign_in(self, username: str) -> None:
        self.page.goto(f"{self.address}/login?lang={self.lang}")
        self.page.fill("#username", username)
        self.page.fill("#password", f.PASSWORD)
        with self.page.expect_navigation():
            self.page.click("#login-form [type=submit]")

    def faults(self, screen: Screen, path: str, *, axe: bool) -> list[str]:
        """Opens the page; each fault in one line, nothing when it is good."""
        self._said.clear()
        answer = self.page.goto(f"{self.address}{path}{'&' if '?' in path else '?'}lang={self.lang}")
        found = self._missing(screen, answer)
        if not found:
            self.settle()
            found = self.shown(screen) + (self._axe(screen) if axe else [])
        return found + [f"console: {text}" for text in self._said]

    def faults_at(self, screen: Screen, size: ViewportSize) -> list[str]:
        """The same page once more where the screen is another; what is turned or pulled wider must fit as well."""
        self._said.clear()
        self.page.set_viewport_size(size)
        self.settle()
        return self.shown(screen) + [f"console: {text}" for text in self._said]

    def shown(self, screen: Screen) -> list[str]:
        return self._shape() + self._language(screen)

    def settle(self) -> None:
        """Scripts write after the page is there: until they have the words of the language and have drawn twice."""
        expect(self.page.locator(".strip-text", has_text=WORDLESS)).to_have_count(0)  # wait_for_function needs eval
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.page.wait_for_timeout(60)

    def _missing(self, screen: Screen, answer: Response | None) -> list[str]:
        if answer is None or answer.status != 200:
            return [f"answered {answer.status if answer else 'nothing'}"]
        try:
            self.page.wait_for_selector(screen.ready, state="attached", timeout=15_000)
        except Error:
            return [f"{screen.ready} did not appear"]
        return [] if self.page.locator("h1:visible").count() == 1 else ["not exactly one heading of the page"]

    def _shape(self) -> list[str]:
        # A phone's innerWidth grows with a page that is too wide: what counts is the screen.
        screen = (self.page.viewport_size or {"width": 0})["width"]
        wide = int(self.page.evaluate("document.documentElement.scrollWidth")) - screen
        return [f"{wide} px wider than the screen"] if wide > 0 else []

    def _language(self, screen: Screen) -> list[str]:
        """In Chinese: no text that is one of our English sentences where the Chinese is another, and nothing else that
        reads like one. In English: no Chinese but names of people, which stay as they were written or signed."""
        if screen.foreign:
            return []
        texts = [str(text) for text in self.page.evaluate(VISIBLE_TEXTS)]
        if self.lang == "en":
            left = [text for text in texts if CHINESE.search(NAMES.sub("", text))]
            return [f"not English: {text}" for text in left]
        left = [text for text in texts if self._msgids.get(text, text) != text or SENTENCE.search(text)]
        return [f"not Chinese: {text}" for text in left]

    def _axe(self, screen: Screen) -> list[str]:
        context = {"exclude": [[screen.vendor]]} if screen.vendor else None
        found = Axe().run(self.page, context=context).response["violations"]
        return [
            f"axe {one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
            for one in found
            if one["impact"] in SERIOUS
        ]


CHINESE = re.compile(r"[\u4e00-\u9fff]")
NAMES = re.compile(r"[\u4e00-\u9fff]\*+|张三|余护士|" + "|".join(name for name, _ in PEOPLE_NAMES.values()))
SENTENCE = re.compile(r"\b[A-Za-z][a-z]+ [a-z]+ [a-z]+\b")
WORDLESS = re.compile("^…$")
VISIBLE_TEXTS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = new Set();
  const own = document.documentElement.lang;
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim().replace(/\\s+/g, ' ');
    const parent = walker.currentNode.parentElement;
    if (!text || parent.closest('script, style, code, pre, [hidden], .visually-hidden')) continue;
    const spoken = parent.closest('[lang]');
    if (spoken && spoken.lang !== own) continue;
    if (parent.getClientRects().length) found.add(text);
  }
  return [...found];
}"""
