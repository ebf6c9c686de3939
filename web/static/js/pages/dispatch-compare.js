/** Two plans side by side: what differs is drawn strong, the rest faint. */
import { api } from "../api.js";
import { ready } from "../i18n.js";
import { createMap } from "../map.js";
import { toastError } from "../toast.js";
import { placeSite, routeColour } from "./dispatch-common.js";
import { createGantt } from "./dispatch-gantt.js";

const head = document.getElementById("compare");

function path(route, sites) {
  const places = route.stops.map((stop) => sites[stop.site]).filter((site) => site && site.lat !== null);
  return [route.start, ...places, route.end].map((place) => [place.lat, place.lon]);
}

async function show(side, plan, touched, colours) {
  const map = await createMap(document.getElementById(`map-${side}`));
  for (const route of plan.routes) {
    const colour = routeColour(colours.get(route.courier));
    map.line(path(route, plan.sites), { colour, weight: touched.has(route.courier) ? 5 : 3, opacity: touched.has(route.courier) ? 0.95 : 0.15, label: route.name });
  }
  for (const site of Object.values(plan.sites)) if (site.lat !== null && site.tier !== "township") placeSite(map, site);
  map.fit(30);
  if (!plan.routes.length) return;
  const coloured = { ...plan, state: "compared", routes: plan.routes.map((route) => ({ ...route, colour: colours.get(route.courier) })) };
  const gantt = createGantt(document.getElementById(`gantt-${side}`), coloured);
  for (const row of document.querySelectorAll(`#gantt-${side} .gantt-row`)) row.classList.toggle("is-dim", touched.size > 0 && !touched.has(row.dataset.courier));
  document.addEventListener("theme:changed", () => gantt.draw());
}

async function start() {
  await ready;
  const found = await api(`/api/v1/plans/${head.dataset.a}/compare/${head.dataset.b}`);
  const couriers = [...new Set([...found.a.routes, ...found.b.routes].map((route) => route.courier))];
  const colours = new Map(couriers.map((courier, index) => [courier, index]));
  const touched = new Set(found.changes.flatMap((one) => [one.a, one.b]).filter(Boolean).map((side) => side.courier));
  await show("a", found.a, touched, colours);
  await show("b", found.b, touched, colours);
  document.body.dataset.ready = "1";
}

start().catch(toastError);
