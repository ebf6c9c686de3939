/** The live board: asks every two seconds, draws only what changed, rests while nobody looks. */
import { ago, formatTime } from "../clock.js";
import { chip, fill, h, icon } from "../dom.js";
import { contact } from "../api.js";
import { _, ready } from "../i18n.js";
import { createMap } from "../map.js";
import { toastError } from "../toast.js";
import { placeSite, poll, routeColour } from "./dispatch-common.js";
import { wireOffers } from "./dispatch-offers.js";

const EVERY_MS = 2000;
const by = (id) => document.getElementById(id);
const STATES = {
  late: { tone: "danger", icon: "clock", word: () => _("Late") },
  silent: { tone: "warn", icon: "radio", word: () => _("Silent") },
  alarm: { tone: "warn", icon: "thermometer", word: () => _("Box alarm") },
  fine: { tone: "ok", icon: "check", word: () => _("On plan") },
  idle: { tone: "neutral", icon: "minus", word: () => _("No stops") },
};
let etag = null;
let board = null;
let chosen = null;
let ask = () => undefined;

/** The board's own request: a 304 is an answer, and the kept board stands. */
async function fetchBoard() {
  const answer = await fetch("/api/v1/board", { credentials: "same-origin", headers: { Accept: "application/json", ...(etag ? { "If-None-Match": etag } : {}) } });
  if (answer.status === 304) return false;
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw Object.assign(new Error(`board ${answer.status}`), { temporary: true });
  etag = answer.headers.get("ETag");
  board = await answer.json();
  contact.dispatchEvent(new Event("heard"));
  return true;
}

function drawCounts() {
  const shown = ["late", "silent", "alarm", "fine"].map((name) => {
    const state = STATES[name];
    const n = board.counts[name];
    return h("span", { class: `chip tone-${n || name === "fine" ? state.tone : "neutral"} board-count` }, icon(state.icon), h("strong", {}, String(n)), state.word());
  });
  const open = board.counts.open_pickups;
  fill(by("board-counts"), shown, h("span", { class: `chip tone-${open ? "info" : "neutral"} board-count` }, icon("box"), h("strong", {}, String(open)), _("to be planned")));
}

function boxTemp(box) {
  if (!box.temp) return chip([box.box, _("No data")].join(" "), "neutral", "question");
  const tone = box.temp.inside ? (box.temp.fresh ? "ok" : "neutral") : "danger";
  return chip(`${box.box} ${box.temp.temp_c.toFixed(1)} °C`, tone, "thermometer");
}

function courierLine(line, index) {
  const state = STATES[line.state];
  return h("li", {}, h("button", { class: "work route-line courier-line", type: "button", "data-courier": line.username, "aria-pressed": String(chosen === line.username) },
    h("span", { class: `work-icon tone-${state.tone}` }, icon(state.icon)),
    h("span", { class: "work-main" },
      h("span", { class: "work-title" }, line.name, chip(state.word(), state.tone, state.icon), line.alarm && line.state !== "alarm" ? chip(_("Box alarm"), "danger", "thermometer") : null),
      h("span", { class: "work-sub courier-why" }, line.sentence),
      h("span", { class: "muted courier-home" }, line.home),
      line.boxes.length ? h("span", { class: "chips" }, line.boxes.map(boxTemp)) : null,
      line.unseen && line.total ? h("span", { class: "muted row-sm" }, icon("eye"), _("%(n)s stops not seen yet", { n: line.unseen })) : null),
    h("span", { class: "work-side num" }, line.total ? h("span", { class: "strong nowrap" }, `${line.done}/${line.total}`) : null,
      h("span", { class: "muted nowrap" }, line.position ? ago(line.position.at) : ""))));
}

function drawCouriers() {
  const list = by("courier-list");
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.courier : null;
  if (!board.couriers.length) fill(list, h("li", { class: "work muted" }, _("No couriers at your sites.")));
  else fill(list, board.couriers.map(courierLine));
  if (focused) {
    const again = list.querySelector(`[data-courier="${CSS.escape(focused)}"]`);
    if (again) again.focus();
  }
}

const KINDS = { round: () => _("Round"), ready: () => _("Ready"), urgent: () => _("Urgent call"), trunk: () => _("Trunk") };

