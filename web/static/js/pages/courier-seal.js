/** What is rare at a stop: a broken seal, and a box that is left where it does not belong. */
import { fill, h, icon } from "../dom.js";
import { busy, clearErrors, showFieldError } from "../forms.js";
import { _ } from "../i18n.js";
import { toast } from "../toast.js";
import { own } from "./courier-words.js";
import { sheet } from "./courier-sheet.js";

const place = () => document.getElementById("visit-ask");
const went = (answer) => ["done", "duplicate", "waiting"].includes(answer.status);
const CODE = { class: "input input-lg input-code", maxlength: 32, autocapitalize: "characters", spellcheck: "false" };
// Which field of the form holds what an act calls its seal.
const TOLD = { seal: "seen" };
const PUT_ON = { seal: "fresh" };

const note = (name) => h("span", { id: `seal-${name}-note`, "data-error-for": name, class: "field-hint", hidden: true });
const field = (name, label, attributes) => h("div", { class: "field" }, h("label", { for: `seal-${name}` }, label),
  h("input", { id: `seal-${name}`, name, autocomplete: "off", ...attributes }), note(name));

/** The seal is broken or another one: told at once, and a new one may go on. */
export function openSeal(visit, load) {
  const trouble = h("p", { class: "field-error", role: "alert", hidden: true });
  const form = h("form", { class: "stack", id: "seal-form", novalidate: true },
    h("fieldset", { class: "choice-grid" }, h("legend", { class: "label" }, _("What is wrong with the seal of %(box)s?", { box: load.box })),
      (visit.app.day.seal_reasons || []).map((reason, index) => h("label", { class: "choice" }, h("input", { type: "radio", name: "reason", value: reason.code, checked: index === 0 || null }), h("span", {}, own(reason)))), note("reason")),
    field("seen", _("Number of the seal that is on it (if there is one)"), CODE),
    field("fresh", _("Number of a new seal that you put on (may stay open)"), CODE),
    field("note", _("Note"), { class: "input input-lg", maxlength: 400 }),
    trouble);
  const button = h("button", { class: "btn btn-danger btn-thumb", type: "submit", form: "seal-form" }, icon("seal"), _("Put on record"));
  const opened = sheet(_("Seal of %(box)s", { box: load.box }), form, [button]);
  const report = reporting(visit, load);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { reason, seen, fresh, note: said } = Object.fromEntries(new FormData(form));
    const stated = { reason, seen: seen.trim().toUpperCase(), fresh: fresh.trim().toUpperCase(), note: said.trim() };
    const { answer, names } = await busy(button, () => report(stated));
    clearErrors(form);
    const beside = !went(answer) && showFieldError(form, names[answer.field] || answer.field, answer.sentence);
    trouble.hidden = went(answer) || beside;
    trouble.textContent = trouble.hidden ? "" : answer.sentence;
    if (!went(answer)) return;
    toast(_("On record. The laboratory is told."), "warn");
    opened.close();
    visit.paint();
  });
}

/** Gives what states the facts on record. What was told already is not told again when only the new seal was refused. */
function reporting(visit, load) {
  const more = { subject: load.number ? { consignment: load.number } : { box: load.box }, site: visit.stop.site };
  let before = "";
  let told = null;
  return async ({ reason, seen, fresh, note: said }) => {
    const facts = JSON.stringify([reason, seen, said]);
    if (facts !== before) {
      told = await visit.app.act("seal_broken", { ...more, payload: { reason, note: said, ...(seen ? { seal: seen } : {}) } });
      before = went(told) ? facts : "";
    }
    if (!fresh || !before) return { answer: told, names: TOLD };
    return { answer: await visit.app.act("reseal", { ...more, payload: { seal: fresh, reason, note: said } }), names: PUT_ON };
  };
}

/** A box for another place: left in the car, or handed in here on purpose, with a coded reason. */
export function askElsewhere(visit, load, how) {
  const { day } = visit.app;
  const choose = async (reason) => {
    fill(place());
    await visit.addBox(load, how, { elsewhere: reason });
  };
  return h("div", { class: "notice tone-warn" }, icon("route"), h("details", { class: "notice-body stack-sm" },
    h("summary", { "data-key": `elsewhere-${load.box}` }, _("It cannot go there: hand %(box)s in here, because …", { box: load.box })),
    h("p", {}, _("It stays sealed, waits here and goes on later. The laboratory and dispatch are told.")),
    (day.diversions || []).map((reason) => h("button", { class: "btn btn-block", type: "button", "data-elsewhere": reason.code, onclick: () => choose(reason.code) }, own(reason)))));
}
