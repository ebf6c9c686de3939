/** One plan: map, time line and tables that point at each other; publishing it. */
import { api } from "../api.js";
import { confirmDialog } from "../dialog.js";
import { busy } from "../forms.js";
import { formatTime } from "../clock.js";
import { _, ready } from "../i18n.js";
import { createMap } from "../map.js";
import { toastError } from "../toast.js";
import { placeSite, routeColour } from "./dispatch-common.js";
import { createGantt } from "./dispatch-gantt.js";
import { follow } from "./dispatch-progress.js";

const head = document.getElementById("plan");
const planId = head.dataset.plan;

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
  const lines = plan.routes.map((route) => map.line(path(route, plan.sites), {
    colour: routeColour(route.colour), dashed: route.colour >= 10, weight: 4, label: `${route.colour + 1} ${route.name}`,
  }));
  drawSites(map, plan);
  map.fit(40);
  document.addEventListener("theme:changed", () => lines.forEach((line, index) => line.setStyle({ color: routeColour(plan.routes[index].colour) })));
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

async function publish(event) {
  const replaces = event.currentTarget.dataset.replaces;
  const sure = await confirmDialog({
    title: _("Publish to couriers?"),
    text: replaces ? _("It replaces the plan that is driven now: stops already made stay, open ones follow the new plan. The couriers see it at once.") : _("The couriers see their stops at once."),
    action: _("Publish"),
  });
  if (!sure) return;
  try {
    await busy(document.getElementById("publish"), () => api(`/api/v1/plans/${planId}/publish`, { method: "POST", body: {} }));
    location.reload();
  } catch (error) {
    toastError(error);
  }
}

function wireActions() {
  const button = document.getElementById("publish");
  if (button) button.addEventListener("click", publish);
  const again = document.getElementById("plan-again");
  if (again) {
    again.addEventListener("click", async () => {
      const seconds = Number(head.dataset.seconds) || 10;
      try {
        const plan = await busy(again, () => api("/api/v1/plans", { body: { day: again.dataset.day, scope: again.dataset.scope, seconds } }));
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

async function start() {
  await ready;
  wireActions();
  if (head.dataset.state === "planning") return follow(planId);
  const place = document.getElementById("plan-map");
  if (!place) return undefined;
  const plan = await api(`/api/v1/plans/${planId}`);
  let pick = () => undefined;
  const gantt = createGantt(document.getElementById("gantt"), plan, (route) => pick(route));
  const markMap = await drawMap(plan);
  pick = wirePicking(plan, markMap, gantt);
  if (plan.routes.length === 1) document.querySelector(".route-card").open = true;
  document.body.dataset.ready = formatTime(new Date());
  return undefined;
}

start().catch(toastError);
