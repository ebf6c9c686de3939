/** What the receiving desk asks before it acts. Each resolves with the answer, or null / false when it was cancelled. */
import { present } from "../ask.js";
import { confirmDialog } from "../dialog.js";
import { fill, h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { wirePhoto } from "../photo.js";
import { startKeys } from "./keys.js";
import { doubt } from "./receiver-view.js";

const photos = new Map(); // one a form

/** The photo of a form, emptied for a new question; kept where the question comes again. */
export function photoOf(form, again = null) {
  if (!photos.has(form)) photos.set(form, wirePhoto(form));
  if (!again) photos.get(form).reset();
  return photos.get(form);
}

/** Tests of the tube that may be rejected alone: two or more that are still wanted. */
function offerTests(dialog, kind, tube) {
  const left = (tube.ordered || []).filter((one) => !one.reason);
  const area = dialog.querySelector("[data-only-tests]");
  area.hidden = kind !== "reject" || left.length < 2;
  fill(dialog.querySelector("[data-tests]"), area.hidden ? [] : left.map((one) => h("label", { class: "choice" }, h("input", { type: "checkbox", name: "test", value: one.code, onkeydown: (event) => event.key === "Enter" && event.preventDefault() }), h("span", {}, one.name))));
}

/** Ask for a coded reason: keys 1 to 9, a touch, or a scanned command. refused: what was said before was, and why. */
export function askReason(kind, tube, all, refused = null) {
  const reasons = kind === "reject" ? all : all.filter((one) => one.concession);
  const dialog = document.getElementById("reason-dialog");
  const form = document.getElementById("reason-form");
  dialog.querySelector("h2").textContent = kind === "reject" ? _("Reject, because …") : _("Accept with concession, although …");
  fill(dialog.querySelector("[data-reason-text]"), h("code", { class: "strong" }, tube.accession), " ", tube.tests.join(_(", ")));
  const button = (reason) => h("button", { class: "btn reason", type: "submit", value: reason.code }, reason.key ? h("kbd", {}, String(reason.key)) : null, h("span", {}, reason.name));
  fill(dialog.querySelector("[data-reason-grid]"), reasons.map(button));
  if (!refused) offerTests(dialog, kind, tube);
  const photo = photoOf(form, refused);
  return new Promise((resolve) => {
    // A tube scanned by mistake while this is open types digits, too: only a key that stands alone is an answer.
    const stop = startKeys(Object.fromEntries(reasons.filter((one) => one.key).map((one) => [`Digit${one.key}`, () => dialog.close(one.code)])), { target: dialog, inDialog: true });
    dialog.addEventListener("close", () => {
      stop();
      resolve(dialog.returnValue ? { reason: dialog.returnValue, note: form.elements.note.value, tests: Array.from(form.querySelectorAll("[name=test]:checked"), (box) => box.value), photo } : null);
    }, { once: true });
    present(dialog, form, refused);
    if (!refused) dialog.querySelector("[data-reason-text]").focus();
  });
}

/** What is done about the whole box: {decision, reason, note, photo}, or null. Nothing is chosen beforehand. */
export function askBox(all, boxCode, waiting, refused = null) {
  const dialog = document.getElementById("box-dialog");
  const form = document.getElementById("box-form");
  const select = form.elements.reason;
  if (!refused) form.reset();
  const photo = photoOf(form, refused);
  const count = () => {
    const decision = form.elements.decision.value;
    const fitting = all.filter((one) => one.uses.includes(decision));
    const kept = select.value;
    fill(select, h("option", { value: "" }, decision ? _("Choose the reason") : _("Choose what is to be done first")), fitting.map((one) => h("option", { value: one.code }, one.name)));
    select.disabled = !decision;
    select.value = fitting.some((one) => one.code === kept) ? kept : "";
    const tubes = waiting(decision);
    dialog.querySelector("[data-box-count]").textContent = !decision ? "" : decision === "box" ? _("No tube is changed by it.") : _("%(n)s received tubes that are not decided.", { n: tubes.length });
    dialog.querySelector("[data-box-button]").textContent = { hold: _("%(n)s tubes on hold", { n: tubes.length }), concession: _("Accept %(n)s with concession", { n: tubes.length }), reject: _("Reject %(n)s tubes", { n: tubes.length }) }[decision] || _("Put on record");
  };
  fill(dialog.querySelector("[data-box-text]"), h("code", { class: "strong" }, boxCode));
  form.addEventListener("change", count);
  count();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      form.removeEventListener("change", count);
      const { decision, reason, note } = Object.fromEntries(new FormData(form));
      resolve(dialog.returnValue === "yes" ? { decision, reason, note, photo } : null);
    }, { once: true });
    present(dialog, form, refused);
    if (!refused) form.querySelector("[name=decision]").focus();
  });
}

/** The condition of a tube that turned up: stated, never assumed. Null when it was cancelled. */
export function askCondition(title, text) {
  return new Promise((resolve) => {
    let stated = null;
    const element = h("dialog", { class: "dialog", "aria-labelledby": "condition-title" });
    const button = (value, label, name) => h("button", { class: "btn btn-thumb", type: "button", onclick: () => { stated = value; element.close(); } }, icon(name), label);
    element.append(h("div", { class: "dialog-head" }, h("h2", { id: "condition-title" }, title)),
      h("div", { class: "dialog-body stack" }, h("p", {}, text), h("p", { class: "label" }, _("Condition")), h("div", { class: "choice-grid" }, button("good", _("Good"), "check-circle"), button("damaged", _("Damaged"), "warning"), button("leaked", _("Leaked"), "warning"))),
      h("div", { class: "dialog-foot" }, h("button", { class: "btn", type: "button", onclick: () => element.close() }, _("Cancel"))));
    element.addEventListener("close", () => { element.remove(); resolve(stated); });
    document.body.append(element);
    element.showModal();
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
