/** One plan: map, time line and tables that point at each other; publishing it. */
import { api } from "../api.js";
import { confirmDialog } from "../dialog.js";
import { busy } from "../forms.js";
import { formatTime } from "../clock.js";
import { chip, h } from "../dom.js";
import { _, ready } from "../i18n.js";
import { createMap } from "../map.js";
import { toastError } from "../toast.js";
import { placeSite, routeColour } from "./dispatch-common.js";
import { wireDrag } from "./dispatch-drag.js";
import { wireEdits } from "./dispatch-edit.js";
import { createGantt } from "./dispatch-gantt.js";
import { drawImprovements, watchImprovements, wireImprove } from "./dispatch-improve.js";
import { follow } from "./dispatch-progress.js";

const head = () => document.getElementById("plan");
const planId = head().dataset.plan;
let shown = null; // what the page shows: {plan, gantt, map}

function drawSites(map, plan) {
  const visited = new Set(plan.routes.flatMap((route) => route.stops.map((stop) => stop.site)));
  const left = new Set(plan.unserved.map((one) => one.site));
  for (const site of Object.values(plan.sites)) {
    if (site.lat === null || (!visited.has(site.code) && !left.has(site.code) && site.tier === "township")) continue;
    const missing = left.has(site.code);
    placeSite(map, { ...site, alert: missing, note: missing ? _("left out") : "" });
  }
}

function path(route, sites) {
  const places = route.stops.map((stop) => sites[stop.site]).filter((site) => site && site.lat !== null);
  return [route.start, ...places, route.end].map((place) => [place.lat, place.lon]);
}

async function drawMap(plan) {
  const map = await createMap(document.getElementById("plan-map"));
  shown.map = map;
  const lines = plan.routes.map((route) => map.line(path(route, plan.sites), {
    colour: routeColour(route.colour), dashed: route.colour >= 10, weight: 4, label: `${route.colour + 1} ${route.name}`,
  }));
  drawSites(map, plan);
  map.fit(40);
  shown.themed = () => lines.forEach((line, index) => line.setStyle({ color: routeColour(plan.routes[index].colour) }));
  document.addEventListener("theme:changed", shown.themed);
  return (chosen) => lines.forEach((line, index) => {
    const mine = chosen === null || plan.routes[index].colour === chosen;
    line.setStyle({ opacity: mine ? 0.95 : 0.12, weight: chosen !== null && mine ? 6 : 4 });
    if (chosen !== null && mine) line.bringToFront();
  });
}

function wirePicking(plan, markMap, gantt) {
  const all = document.getElementById("show-all");
  const buttons = Array.from(document.querySelectorAll("#route-list [data-route]"));
  let chosen = null;
  function pick(route) {
    chosen = route === chosen ? null : route;
    for (const button of buttons) button.setAttribute("aria-pressed", String(Number(button.dataset.route) === chosen));
    for (const card of document.querySelectorAll(".route-card")) if (chosen !== null) card.open = card.id === `route-${chosen}`;
    all.hidden = chosen === null;
    markMap(chosen);
    gantt.mark(chosen);
  }
  for (const button of buttons) button.addEventListener("click", () => pick(Number(button.dataset.route)));
  all.addEventListener("click", () => pick(chosen));
  return pick;
}

/** What publishing changes for each courier, in three kinds of lines. */
function changeLines(found) {
  const time = (at) => formatTime(at);
  const line = (label, tone, items, words) => items.length > 0 && h("p", { class: "row-sm" }, chip(label, tone), h("span", {}, items.map(words).join(" · ")));
  return h("ul", { class: "worklist publish-changes" }, found.couriers.map((one) => h("li", { class: "work" }, h("div", { class: "work-main" },
    h("div", { class: "work-title" }, one.name),
    line(_("new"), "info", one.new, (item) => `${item.site} ${time(item.at)}`),
    line(_("gone"), "warn", one.gone, (item) => `${item.site} ${time(item.at)}`),
    line(_("other time"), "neutral", one.moved, (item) => `${item.site} ${time(item.from)} → ${time(item.to)}`)))));
}

async function publish(event) {
  const replaces = event.currentTarget.dataset.replaces;
  const text = [h("p", {}, replaces ? _("It replaces the plan that is driven now: stops already made stay, open ones follow the new plan. The couriers see it at once.") : _("The couriers see their stops at once."))];
  try {
    const found = await api(`/api/v1/plans/${planId}/changes`);
    if (found.couriers.length) text.push(changeLines(found));
  } catch (error) {
    toastError(error);
    return;
  }
  const sure = await confirmDialog({ title: _("Publish to couriers?"), text, action: _("Publish") });
  if (!sure) return;
  try {
    await busy(document.getElementById("publish"), () => api(`/api/v1/plans/${planId}/publish`, { method: "POST", body: {} }));
    location.reload();
  } catch (error) {
    toastError(error);
  }
}

