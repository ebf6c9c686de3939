/** While a plan is worked out: the best cost falling, what is still left out, and the button that keeps the best. */
import { api } from "../api.js";
import { _ } from "../i18n.js";
import { toast, toastError } from "../toast.js";
import { poll } from "./dispatch-common.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 220;
const EDGE = 12;

/** The best cost over time as falling steps, up to now, with a dashed line ahead. */
export function drawCurve(element, history, seconds) {
  if (!history.length) return;
  const costs = history.map((point) => point[1]);
  const high = Math.max(...costs);
  const low = Math.min(...costs);
  const room = Math.max(1, high - low);
  const x = (at) => EDGE + (Math.min(at, seconds) / seconds) * (WIDTH - 2 * EDGE);
  const y = (cost) => EDGE + ((high - cost) / room) * (HEIGHT - 4 * EDGE) + (high === low ? HEIGHT / 3 : 0);
  let path = `M${x(history[0][0])} ${y(history[0][1])}`;
  for (const [at, cost] of history.slice(1)) path += `H${x(at)}V${y(cost)}`;
  const last = history[history.length - 1];
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const part = (name, attributes) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    svg.append(node);
  };
  part("path", { d: `${path}V${HEIGHT}H${x(history[0][0])}Z`, class: "cost-area" });
  part("path", { d: path, class: "cost-line", "vector-effect": "non-scaling-stroke" });
  part("line", { x1: x(last[0]), x2: WIDTH - EDGE, y1: y(last[1]), y2: y(last[1]), class: "cost-ahead", "vector-effect": "non-scaling-stroke" });
  element.replaceChildren(svg);
}

export const PHASES = {
  reading: () => _("Reading the day…"),
  departures: () => _("Choosing departures of the trunk runs…"),
  search: (p) => _("Searching: %(elapsed)s of %(seconds)s s", { elapsed: Math.round(p.elapsed_s || 0), seconds: p.seconds }),
  judging: () => _("Working out how sure the plan is…"),
  saving: () => _("Writing down the plan…"),
};

export function follow(planId) {
  const cost = document.getElementById("planning-cost");
  const left = document.getElementById("planning-left");
  const phase = document.getElementById("planning-phase");
  const bar = document.getElementById("planning-bar");
  const chart = document.getElementById("planning-chart");
  const stop = document.getElementById("stop-plan");

  const look = poll(async () => {
    const seen = await api(`/api/v1/plans/${planId}/progress`);
    if (seen.state !== "planning") {
      location.reload();
      return false;
    }
    const progress = (seen.job && seen.job.progress) || {};
    if (progress.cost !== undefined) cost.textContent = Math.round(progress.cost).toLocaleString();
    if (progress.unserved !== undefined) left.textContent = progress.unserved;
    if (seen.job && seen.job.stop_requested) phase.textContent = _("Stopping, the best plan is kept…");
    else if (PHASES[progress.phase]) phase.textContent = PHASES[progress.phase](progress);
    if (progress.seconds) bar.value = Math.min(100, (100 * (progress.elapsed_s || 0)) / progress.seconds);
    drawCurve(chart, progress.history || [], progress.seconds || 1);
    return true;
  }, 700);

  if (stop) {
    stop.addEventListener("click", async () => {
      stop.disabled = true;
      try {
        await api(`/api/v1/plans/${planId}/stop`, { method: "POST", body: {} });
        toast(_("Stopping, the best plan is kept…"), "info");
        look();
      } catch (error) {
        stop.disabled = false;
        if (error.code !== "plan_not_running") toastError(error);
      }
    });
  }
}
