/** One box for an external laboratory: release it with two signatures, or confirm what arrived. */
import { submit } from "../acts.js";
import { ready, _ } from "../i18n.js";
import { went } from "./office.js";

const value = (form, name) => (form.elements[name] ? form.elements[name].value.trim() : "");

function say(form, text) {
  const place = form.querySelector("[data-trouble]");
  place.textContent = text;
  place.hidden = !text;
  if (text) place.scrollIntoView({ block: "nearest" });
}

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

function lacking(payload, form) {
  if (value(form, "count") === "") return _("State how many tubes you counted.");
  const needed = "other" in payload ? [payload.other, payload.pin] : [payload.taker_name, payload.taker_organisation, payload.witness, payload.pin];
  return needed.every(Boolean) ? "" : _("Both sides must sign: fill in every field.");
}

async function send(form, type, options) {
  const button = form.querySelector("[type=submit]");
  button.setAttribute("aria-busy", "true");
  const answer = await submit(type, { subject: { consignment: form.dataset.number }, site: form.dataset.site, ...options });
  button.removeAttribute("aria-busy");
  if (went(answer)) location.reload();
  else say(form, answer.sentence);
}

async function release(form) {
  const payload = releasing(form);
  const trouble = lacking(payload, form);
  say(form, trouble);
  if (!trouble) await send(form, "release_send_out", { payload });
}

async function confirm(form) {
  const payload = { condition: value(form, "condition"), missing: Array.from(form.querySelectorAll("[name=missing]:checked"), (box) => box.value) };
  if (form.elements.received_by) payload.received_by = value(form, "received_by");
  const trouble = !payload.condition ? _("Say the condition.") : "received_by" in payload && !payload.received_by ? _("Type the name that stands on the paper.") : "";
  say(form, trouble);
  if (!trouble) await send(form, "confirm_send_out", { payload, how: form.dataset.how });
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
