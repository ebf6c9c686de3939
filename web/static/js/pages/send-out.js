/** One box for an external laboratory: release it with two signatures, or confirm what arrived. */
import { submit } from "../acts.js";
import { busy, clearErrors, showFieldError } from "../forms.js";
import { ready, _ } from "../i18n.js";
import { went } from "./office.js";

const value = (form, name) => (form.elements[name] ? form.elements[name].value.trim() : "");

/** Beside the field it is about, else below the form; "" clears both. */
function say(form, text, field = "") {
  clearErrors(form);
  const beside = Boolean(text && field && showFieldError(form, field, text));
  const place = form.querySelector("[data-trouble]");
  place.textContent = beside ? "" : text;
  place.hidden = !text || beside;
  if (!place.hidden) place.scrollIntoView({ block: "nearest" });
}

/** The field of the form that an act's field was typed into: two people may sign, each with a PIN. */
const typedInto = (form, field) => (field === "pin" ? (value(form, "who") === "account" ? "other_pin" : "witness_pin") : field);

function showWho(form) {
  for (const part of form.querySelectorAll("[data-who]")) part.hidden = part.dataset.who !== value(form, "who");
}

function releasing(form) {
  const payload = { count: Number(value(form, "count")) };
  const temp = value(form, "box_temp_c").replace(",", ".");
  if (temp) payload.box_temp_c = temp;
  if (value(form, "who") === "account") return Object.assign(payload, { other: value(form, "other"), pin: value(form, "other_pin") });
  return Object.assign(payload, { taker_name: value(form, "taker_name"), taker_organisation: value(form, "taker_organisation"), witness: value(form, "witness"), pin: value(form, "witness_pin") });
}

/** The first field that is empty. */
const lacking = (payload, form) => (value(form, "count") === "" ? "count" : (("other" in payload) ? ["other", "pin"] : ["taker_name", "taker_organisation", "witness", "pin"]).find((name) => !payload[name]));

async function send(form, type, options) {
  const sent = { subject: { consignment: form.dataset.number }, site: form.dataset.site, ...options };
  const answer = await busy(form.querySelector("[type=submit]"), () => submit(type, sent));
  if (went(answer)) location.reload();
  else say(form, answer.sentence, typedInto(form, answer.field));
}

async function release(form) {
  const payload = releasing(form);
  const empty = lacking(payload, form);
  say(form, empty === "count" ? _("State how many tubes you counted.") : empty ? _("Both sides must sign: fill in every field.") : "", typedInto(form, empty));
  if (!empty) await send(form, "release_send_out", { payload });
}

async function confirm(form) {
  const payload = { condition: value(form, "condition"), missing: Array.from(form.querySelectorAll("[name=missing]:checked"), (box) => box.value) };
  if (form.elements.received_by) payload.received_by = value(form, "received_by");
  const empty = !payload.condition ? "condition" : payload.received_by === "" ? "received_by" : "";
  say(form, empty && (empty === "condition" ? _("Say the condition.") : _("Type the name that stands on the paper.")), empty);
  if (!empty) await send(form, "confirm_send_out", { payload, how: form.dataset.how });
}

async function start() {
  await ready;
  const forms = { release, confirm };
  for (const [id, work] of Object.entries(forms)) {
    const form = document.getElementById(id);
    if (!form) continue;
    form.addEventListener("submit", (event) => { event.preventDefault(); work(form).catch((error) => say(form, String(error))); });
    form.addEventListener("change", () => form.elements.who && showWho(form));
  }
  document.documentElement.dataset.sendOut = "1";
}

start().catch((error) => console.error("send-out", error));
