/** What the receiving desk asks before it acts. Each resolves with the answer, or null / false when it was cancelled. */
import { confirmDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { _ } from "../i18n.js";
import { startKeys } from "./keys.js";
import { doubt } from "./receiver-view.js";

/** Ask for a coded reason: keys 1 to 9, a touch, or a scanned command. */
export function askReason(kind, tube, all) {
  const reasons = kind === "reject" ? all : all.filter((one) => one.concession);
  const dialog = document.getElementById("reason-dialog");
  const form = document.getElementById("reason-form");
  dialog.querySelector("h2").textContent = kind === "reject" ? _("Reject, because …") : _("Accept with concession, although …");
  fill(dialog.querySelector("[data-reason-text]"), h("code", { class: "strong" }, tube.accession), " ", tube.tests.join(_(", ")));
  const button = (reason) => h("button", { class: "btn reason", type: "submit", value: reason.code }, reason.key ? h("kbd", {}, String(reason.key)) : null, h("span", {}, reason.name));
  fill(dialog.querySelector("[data-reason-grid]"), reasons.map(button));
  form.reset();
  dialog.returnValue = "";
  return new Promise((resolve) => {
    // A tube scanned by mistake while this is open types digits, too: only a key that stands alone is an answer.
    const stop = startKeys(Object.fromEntries(reasons.filter((one) => one.key).map((one) => [`Digit${one.key}`, () => dialog.close(one.code)])), { target: dialog, inDialog: true });
    dialog.addEventListener("close", () => {
      stop();
      resolve(dialog.returnValue ? { reason: dialog.returnValue, note: form.elements.note.value } : null);
    }, { once: true });
    dialog.showModal();
    dialog.querySelector("[data-reason-text]").focus();
  });
}

/** All good ones at once; what stays open is named with what stands against it. */
export function askAccept(good, rest, site) {
  const list = rest.length ? [h("p", {}, _("These stay open:")), h("ul", { class: "stack-sm" }, rest.map((tube) => h("li", {}, h("code", {}, tube.accession), ` – ${doubt(tube, site)}`)))] : [];
  return confirmDialog({ title: _("Accept %(n)s tubes?", { n: good.length }), text: [h("p", {}, _("All of them are in good condition, not on hold and within their stability.")), ...list], action: _("Accept %(n)s tubes", { n: good.length }) });
}

/** Tubes to declare missing, by name: those that stay ticked, or null. */
export async function askMissing(open, name, boxCode) {
  const list = h("ul", { class: "missing-list" }, open.map((tube) => h("li", {}, h("label", { class: "check" }, h("input", { type: "checkbox", value: tube.id, checked: true }), h("code", { class: "strong" }, tube.accession), h("span", {}, tube.tests.join(_(", ")))))));
  const sure = await confirmDialog({ title: _("Declare missing"), text: [h("p", { class: "text-lg" }, _("I, %(name)s, have looked: these tubes are not in box %(box)s.", { name, box: boxCode })), list], action: _("They are missing"), danger: true });
  if (!sure) return null;
  const chosen = new Set(Array.from(list.querySelectorAll("input:checked"), (input) => Number(input.value)));
  return open.filter((tube) => chosen.has(tube.id));
}