function wireActions() {
  wireImprove({ planId, revision: () => Number(head().dataset.revision) });
  const button = document.getElementById("publish");
  if (button) button.addEventListener("click", publish);
  const again = document.getElementById("plan-again");
  if (again) {
    again.addEventListener("click", async () => {
      const seconds = Number(head().dataset.seconds) || 10;
      try {
        const plan = await busy(again, () => api("/api/v1/plans", { body: { day: again.dataset.day, scope: again.dataset.scope, seconds } }));
        location.assign(plan.url);
      } catch (error) {
        toastError(error);
      }
    });
  }
  const replan = document.getElementById("replan-form");
  if (replan && !replan.dataset.wired) {
    replan.dataset.wired = "1";
    replan.addEventListener("submit", async (event) => {
      event.preventDefault();
      const out = Array.from(replan.querySelectorAll("[name=out]:checked"), (box) => box.value);
      try {
        const plan = await busy(replan.querySelector("[type=submit]"), () => api(`/api/v1/plans/${planId}/replan`, { body: { out } }));
        location.assign(plan.url);
      } catch (error) {
        toastError(error);
      }
    });
  }
  const print = document.getElementById("print-plan");
  if (print) {
    print.addEventListener("click", () => {
      for (const card of document.querySelectorAll(".route-card")) card.open = true;
      window.print();
    });
  }
}

/** Draw map, time line and lists of the page as it is now. */
async function draw() {
  shown = { plan: null, gantt: null, map: null, themed: null };
  wireActions();
  if (!document.getElementById("plan-map")) return;
  const plan = await api(`/api/v1/plans/${planId}`);
  shown.plan = plan;
  let pick = () => undefined;
  shown.gantt = createGantt(document.getElementById("gantt"), plan, (route) => pick(route));
  const markMap = await drawMap(plan);
  pick = wirePicking(plan, markMap, shown.gantt);
  if (plan.routes.length === 1) document.querySelector(".route-card").open = true;
  document.body.dataset.ready = formatTime(new Date());
}

function forget() {
  if (!shown) return;
  if (shown.gantt) shown.gantt.end();
  if (shown.map) shown.map.leaflet.remove();
  if (shown.themed) document.removeEventListener("theme:changed", shown.themed);
}

let redrawing = null;

/** Fetch the page again and put its body in place of the old one: what is open, scrolled and focused stays. */
function redraw() {
  redrawing = redrawing || fetchBody().finally(() => { redrawing = null; });
  return redrawing;
}

async function fetchBody() {
  const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) return location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("plan-body");
  if (!fresh) return location.reload();
  const open = Array.from(document.querySelectorAll(".route-card[open]"), (card) => card.dataset.courier);
  const focused = focusKey(document.activeElement);
  const scroll = document.getElementById("gantt") ? document.getElementById("gantt").scrollLeft : 0;
  forget();
  document.getElementById("plan-body").replaceWith(fresh);
  for (const card of document.querySelectorAll(".route-card")) card.open = open.includes(card.dataset.courier);
  await draw();
  if (document.getElementById("gantt")) document.getElementById("gantt").scrollLeft = scroll;
  const again = focused && document.querySelector(focused);
  if (again && !again.disabled) again.focus({ preventScroll: true });
  drawImprovements();
  return undefined;
}

function focusKey(element) {
  if (!element || !element.closest("#plan-body")) return null;
  const named = ["data-edit", "data-move", "data-requests", "data-courier", "data-route"].filter((name) => element.hasAttribute(name));
  if (element.id) return `#${element.id}`;
  return named.length ? named.map((name) => `[${name}="${CSS.escape(element.getAttribute(name))}"]`).join("") : null;
}

async function start() {
  await ready;
  if (head().dataset.state === "planning") {
    wireActions();
    return follow(planId);
  }
  if (head().dataset.mayEdit) { // before anything is drawn: a click that comes first must not be lost
    wireEdits({ plan: () => (shown && shown.plan) || null, redraw });
    wireDrag({ plan: () => shown.plan, gantt: () => shown && shown.gantt });
  }
  await draw();
  if (head().dataset.state !== "ready") return undefined;
  watchImprovements({ planId, mayEdit: () => Boolean(head().dataset.mayEdit), revision: () => Number(head().dataset.revision), moved: redraw });
  return undefined;
}

start().catch(toastError);