function pickupLine(one) {
  const urgent = one.kind === "urgent";
  return h("li", { class: "work" },
    h("span", { class: `work-icon tone-${urgent ? "danger" : one.missed ? "warn" : "info"}` }, icon(urgent ? "bolt" : "box")),
    h("div", { class: "work-main" },
      h("div", { class: "work-title" }, one.name, chip(KINDS[one.kind] ? KINDS[one.kind]() : one.kind, urgent ? "danger" : "neutral", urgent ? "bolt" : "route")),
      h("div", { class: "work-sub" }, one.missed ? _("should have been fetched by %(time)s", { time: formatTime(one.latest_at) }) : _("fetch %(from)s–%(to)s", { from: formatTime(one.ready_at), to: formatTime(one.latest_at) }), " · ", _("%(n)s slots", { n: one.slots })),
      one.note ? h("div", { class: "muted" }, one.note) : null),
    document.querySelector(".may-act") ? h("button", { class: `btn btn-sm${urgent ? " btn-primary" : ""}`, type: "button", "data-offer": one.id }, icon("truck"), _("Find courier")) : null);
}

function drawPickups() {
  const open = board.pickups.filter((one) => one.state === "open");
  const urgent = open.filter((one) => one.kind === "urgent");
  const rest = open.filter((one) => one.kind !== "urgent");
  by("urgent-card").hidden = !urgent.length;
  by("urgent-count").textContent = urgent.length;
  fill(by("urgent-list"), urgent.map(pickupLine));
  by("waiting-count").textContent = rest.length;
  fill(by("waiting-list"), rest.length ? rest.slice(0, 40).map(pickupLine) : h("li", { class: "work muted" }, icon("check"), _("Everything that is known is in a plan.")));
}

/** Sites once; lines and couriers again at each change. */
class BoardMap {
  constructor(map) {
    this.map = map;
    this.sites = new Map();
    this.couriers = new Map();
    this.lines = [];
    this.fitted = false;
  }

  draw() {
    for (const site of board.sites) if (!this.sites.has(site.code)) this.sites.set(site.code, { ...site, marker: placeSite(this.map, site) });
    for (const line of this.lines) line.remove();
    this.lines = board.couriers.flatMap((courier, index) => this.route(courier, index));
    for (const courier of board.couriers) this.courier(courier);
    if (!this.fitted && board.sites.length) {
      this.map.fit(36);
      this.fitted = true;
    }
  }

  route(courier, index) {
    const left = courier.stops.filter((stop) => stop.state === "planned" || stop.state === "arrived");
    const points = left.map((stop) => this.sites.get(stop.site)).filter(Boolean).map((site) => [site.lat, site.lon]);
    if (courier.position) points.unshift([courier.position.lat, courier.position.lon]);
    if (points.length < 2) return [];
    const mine = chosen === courier.username;
    const colour = courier.state === "late" ? null : routeColour(index);
    return [this.map.line(points, { tone: "danger", colour, dashed: true, weight: mine ? 6 : 3, opacity: chosen === null ? 0.65 : mine ? 1 : 0.12, label: courier.name })];
  }

  courier(courier) {
    const known = this.couriers.get(courier.username);
    if (!courier.position) return;
    const place = { lat: courier.position.lat, lon: courier.position.lon, late: courier.state === "late" || courier.state === "silent" };
    if (known) known.move(place);
    else this.couriers.set(courier.username, this.map.courier({ ...place, name: courier.name, note: courier.sentence }));
  }

  focus(username) {
    const courier = board.couriers.find((one) => one.username === username);
    if (courier && courier.position) this.map.leaflet.setView([courier.position.lat, courier.position.lon], Math.max(11, this.map.leaflet.getZoom()));
  }
}

async function start() {
  await ready;
  const map = new BoardMap(await createMap(by("board-map")));
  const draw = () => {
    drawCounts();
    drawCouriers();
    drawPickups();
    map.draw();
  };
  by("courier-list").addEventListener("click", (event) => {
    const button = event.target.closest("[data-courier]");
    if (!button) return;
    chosen = chosen === button.dataset.courier ? null : button.dataset.courier;
    if (chosen) map.focus(chosen);
    draw();
  });
  wireOffers({ pickup: (id) => board.pickups.find((one) => one.id === id), taken: () => { etag = null; ask(); } });
  ask = poll(async () => {
    if (await fetchBoard()) draw();
    return true;
  }, EVERY_MS);
  document.addEventListener("theme:changed", () => board && draw());
}

start().catch(toastError);
