/** What is rare at a stop: a broken seal, and a box that is left where it does not belong. */
import { fill, h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { toast } from "../toast.js";
import { own } from "./courier-words.js";
import { sheet } from "./courier-sheet.js";

const place = () => document.getElementById("visit-ask");
const went = (answer) => ["done", "duplicate", "waiting"].includes(answer.status);

/** The seal is broken or another one: told at once, and a new one may go on. */
export function openSeal(visit, load) {
  const { day } = visit.app;
  const reasons = day.seal_reasons || [];
  const trouble = h("p", { class: "field-error", role: "alert", hidden: true });
  const form = h("form", { class: "stack", id: "seal-form", novalidate: true },
    h("fieldset", { class: "choice-grid" }, h("legend", { class: "label" }, _("What is wrong with the seal of %(box)s?", { box: load.box })),
      reasons.map((reason, index) => h("label", { class: "choice" }, h("input", { type: "radio", name: "reason", value: reason.code, checked: index === 0 || null }), h("span", {}, own(reason))))),
    h("label", { class: "field" }, h("span", { class: "label" }, _("Number of the seal that is on it (if there is one)")), h("input", { class: "input input-lg input-code", name: "seen", maxlength: 32, autocapitalize: "characters", autocomplete: "off", spellcheck: "false" })),
    h("label", { class: "field" }, h("span", { class: "label" }, _("Number of a new seal that you put on (may stay open)")), h("input", { class: "input input-lg input-code", name: "fresh", maxlength: 32, autocapitalize: "characters", autocomplete: "off", spellcheck: "false" })),
    h("label", { class: "field" }, h("span", { class: "label" }, _("Note")), h("input", { class: "input input-lg", name: "note", maxlength: 400, autocomplete: "off" })),
    trouble);
  const button = h("button", { class: "btn btn-danger btn-thumb", type: "submit", form: "seal-form" }, icon("seal"), _("Put on record"));
  const opened = sheet(_("Seal of %(box)s", { box: load.box }), form, [button]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const { reason, seen, fresh, note } = Object.fromEntries(new FormData(form));
    const answer = await report(visit, load, { reason, seen: seen.trim().toUpperCase(), fresh: fresh.trim().toUpperCase(), note: note.trim() });
    button.disabled = false;
    trouble.hidden = went(answer);
    trouble.textContent = went(answer) ? "" : answer.sentence;
    if (!went(answer)) return;
    toast(_("On record. The laboratory is told."), "warn");
    opened.close();
    visit.paint();
  });
}

async function report(visit, load, { reason, seen, fresh, note }) {
  const more = { subject: load.number ? { consignment: load.number } : { box: load.box }, site: visit.stop.site };
  const told = await visit.app.act("seal_broken", { ...more, payload: { reason, note, ...(seen ? { seal: seen } : {}) } });
  if (!went(told) || !fresh) return told;
  return visit.app.act("reseal", { ...more, payload: { seal: fresh, reason, note } });
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
