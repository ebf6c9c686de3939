/**
 * The courier's page. State: the day as last told by the server (kept on the phone), acts done since, scans at stops.
 * Every change goes through refresh(), which builds the day anew and paints the part that the address names:
 * #/ stops · #/aboard · #/messages · #/stop/<key>.
 */
import { api, contact } from "../api.js";
import { stamp } from "../clock.js";
import { icon, h, fill, meta } from "../dom.js";
import { _, ready } from "../i18n.js";
import { outbox, refusals, waiting } from "../outbox.js";
import { toast } from "../toast.js";
import { assemble, carried } from "./courier-model.js";
import { paintToday } from "./courier-today.js";
import * as store from "./courier-store.js";

const REFRESH_MS = document.body.dataset.demo === undefined ? 30000 : 8000; // a simulated day runs faster
const REPAINT_MS = 20000;
const part = (id) => document.getElementById(id);

export const app = {
  me: meta("user"), today: null, day: null, duty: { on: false, since: null, place: () => null, turn: (on) => startDuty().then((duty) => duty.turn(on)), flush: () => startDuty().then((duty) => duty.flush()) }, order: null, visits: new Map(), problems: [], fetchedAt: null, failed: null, visit: null,
  refresh, reload, act, go,
};

function go(hash) {
  if (location.hash === hash) refresh();
  else location.hash = hash;
}

/** Record an act; the page shows it at once, whatever the line does. Gives the answer, or "waiting". */
async function act(type, options) {
  const { submit } = await import("../acts.js");
  const promise = submit(type, { position: app.duty.place(), wait: 6000, ...options });
  setTimeout(refresh, 80);
  const answer = await promise;
  await refresh();
  if (answer.status === "done" || answer.status === "duplicate") reload();
  return answer;
}

/** What was done here and is not in the server's day yet. */
async function local() {
  const rows = (await waiting()).map((row) => ({ act: row.act, waiting: true, seq: row.seq }));
  const since = app.today ? app.today.asked_at : 0;
  // The server's day knows arrivals at its stops only: those elsewhere are this phone's to remember.
  const elsewhere = ({ type, subject, occurred_at: at }) => (type === "arrive" || type === "depart") && !subject.stop && app.today && at.slice(0, 10) === app.today.day;
  const answered = (await store.settled()).filter((row) => ["done", "duplicate"].includes(row.answer.status) && (row.at > since || elsewhere(row.act)));
  return [...answered.map((row) => ({ act: row.act, waiting: false, told: row.at <= since, seq: row.act.seq || 0 })), ...rows].sort((a, b) => a.seq - b.seq);
}

async function findProblems() {
  const acts = new Map((await store.settled()).map((row) => [row.id, row.act]));
  return (await refusals()).map((row) => ({ ...row, act: acts.get(row.uuid) || null }));
}

async function refresh() {
  app.visits = await store.visits();
  app.order = await store.kept("order");
  app.problems = await findProblems();
  app.day = app.today ? assemble(app.today, await local(), app.order && !app.order.refused ? app.order.stops : null) : null;
  if (later.order) app.change = await later.order.changeNotice(app);
  paint();
}

let reloading = false;

/** Ask the server for the day again. Without an answer the kept one stays. */
async function reload() {
  const asked = Date.now();
  reloading = true;
  try {
    const told = await api("/api/v1/courier/today");
    if (told.username !== app.me) return;
    app.today = { ...told, asked_at: asked };
    app.fetchedAt = told.generated_at;
    app.failed = null;
    await store.keep("today", app.today);
    if (app.duty.learn) await app.duty.learn(told.on_duty_since);
    await keepOrder(told);
    if (told.plan && !told.plan.seen && document.visibilityState === "visible") api("/api/v1/courier/seen", { body: {} }).catch(() => undefined);
  } catch (error) {
    app.failed = error;
  }
  reloading = false;
  await refresh();
}

/** An order of stops is for one plan: a new one starts with the dispatcher's order. */
async function keepOrder(told) {
  const order = await store.kept("order");
  const plan = told.plan ? told.plan.ids.join() : "";
  if (order && order.plan !== plan) await store.forget("order");
}

function route() {
  const [, name = "", key = ""] = location.hash.split("/");
  return { name, key: decodeURIComponent(key) };
}

/** The parts for scanning and for the two lists come after the stops are on the screen: the line may be thin. */
const later = { visit: null, lists: null, order: null };
async function load(name) {
  later[name] = later[name] || (await (name === "visit" ? import("./courier-visit.js") : import("./courier-lists.js")));
  return later[name];
}

