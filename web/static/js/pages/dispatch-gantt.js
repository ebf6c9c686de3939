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
  const block = { x: x(start), y: middle - 11, width, height: 22, rx: 4, stroke: colour, "stroke-width": hollow ? 3 : 1 };
  row.append(titled(shape("rect", { ...block, ...(hollow ? { class: "gantt-hollow" } : { fill: colour }) }), words));
  if (stop.kind === "both") row.append(shape("rect", { x: x(start) + width / 2 - 2, y: middle - 10, width: 4, height: 20, class: "gantt-lab" }));
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
  const row = shape("g", { class: "gantt-row", "data-route": route.colour });
  row.append(shape("rect", { x: 0, y: middle - ROW / 2, width: "100%", height: ROW, class: "gantt-back" }));
  row.append(shape("circle", { cx: 24, cy: middle, r: 12, fill: colour }));
  row.append(shape("text", { x: 24, y: middle + 5.5, class: "gantt-number", "text-anchor": "middle" }, String(route.colour + 1)));
  row.append(shape("text", { x: 43, y: middle + 6, class: "gantt-name" }, route.name));
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

/** Draw into `element`; again when its width, the theme or the chosen route changes. */
export function createGantt(element, plan, onPick = () => undefined) {
  const names = (code) => (plan.sites[code] ? plan.sites[code].name : code);
  let chosen = null;

  function draw() {
    const width = Math.max(MIN_WIDTH, element.clientWidth);
    const height = TOP + plan.routes.length * ROW + 6;
    const [from, to] = span(plan.routes);
    const x = (at) => LABEL + 20 + ((at - from) / (to - from)) * (width - LABEL - 52);
    const svg = shape("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": _("Time line of all couriers") });
    const hatch = shape("pattern", { id: "gantt-hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatch.append(shape("rect", { width: 2.5, height: 6, class: "gantt-hatch" }));
    const defs = shape("defs", {});
    defs.append(hatch);
    svg.append(defs);
    plan.routes.forEach((route, index) => drawRoute(svg, route, index, names, x, onPick));
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

  draw();
  let lastWidth = element.clientWidth;
  window.addEventListener("resize", () => {
    if (element.clientWidth !== lastWidth) draw();
    lastWidth = element.clientWidth;
  });
  document.addEventListener("theme:changed", draw);
  return { mark, draw };
}
