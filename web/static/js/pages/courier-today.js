/** The list of stops: the next one opened up, the rest with their order, what waits beside the plan, what is done. */
import { formatLongDate, formatTime, now } from "../clock.js";
import { chip, h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { carried, etas, expected, extraSites, extraStop, keyOf, lateness, losses, mostUrgent, tubeCount } from "./courier-model.js";
import { amount, classChip, coldSteps, siteName, span, swap, tempBadge, useByChip, waitingChip } from "./courier-words.js";

const opened = new Set();
let changing = false;

const KINDS = { pickup: () => _("Pick up"), delivery: () => _("Deliver"), both: () => _("Deliver and pick up"), end: () => _("End of the round"), extra: () => _("Not on the plan") };
const kindWord = (stop) => (KINDS[stop.kind] || KINDS.pickup)();

export function paintToday(list, app) {
  const { day } = app;
  const open = day.route.filter((stop) => stop.state === "arrived" || stop.state === "planned");
  const done = day.route.filter((stop) => stop.state === "done" || stop.state === "skipped");
  const left = open.filter((stop) => stop.state === "planned");
  const at = etas(day, left, now().getTime());
  const extras = extraSites(day).map((site) => extraStop(day, site));
  const here = extras.find((stop) => stop.state === "arrived");
  const next = here || open[0] || null;
  swap(list, [
    head(app, done.length, day.route.length),
    dutyCard(app),
    ...carried(day).map((load) => coldSteps(day, load)),
    next ? card(app, next, at, { number: day.route.indexOf(next) + 1 }) : null,
    !day.route.length ? noPlan() : null,
    day.route.length && !open.length ? h("div", { class: "notice tone-ok" }, icon("check-circle"), h("div", { class: "notice-body" }, _("All stops of the plan are done."))) : null,
    rest(app, open.filter((stop) => stop !== next), at),
    others(app, extras.filter((stop) => stop !== next)),
    doneList(app, done),
  ]);
}

function head(app, done, all) {
  const { day } = app;
  return h("div", { class: "courier-head" },
    h("div", { class: "strong text-lg" }, formatLongDate(now())),
    all ? h("div", { class: "muted" }, _("%(done)s of %(all)s stops done", { done, all })) : null);
}

function dutyCard(app) {
  const { duty } = app;
  const troubles = { denied: _("The phone does not allow Labrelay to see the position. Allow it in the browser’s settings."), unsupported: _("This phone tells no position.") };
  const note = duty.on ? troubles[duty.trouble] || _("Since %(at)s. Your position is reported while you are on duty.", { at: formatTime(duty.since) }) : _("Your position is not reported.");
  return h("div", { class: `duty ${duty.on ? "tone-ok" : "tone-neutral"}` },
    icon(duty.on ? "radio" : "pause"),
    h("div", { class: "grow" }, h("div", { class: "strong" }, duty.on ? _("On duty") : _("Off duty")), h("div", { class: duty.trouble && duty.on ? "text-danger" : "muted" }, note)),
    h("button", { class: `btn ${duty.on ? "" : "btn-primary"}`, type: "button", role: "switch", "aria-checked": String(duty.on), "aria-label": _("On duty"), "data-key": "duty", onclick: () => duty.turn(!duty.on) }, duty.on ? _("End duty") : _("Start duty")));
}

const noPlan = () => h("div", { class: "notice tone-info" }, icon("info"), h("div", { class: "notice-body" }, _("No plan is published for you today. Boxes that are ready at your sites are listed below; you can fetch them all the same.")));

/** The stop that is next, with everything he needs at the thumb. */
function card(app, stop, at, { number }) {
  const { day } = app;
  const site = day.sites[stop.site] || {};
  const arrived = stop.state === "arrived";
  const { take, give } = expected(day, stop.site);
  return h("article", { class: "stop stop-next", "data-stop": keyOf(stop) },
    h("div", { class: "stop-head" }, h("span", { class: "stop-no" }, stop.id === null ? icon("pin") : String(number)),
      h("div", { class: "grow" }, h("div", { class: "muted" }, arrived ? _("You are here") : kindWord(stop)), h("h2", { class: "stop-name" }, siteName(day, stop.site)))),
    h("div", { class: "stop-body" },
      times(stop, at[stop.id], arrived),
      chipRow(calls(stop), stop.waiting ? waitingChip() : null),
      ...stop.calls.filter((call) => call.note).map((call) => h("p", {}, call.note)),
      loadLine(day, _("To deliver"), give), loadLine(day, _("To pick up"), take, stop),
      expiryNote(app, stop),
      h("div", { class: "stop-actions" },
        site.lat !== null && site.lat !== undefined ? h("a", { class: `btn btn-thumb${site.phone ? "" : " btn-wide"}`, href: geo(site, siteName(day, stop.site)), "data-key": "navigate" }, icon("navigate"), _("Navigate")) : null,
        site.phone ? h("a", { class: "btn btn-thumb", href: `tel:${site.phone.replace(/[^\d+]/g, "")}`, "data-key": "call" }, icon("phone"), _("Call")) : null,
        arrived
          ? h("button", { class: "btn btn-primary btn-thumb btn-wide", type: "button", "data-key": "open", onclick: () => app.go(`#/stop/${keyOf(stop)}`) }, icon("scan"), _("Scan boxes"))
          : h("button", { class: "btn btn-primary btn-thumb btn-wide", type: "button", "data-key": "arrive", onclick: () => arrive(app, stop) }, icon("flag"), _("Arrive")))));
}

const geo = (site, name) => `geo:${site.lat},${site.lon}?q=${site.lat},${site.lon}(${encodeURIComponent(name)})`;

export async function arrive(app, stop) {
  app.go(`#/stop/${keyOf(stop)}`);
  await app.act("arrive", { subject: stop.id === null ? {} : { stop: stop.id }, site: stop.site, wait: 0 });
}

function times(stop, eta, arrived) {
  if (arrived) return h("div", { class: "row-sm" }, chip(_("Arrived %(at)s", { at: formatTime(stop.actual_arrive_at) }), "ok", "check"), windowText(stop));
  if (!eta) return null;
  const { tone, minutes } = lateness(stop, eta);
  const words = tone === "danger" ? _("%(n)s late", { n: span(minutes) }) : tone === "warn" ? _("%(n)s behind the plan", { n: span(minutes) }) : _("On time");
  return h("div", { class: "eta" },
    h("span", { class: "eta-time" }, formatTime(new Date(eta))),
    h("span", { class: "stack-0" }, h("span", {}, chip(words, tone, tone === "ok" ? "check" : "clock")), h("span", { class: "muted" }, windowText(stop) || _("Expected arrival"))));
}

function windowText(stop) {
  if (!stop.window_from_at || !stop.window_to_at) return null;
  return h("span", { class: "muted" }, _("Window %(from)s–%(to)s", { from: formatTime(stop.window_from_at), to: formatTime(stop.window_to_at) }));
}

const CALLS = { urgent: () => chip(_("Urgent call"), "danger", "bolt"), trunk: () => chip(_("Trunk run"), "info", "truck") };
const chipRow = (...found) => { const list = found.flat().filter(Boolean); return list.length ? h("div", { class: "chips" }, list) : null; };
const calls = (stop) => Array.from(new Set(stop.calls.map((call) => call.kind))).map((kind) => (CALLS[kind] ? CALLS[kind]() : null));

function loadLine(day, label, loads, stop = null) {
  if (!loads.length) {
    if (!stop || !["pickup", "both"].includes(stop.kind)) return null;
    return h("p", { class: "muted" }, _("Nothing is sealed there yet."), " ", stop.boxes_planned ? _("Boxes planned: %(n)s.", { n: stop.boxes_planned }) : "");
  }
  const tubes = loads.reduce((sum, load) => sum + tubeCount(load), 0);
  return h("div", { class: "load-line" }, h("span", { class: "strong" }, `${label}: ${amount(loads.length, tubes)}`),
    h("div", { class: "chips" }, loads.map((load) => tempBadge(day, load) || classChip(load)), loads.some((load) => load.priority !== "routine") ? chip(_("Urgent"), "danger", "bolt") : null));
}

/** Tubes that will not make it in the order as it stands. */
function expiryNote(app, stop) {
  const { day } = app;
  const left = day.route.filter((one) => one.state === "planned");
  const lost = losses(day, left, now().getTime()).filter((loss) => loss.what === "expires" && (loss.load.origin === stop.site || loss.load.destination === stop.site));
  return lost.length ? h("div", { class: "notice tone-warn" }, icon("hourglass"), h("div", { class: "notice-body" }, lossSentence(day, lost[0]))) : null;
}

export function lossSentence(day, loss) {
  if (loss.what === "stranded") return _("Box %(box)s would stay in the car: its laboratory comes before its pickup.", { box: loss.load.box });
  return _("Tube %(tube)s keeps until %(at)s and would reach %(site)s at %(eta)s.", { tube: loss.accession, at: formatTime(loss.use_by), site: siteName(day, loss.load.destination), eta: formatTime(new Date(loss.eta)) });
}

function rest(app, stops, at) {
  if (!stops.length) return null;
  const planned = stops.filter((stop) => stop.state === "planned");
  return h("section", { class: "stack-sm" },
    h("div", { class: "between" }, h("h2", {}, _("After that")),
      planned.length > 1 || app.order ? h("button", { class: "btn", type: "button", "aria-pressed": String(changing), "data-key": "change", onclick: () => { changing = !changing; app.refresh(); } }, icon(changing ? "check" : "sort"), changing ? _("Finished") : _("Change order")) : null),
    orderNote(app),
    ...stops.map((stop) => row(app, stop, at, planned)));
}

function orderNote(app) {
  const { order } = app;
  if (!order) return null;
  const [tone, text] = order.refused ? ["danger", order.refused]
    : order.told_at ? ["info", _("Your own order. Dispatch was told at %(at)s.", { at: formatTime(order.told_at) })]
      : ["warn", _("Your own order. Dispatch does not know it yet; it is sent as soon as there is a signal.")];
  return h("div", { class: `notice tone-${tone}` }, icon(tone === "danger" ? "warning" : "sort"), h("div", { class: "notice-body" }, text),
    h("button", { class: "btn btn-sm", type: "button", "data-key": "undo", onclick: () => undo(app) }, icon("undo"), _("Undo")));
}

function row(app, stop, at, planned) {
  const { day } = app;
  const key = keyOf(stop);
  const { take, give } = stop.kind === "end" ? { take: [], give: [] } : expected(day, stop.site);
  const { tone, minutes } = lateness(stop, at[stop.id]);
  const place = planned.indexOf(stop);
  const details = h("details", { class: "stop stop-row", "data-stop": key, open: opened.has(key) || null },
    h("summary", { class: "stop-head", "data-key": `row-${key}` }, h("span", { class: "stop-no" }, String(day.route.indexOf(stop) + 1)),
      h("div", { class: "grow" }, h("div", { class: "stop-name" }, siteName(day, stop.site)), h("div", { class: "muted" }, [kindWord(stop), summary(give, take)].filter(Boolean).join(" · "))),
      h("div", { class: "stop-eta" }, h("span", { class: "strong num" }, formatTime(new Date(at[stop.id]))), tone === "ok" ? null : h("span", { class: `text-${tone}` }, tone === "danger" ? _("%(n)s late", { n: span(minutes) }) : `+${span(minutes)}`))),
    h("div", { class: "stop-body" }, chipRow(windowText(stop), calls(stop)), loadLine(day, _("To deliver"), give), loadLine(day, _("To pick up"), take, stop),
      h("button", { class: "btn btn-thumb", type: "button", "data-key": `next-${key}`, onclick: () => move(app, stop, 0) }, icon("arrow-up"), _("Do this next"))));
  details.addEventListener("toggle", () => (details.open ? opened.add(key) : opened.delete(key)));
  if (!changing) return details;
  return h("div", { class: "order-row" }, details, h("div", { class: "stack-sm" },
    h("button", { class: "btn btn-icon btn-order", type: "button", "data-key": `up-${key}`, disabled: place <= 0, "aria-label": _("%(site)s earlier", { site: siteName(day, stop.site) }), onclick: () => move(app, stop, -1) }, icon("arrow-up")),
    h("button", { class: "btn btn-icon btn-order", type: "button", "data-key": `down-${key}`, disabled: place === planned.length - 1, "aria-label": _("%(site)s later", { site: siteName(day, stop.site) }), onclick: () => move(app, stop, 1) }, icon("arrow-down"))));
}

const summary = (give, take) => [give.length ? _("give %(n)s", { n: give.length }) : "", take.length ? _("fetch %(n)s", { n: take.length }) : ""].filter(Boolean).join(", ");

/** Moving stops comes later than the stops themselves. */
const later = () => import("./courier-order.js");
const move = async (app, stop, step) => (await later()).move(app, stop, step);
const undo = async (app) => (await later()).undo(app);

/** Boxes at sites that are not on what is left of the plan. */
function others(app, stops) {
  if (!stops.length) return null;
  const { day } = app;
  return h("section", { class: "stack-sm" }, h("h2", {}, day.route.length ? _("Not on your plan") : _("Ready at your sites")),
    ...stops.map((stop) => {
      const { take, give } = expected(day, stop.site);
      const urgent = [...give, ...take].map(mostUrgent).filter(Boolean).sort((a, b) => Date.parse(a.at) - Date.parse(b.at))[0];
      return h("article", { class: "stop", "data-stop": keyOf(stop) },
        h("div", { class: "stop-head" }, h("span", { class: "stop-no" }, icon(give.length ? "lab" : "pin")), h("h3", { class: "stop-name" }, siteName(day, stop.site))),
        h("div", { class: "stop-body" }, loadLine(day, _("To deliver"), give), loadLine(day, _("To pick up"), take), urgent ? h("div", { class: "chips" }, useByChip(urgent.at)) : null,
          h("button", { class: "btn btn-thumb", type: "button", "data-key": `arrive-${keyOf(stop)}`, onclick: () => arrive(app, stop) }, icon("flag"), _("Arrive"))));
    }));
}

function doneList(app, stops) {
  if (!stops.length) return null;
  const { day } = app;
  const details = h("details", { class: "done-list", open: opened.has("done") || null },
    h("summary", { class: "strong", "data-key": "done" }, icon("check-circle"), " ", _("Done: %(n)s", { n: stops.length })),
    h("div", { class: "stack-sm" }, stops.map((stop) => {
      const here = day.handovers.filter((one) => one.site === stop.site);
      const tubes = here.reduce((sum, one) => sum + one.tubes, 0);
      return h("article", { class: "stop stop-done", "data-stop": keyOf(stop) }, h("div", { class: "stop-head" }, h("span", { class: "stop-no" }, icon("check")),
        h("div", { class: "grow" }, h("div", { class: "stop-name" }, siteName(day, stop.site)),
          h("div", { class: "muted" }, stop.state === "skipped" ? _("Skipped") : [stop.actual_arrive_at, stop.actual_depart_at].filter(Boolean).map(formatTime).join("–"), here.length ? ` · ${amount(here.length, tubes)}` : "")),
        stop.waiting ? waitingChip() : null));
    })));
  details.addEventListener("toggle", () => (details.open ? opened.add("done") : opened.delete("done")));
  return details;
}
