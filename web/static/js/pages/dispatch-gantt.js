/**
 * The day of all couriers on one time line: driving thin, work at a site solid, waiting hatched, windows as
 * brackets, a use-by as a flag, the present moment as a line. Shapes tell it, colour only helps.
 */
import { formatTime, now } from "../clock.js";
import { _ } from "../i18n.js";
import { routeColour } from "./dispatch-common.js";

const SVG = "http://www.w3.org/2000/svg";
const ROW = 46;
const TOP = 34;
const LABEL = 140;
const MIN_WIDTH = 880;
const HOUR = 3600000;

function shape(name, attributes, text = null) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  if (text !== null) element.textContent = text;
  return element;
}

function titled(element, text) {
  element.append(shape("title", {}, text));
  return element;
}

function span(routes) {
  const starts = routes.map((route) => Date.parse(route.start_at));
  const ends = routes.map((route) => Date.parse(route.end_at));
  return [Math.floor(Math.min(...starts) / HOUR) * HOUR, Math.ceil(Math.max(...ends) / HOUR) * HOUR];
}

function grid(svg, from, to, x, height) {
  const step = to - from > 8 * HOUR && x(from + HOUR) - x(from) < 64 ? 2 * HOUR : HOUR;
  for (let at = from; at <= to; at += step) {
    svg.append(shape("line", { x1: x(at), x2: x(at), y1: TOP - 6, y2: height, class: "gantt-grid" }));
    svg.append(shape("text", { x: x(at), y: TOP - 12, class: "gantt-text", "text-anchor": "middle" }, formatTime(at)));
  }
}

function drawStop(row, stop, siteName, x, middle, colour) {
  const arrive = Date.parse(stop.arrive_at);
  const start = Date.parse(stop.start_at);
  const depart = Date.parse(stop.depart_at);
  const words = `${siteName} ${formatTime(arrive)}–${formatTime(depart)}`;
  if (start - arrive > 120000) {
    row.append(titled(shape("rect", { x: x(arrive), y: middle - 6, width: x(start) - x(arrive), height: 12, class: "gantt-wait", fill: "url(#gantt-hatch)" }), [_("waiting"), siteName].join(": ")));
  }
  const width = Math.max(8, x(depart) - x(start));
  const hollow = stop.kind === "delivery"; // unloading is a hollow block, loading a solid one, both a split one
  const group = shape("g", { class: "gantt-stop", "data-stop": stop.position - 1 });
  const block = { x: x(start), y: middle - 11, width, height: 22, rx: 4, stroke: colour, "stroke-width": hollow ? 3 : 1 };
  group.append(titled(shape("rect", { ...block, ...(hollow ? { class: "gantt-hollow" } : { fill: colour }) }), words));
  if (stop.picked.some((one) => one.pinned)) group.append(shape("path", { d: `M${x(start) + width / 2} ${middle - 12}v-6m-4 0h8`, class: "gantt-pin" }));
  row.append(group);
  if (stop.kind === "both") group.append(shape("rect", { x: x(start) + width / 2 - 2, y: middle - 10, width: 4, height: 20, class: "gantt-lab" }));
  if (stop.window_from_at) {
    const left = Math.max(x(Date.parse(stop.window_from_at)), LABEL);
    const right = x(Date.parse(stop.window_to_at));
    if (right - left < 2000) row.append(shape("path", { d: `M${left} ${middle + 13}v6H${right}v-6`, class: "gantt-window" }));
  }
  if (stop.use_by) {
    const at = Math.max(x(Date.parse(stop.due_at)), x(start));
    row.append(titled(shape("path", { d: `M${at} ${middle + 15}V${middle - 18}l11 5-11 5`, class: "gantt-flag" }), [_("use-by sets the time"), formatTime(stop.due_at)].join(": ")));
  }
}

function drawRoute(svg, route, index, names, x, onPick) {
  const middle = TOP + index * ROW + ROW / 2;
  const colour = routeColour(route.colour);
  const row = shape("g", { class: "gantt-row", "data-route": route.colour, "data-courier": route.courier });
  row.append(shape("rect", { x: 0, y: middle - ROW / 2, width: "100%", height: ROW, class: "gantt-back" }));
  row.append(shape("circle", { cx: 24, cy: middle, r: 12, fill: colour }));
  row.append(shape("text", { x: 24, y: middle + 5.5, class: "gantt-number", "text-anchor": "middle" }, String(route.colour + 1)));
  row.append(shape("text", { x: 43, y: middle + 6, class: "gantt-name" }, route.name));
  if (route.locked) row.append(shape("use", { href: "/static/icons/sprite.svg#lock", x: LABEL - 8, y: middle - 9, width: 18, height: 18, class: "gantt-lock" }));
  let left = Date.parse(route.start_at);
  for (const stop of route.stops) {
    const arrive = Date.parse(stop.arrive_at);
    row.append(shape("line", { x1: x(left), x2: x(arrive), y1: middle, y2: middle, stroke: colour, class: "gantt-drive" }));
    left = Date.parse(stop.depart_at);
  }
  row.append(shape("line", { x1: x(left), x2: x(Date.parse(route.end_at)), y1: middle, y2: middle, stroke: colour, class: "gantt-drive gantt-back-home" }));
  for (const stop of route.stops) drawStop(row, stop, names(stop.site), x, middle, colour);
  row.addEventListener("click", () => onPick(route.colour));
  svg.append(row);
}