function paint() {
  const { name, key } = route();
  const visiting = name === "stop" && app.day;
  part("courier-visit").hidden = !visiting;
  part("courier-list").hidden = Boolean(visiting);
  document.body.classList.toggle("is-visiting", Boolean(visiting));
  paintNotices();
  paintTabs(name);
  const needs = visiting ? "visit" : name === "aboard" || name === "messages" ? "lists" : null;
  if (needs && !later[needs]) {
    load(needs).then(paint).catch(() => toast(_("This part is not on the phone yet. Open it once where there is a signal."), "danger"));
    return;
  }
  if (visiting) {
    if (!app.visit || app.visit.key !== key) openVisit(key);
    if (app.visit) app.visit.paint();
    return;
  }
  if (app.visit) app.visit = app.visit.leave();
  const list = part("courier-list");
  if (!app.day) paintNothing(list);
  else if (name === "aboard") later.lists.paintAboard(list, app);
  else if (name === "messages") later.lists.paintMessages(list, app);
  else paintToday(list, app);
}

function openVisit(key) {
  if (app.visit) app.visit = app.visit.leave();
  app.visit = later.visit.Visit.open(app, key);
  if (!app.visit) go("#/");
  window.scrollTo(0, 0);
}

function paintNothing(list) {
  if (!app.failed) return;
  fill(list, h("div", { class: "empty" }, icon("offline"), h("h3", {}, _("Today’s stops are not on this phone yet")),
    h("p", {}, _("Open this page once where there is a signal. After that it works without one.")),
    h("button", { class: "btn btn-primary btn-thumb", type: "button", onclick: reload }, icon("sync"), _("Try again"))));
}

function paintNotices() {
  const stale = app.today && app.failed;
  const notes = [];
  if (stale) {
    const text = app.failed.status === 401 ? _("You are signed out. What you do here is kept; sign in again to send it.") : _("No signal. This is what the phone knew at %(at)s; what you do is kept and sent later.", { at: timeOf(app.today.generated_at) });
    notes.push(h("div", { class: "notice tone-warn" }, icon("offline"), h("div", { class: "notice-body" }, text, app.failed.status === 401 ? h("div", {}, h("a", { class: "btn btn-primary", href: "/login?next=/courier" }, _("Sign in again"))) : null)));
  }
  if (app.change) notes.push(app.change);
  fill(part("courier-notices"), notes);
}

const timeOf = (at) => stamp(new Date(at)).slice(11, 16);

function paintTabs(name) {
  const current = { aboard: "aboard", messages: "messages" }[name] || "today";
  for (const link of document.querySelectorAll("[data-tab]")) {
    if (link.dataset.tab === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const counts = { aboard: app.day ? carried(app.day).length : 0, messages: app.problems.length };
  for (const badge of document.querySelectorAll("[data-count]")) {
    badge.hidden = !counts[badge.dataset.count];
    badge.textContent = String(counts[badge.dataset.count] || "");
  }
}

/** The switch and the watch of positions. */
let starting = null;
function startDuty() {
  starting = starting || import("./courier-duty.js").then(async ({ Duty }) => {
    const duty = new Duty();
    duty.addEventListener("changed", () => app.day && paint());
    duty.addEventListener("order", refresh);
    await duty.start(app.today);
    app.duty = duty;
    await refresh();
    return duty;
  });
  return starting;
}

/** What can come after the stops are on the screen. */
async function startRest() {
  later.order = await import("./courier-order.js");
  await Promise.all([startDuty(), load("visit"), load("lists")]);
  await (await import("./courier-keep.js")).keepPage();
}

async function start() {
  await ready;
  store.tidy().catch(() => undefined);
  app.today = (await store.kept("today")) || null;
  await refresh();
  window.addEventListener("hashchange", refresh);
  outbox.addEventListener("answer", async ({ detail }) => {
    await store.saveSettled(detail.row.act, detail.answer);
    await refresh();
  });
  outbox.addEventListener("changed", () => refresh());
  contact.addEventListener("heard", () => app.failed && app.failed.status === 0 && !reloading && reload()); // the signal is back
  await reload();
  setInterval(() => document.visibilityState === "visible" && reload(), REFRESH_MS);
  setInterval(() => app.day && !document.querySelector("dialog[open]") && paint(), REPAINT_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && reload());
  document.documentElement.dataset.courier = "ready";
  performance.mark("courier-ready"); // what came before is the page's weight
  startRest().catch((error) => console.warn("courier", error));
}

start().catch((error) => { console.error("courier", error); toast(_("Something went wrong on this page. Please load it again."), "danger"); });
