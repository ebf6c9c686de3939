/**
 * The giver signs on his own device: a code for the taker to scan, the counts, and one signature under all boxes.
 * openGive({loads: [{number, box, count, to}], meaning, couriers: [{username, name}], site}) resolves true once signed.
 */
import { createAct, answerFor } from "./acts.js";
import { css } from "./css.js";
import { fill, h, icon } from "./dom.js";
import { RENEW_MS, describe, draw, stockUp, takeOffer } from "./handover-offer.js";
import { _ } from "./i18n.js";
import { add } from "./outbox.js";
import { toast } from "./toast.js";

const ANSWER_MS = 6000;

export const STYLE = new URL("../css/pages/give.css", import.meta.url).href;
export const PARTS = ["./handover-offer.js", "./hmac.js", "../vendor/lean-qr/lean-qr.js"].map((path) => new URL(path, import.meta.url).href);

export function openGive(options) {
  css(STYLE);
  return new Giving(options).open();
}

class Giving {
  constructor({ loads, meaning, couriers = [], site }) {
    Object.assign(this, { all: loads, meaning, couriers, site, other: "", signed: false });
    this.counts = Object.fromEntries(loads.map((load) => [load.number, load.count]));
    this.chosen = new Set(loads.map((load) => load.number));
  }

  get loads() {
    return this.all.filter((load) => this.chosen.has(load.number)).map((load) => ({ number: load.number, count: this.counts[load.number] }));
  }

  async open() {
    await stockUp();
    this.offer = takeOffer();
    this.canvas = h("canvas", { class: "offer-code", role: "img", "aria-label": _("Code for the one who takes the boxes") });
    this.list = h("div", { class: "stack-sm" });
    this.button = h("button", { class: "btn btn-primary btn-thumb", type: "button", onclick: () => this.sign() });
    const id = `give-${Math.random().toString(36).slice(2, 8)}`;
    this.dialog = h("dialog", { class: "dialog give", "aria-labelledby": id },
      h("div", { class: "dialog-head" }, h("h2", { id }, _("Hand over on this device")), h("button", { class: "btn btn-quiet btn-icon", type: "button", "data-close": true, "aria-label": _("Close") }, icon("cross"))),
      h("div", { class: "dialog-body stack" }, this.offer ? null : h("div", { class: "notice tone-warn" }, icon("offline"), h("div", { class: "notice-body" }, _("No code is left on this device. Sign on the taker’s screen with the PIN, or come back when there is a signal."))), this.list, this.offer ? this.codePart() : null, this.takerPart()),
      h("div", { class: "dialog-foot" }, this.button));
    this.paint();
    document.body.append(this.dialog);
    this.dialog.showModal();
    const renewing = setInterval(() => this.drawCode(), RENEW_MS);
    await new Promise((done) => this.dialog.addEventListener("close", done, { once: true }));
    clearInterval(renewing);
    this.dialog.remove();
    return this.signed;
  }

  codePart() {
    return h("div", { class: "offer" }, this.canvas,
      h("p", { class: "muted center" }, _("The one who takes the boxes scans this. It holds numbers and counts, no names, and signs nothing.")));
  }

  takerPart() {
    if (!this.couriers.length) return null;
    return h("label", { class: "field" }, h("span", { class: "label" }, _("Who takes it? (may stay open)")),
      h("select", { class: "select", name: "taker", onchange: (event) => { this.other = event.target.value; } },
        h("option", { value: "" }, _("Whoever scans the code")), this.couriers.map((one) => h("option", { value: one.username }, one.name))));
  }

  paint() {
    fill(this.list, this.all.map((load) => this.row(load)));
    const tubes = this.loads.reduce((sum, load) => sum + load.count, 0);
    fill(this.button, icon("signature"), h("span", {}, _("I have handed over: %(boxes)s boxes, %(tubes)s tubes", { boxes: this.loads.length, tubes })));
    this.button.disabled = !this.offer || !this.loads.length;
    this.drawCode();
  }

  /** A code is good for a short time only: what is on the screen is never old. */
  drawCode() {
    if (!this.offer || !this.loads.length) return;
    draw(this.canvas, describe(this.offer, this.meaning, this.loads)).catch(() => toast(_("The code could not be drawn. Sign on the taker’s screen with the PIN."), "danger"));
  }

  /** A box that goes along, and how many tubes: one less for every tube that the taker refuses. */
  row(load) {
    const { number } = load;
    const count = this.counts[number];
    const change = (step) => { this.counts[number] = Math.max(0, Math.min(load.count, count + step)); this.paint(); };
    const goes = this.chosen.has(number);
    return h("div", { class: `give-row${goes ? "" : " is-off"}`, "data-give-row": number },
      h("label", { class: "check" }, h("input", { type: "checkbox", checked: goes || null, onchange: (event) => { if (event.target.checked) this.chosen.add(number); else this.chosen.delete(number); this.paint(); } }),
        h("span", {}, h("code", { class: "strong" }, load.box), h("span", { class: "cell-sub" }, load.to))),
      h("div", { class: "give-count" },
        h("button", { class: "btn btn-icon", type: "button", disabled: !goes || count <= 0 || null, "aria-label": _("One tube less in %(box)s", { box: load.box }), onclick: () => change(-1) }, icon("minus")),
        h("b", {}, String(count)),
        h("button", { class: "btn btn-icon", type: "button", disabled: !goes || count >= load.count || null, "aria-label": _("One tube more in %(box)s", { box: load.box }), onclick: () => change(1) }, icon("plus"))),
      goes && count < load.count ? h("p", { class: "text-warn" }, _("%(n)s of %(m)s: %(refused)s stay here.", { n: count, m: load.count, refused: load.count - count })) : null);
  }

  async sign() {
    this.button.disabled = true;
    const loads = this.loads;
    const act = signAct({ id: this.offer.id, meaning: this.meaning, loads, site: this.site, other: this.other });
    const answered = answerFor(act.id, ANSWER_MS);
    await add(act, { place: this.site });
    this.tell(await answered);
  }

  tell(answer) {
    if (answer && !["done", "duplicate"].includes(answer.status)) {
      toast(answer.sentence, "danger");
      this.button.disabled = false;
      return;
    }
    this.signed = true;
    toast(answer ? _("Signed. The taker’s signature makes it complete.") : _("Signed. It is kept on this device and sent as soon as there is a signal."), answer ? "ok" : "warn", { timeout: 8000 });
    this.dialog.close();
  }
}

/** The giver's half as an act. */
export function signAct({ id, meaning, loads, site, other = "", position = null }) {
  const payload = { handover_id: id, meaning, counts: Object.fromEntries(loads.map((load) => [load.number, load.count])) };
  if (other) payload.other = other;
  return createAct("sign_handover", { subject: { consignments: loads.map((load) => load.number) }, how: "typed", site, position, payload });
}