/** A courier on shift with nothing to do: a place to drop something. */
function drawIdle(svg, one, index, x, from, to) {
  const middle = TOP + index * ROW + ROW / 2;
  const row = shape("g", { class: "gantt-row gantt-idle", "data-courier": one.courier });
  row.append(shape("rect", { x: 0, y: middle - ROW / 2, width: "100%", height: ROW, class: "gantt-back" }));
  row.append(shape("text", { x: 43, y: middle + 6, class: "gantt-name" }, one.name));
  const left = x(Math.max(from, Date.parse(one.start_at)));
  const right = Math.max(left, x(Math.min(to, Date.parse(one.end_at))));
  row.append(shape("line", { x1: left, x2: right, y1: middle, y2: middle, class: "gantt-free" }));
  row.append(shape("text", { x: left + 4, y: middle - 8, class: "gantt-text" }, _("free")));
  svg.append(row);
}

/** Draw into `element`; again when its width, the theme or the chosen route changes. */
export function createGantt(element, plan, onPick = () => undefined) {
  const names = (code) => (plan.sites[code] ? plan.sites[code].name : code);
  const rows = [...plan.routes, ...(plan.state === "ready" ? plan.idle || [] : [])];
  let chosen = null;
  let x = () => 0;

  function draw() {
    const width = Math.max(MIN_WIDTH, element.clientWidth);
    const height = TOP + rows.length * ROW + 6;
    const [from, to] = span(plan.routes);
    x = (at) => LABEL + 20 + ((at - from) / (to - from)) * (width - LABEL - 52);
    const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": _("Time line of all couriers") });
    const hatch = shape("pattern", { id: "gantt-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatch.append(shape("rect", { width: 2.5, height: 6, class: "gantt-hatch" }));
    const defs = shape("defs", {});
    defs.append(hatch);
    svg.append(defs);
    rows.forEach((row, index) => (row.stops ? drawRoute(svg, row, index, names, x, onPick) : drawIdle(svg, row, index, x, from, to)));
    grid(svg, from, to, x, height);
    const at = now().getTime();
    if (at > from && at < to) {
      svg.append(shape("line", { x1: x(at), x2: x(at), y1: TOP - 6, y2: height, class: "gantt-now" }));
      svg.append(shape("text", { x: x(at) + 6, y: height - 6, class: "gantt-now-text" }, _("now %(time)s", { time: formatTime(at) })));
    }
    element.replaceChildren(svg);
    mark(chosen);
  }

  function mark(route) {
    chosen = route;
    for (const row of element.querySelectorAll(".gantt-row")) row.classList.toggle("is-dim", route !== null && Number(row.dataset.route) !== route);
  }

  /** The row under a point of the screen and the place in it: {courier, before, at: x of the mark}; null beside the rows. */
  function hit(clientX, clientY) {
    const box = element.getBoundingClientRect();
    if (clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom) return null;
    const svg = element.firstElementChild.getBoundingClientRect();
    const index = Math.floor((clientY - svg.top - TOP) / ROW);
    const row = rows[index];
    if (!row) return null;
    const stops = row.stops || [];
    const here = clientX - svg.left;
    const middle = (stop) => (x(Date.parse(stop.start_at)) + Math.max(x(Date.parse(stop.depart_at)), x(Date.parse(stop.start_at)) + 8)) / 2;
    const before = stops.filter((stop) => middle(stop) < here).length;
    return { courier: row.courier, before, index };
  }

  /** Show where a drop would go; null takes the mark away. */
  function target(place, fits) {
    for (const old of element.querySelectorAll(".gantt-target")) old.remove();
    if (!place) return;
    const stops = rows[place.index].stops || [];
    const next = stops[place.before];
    const last = stops[place.before - 1];
    const at = next ? x(Date.parse(next.start_at)) - 4 : last ? x(Date.parse(last.depart_at)) + 8 : LABEL + 24;
    const top = TOP + place.index * ROW;
    const mark = shape("g", { class: `gantt-target${fits === false ? " is-refused" : ""}` });
    mark.append(shape("rect", { x: 1, y: top + 1, width: Number(element.firstElementChild.getAttribute("width")) - 2, height: ROW - 2, rx: 6 }));
    mark.append(shape("line", { x1: at, x2: at, y1: top + 3, y2: top + ROW - 3 }));
    element.firstElementChild.append(mark);
  }

  draw();
  let lastWidth = element.clientWidth;
  const resized = () => {
    if (element.clientWidth !== lastWidth) draw();
    lastWidth = element.clientWidth;
  };
  window.addEventListener("resize", resized);
  document.addEventListener("theme:changed", draw);
  function end() {
    window.removeEventListener("resize", resized);
    document.removeEventListener("theme:changed", draw);
  }
  return { mark, draw, hit, target, end };
}
