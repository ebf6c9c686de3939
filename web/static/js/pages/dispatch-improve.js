/** Searches that run beside a draft: each with its falling cost and a stop button; what they found, to compare and take over. */
import { api } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { busy } from "../forms.js";
import { _ } from "../i18n.js";
import { toast, toastError } from "../toast.js";
import { km, minutes, poll } from "./dispatch-common.js";
import { drawCurve, PHASES } from "./dispatch-progress.js";

let list = [];
let mayEdit = () => false;
let draftId = null;
let ask = () => undefined;

const signed = (value, words) => `${value < 0 ? "−" : "+"}${words(Math.abs(value))}`;

function gainWords(gain) {
  if (!gain.unserved && !gain.distance_m && !gain.duration_s && !gain.couriers) return _("Nothing better was found than the plan it began from.");
  const parts = [signed(gain.distance_m, km), signed(gain.duration_s, minutes)];
  if (gain.couriers) parts.push(_("%(n)s couriers", { n: signed(gain.couriers, String) }));
  if (gain.unserved) parts.push(_("%(n)s left out", { n: signed(gain.unserved, String) }));
  return parts.join(" · ");
}

async function stop(button, one) {
  try {
    await busy(button, () => api(`/api/v1/plans/${one.id}/stop`, { method: "POST", body: {} }));
    toast(_("Stopping, the best plan is kept…"), "info");
    ask();
  } catch (error) {
    if (error.code !== "plan_not_running") toastError(error);
  }
}

function running(one) {
  const progress = (one.job && one.job.progress) || {};
  const chart = h("div", { class: "planning-chart planning-chart-small", role: "img", "aria-label": _("Cost of the best plan over time") });
  drawCurve(chart, progress.history || [], progress.seconds || 1);
  const words = one.job && one.job.stop_requested ? _("Stopping, the best plan is kept…") : PHASES[progress.phase] ? PHASES[progress.phase](progress) : _("Waiting for a worker…");
  return h("section", { class: "card improvement", "data-improvement": one.id, "data-state": "planning" },
    h("div", { class: "planning-now" },
      h("strong", {}, one.name || _("Searching on")),
      h("span", {}, h("span", { class: "muted" }, _("Best cost so far"), " "), h("strong", { class: "improve-cost" }, progress.cost === undefined ? "–" : Math.round(progress.cost).toLocaleString())),
      h("span", {}, h("span", { class: "muted" }, _("Left out"), " "), h("strong", {}, progress.unserved === undefined ? "–" : String(progress.unserved))),
      h("span", { class: "muted push" }, words),
      mayEdit() && h("button", { class: "btn btn-sm", type: "button", onclick: (event) => stop(event.currentTarget, one) }, icon("stop"), _("Stop and keep the best"))),
    chart);
}

function ended(one) {
  const better = one.gain.unserved < 0 || (one.gain.unserved === 0 && one.gain.cost < 0);
  return h("section", { class: `card improvement${better ? " improvement-better" : ""}`, "data-improvement": one.id, "data-state": "ready" },
    h("div", { class: "planning-now" },
      icon(better ? "check-circle" : "minus"),
      h("strong", {}, one.name || _("Plan %(id)s", { id: one.id })),
      h("span", {}, gainWords(one.gain)),
      h("span", { class: "row-sm push" },
        h("a", { class: "btn btn-sm", href: `/dispatch/compare?a=${draftId}&b=${one.id}` }, icon("swap"), _("Compare")),
        mayEdit() && h("button", { class: `btn btn-sm${better ? " btn-primary" : ""}`, type: "button", "data-edit": "take_over", "data-plan": one.id }, icon("check"), _("Take it over")))));
}

export function drawImprovements() {
  const place = document.getElementById("improvements");
  if (!place) return;
  const focused = document.activeElement && place.contains(document.activeElement);
  if (focused && list.every((one) => one.state === "ready") && place.childElementCount === list.length) return; // nothing moves under a finger
  fill(place, list.map((one) => (one.state === "planning" ? running(one) : ended(one))));
}

/** Asks every second while something runs, else every three: also whether somebody else changed the draft. */
export function watchImprovements({ planId, mayEdit: may, revision, moved }) {
  draftId = planId;
  mayEdit = may;
  let known = "";
  ask = poll(async () => {
    const seen = await api(`/api/v1/plans/${planId}/progress`);
    const now = JSON.stringify(seen.improvements);
    list = seen.improvements;
    if (now !== known) drawImprovements();
    known = now;
    if (seen.state !== "ready") {
      location.reload();
      return false;
    }
    if (seen.revision > revision()) await moved();
    return true;
  }, 1500);
}

export function wireImprove({ planId, revision }) {
  const button = document.getElementById("improve");
  if (!button) return;
  button.addEventListener("click", async () => {
    const seconds = Number(document.getElementById("improve-seconds").value);
    try {
      await busy(button, () => api(`/api/v1/plans/${planId}/improve`, { body: { seconds, revision: revision() } }));
      ask();
    } catch (error) {
      toastError(error);
    }
  });
}
