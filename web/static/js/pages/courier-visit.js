/** At a stop: the camera stays open; boxes first, then tubes that belong to them; then one signature for all of it. */
import { formatTime } from "../clock.js";
import { confirmDialog } from "../dialog.js";
import { chip, fill, h, icon } from "../dom.js";
import { _ } from "../i18n.js";
import { createScanPanel } from "../scan-panel.js";
import { readOffer } from "../handover-offer.js";
import { arrive } from "./courier-today.js";
import { expected, findStop, meaningOf, mostUrgent, standsAt, tubeCount } from "./courier-model.js";
import { differences, meaning, tailCheck } from "./courier-rules.js";
import { askElsewhere, openSeal } from "./courier-seal.js";
import { openSign } from "./courier-sign.js";
import { openTubes } from "./courier-tubes.js";
import * as store from "./courier-store.js";
import { amount, bandOf, classChip, coldSteps, outside, siteName, swap, tempBadge, useByChip, waitingChip } from "./courier-words.js";

const SHORTEST = 6; // what is left of a broken burst is no label
const part = (id) => document.getElementById(id);
let panel = null;
let current = null; // the visit that the one scan panel works for

function scanPanel() {
  if (panel) return panel;
  const root = part("visit-scan");
  panel = createScanPanel(root, {
    onScan: (code, how) => (current ? current.scan(code, how) : null),
    validate: (code) => Boolean(current) && code.length >= SHORTEST && !document.querySelector("dialog[open]"),
  });
  const view = root.querySelector("[data-scan-view]");
  const video = view.querySelector("video");
  video.addEventListener("playing", () => view.classList.add("is-live"));
  video.addEventListener("emptied", () => view.classList.remove("is-live"));
  return panel;
}

function closeCamera() {
  if (panel && panel.scanner && panel.scanner.running) part("visit-scan").querySelector("[data-scan-camera]").click();
}

export class Visit {
  /** The visit of this key, or null when there is no such stop. */
  static open(app, key) {
    const stop = findStop(app.day, key);
    if (!stop) return null;
    const visit = new Visit(app, key);
    current = visit;
    fill(part("visit-ask"));
    scanPanel().show({ code: _("Ready to scan"), sentence: _("Scan the box first.") });
    return visit;
  }

  constructor(app, key) {
    this.app = app;
    this.key = key;
    this.note = app.visits.get(key) || { key, boxes: {}, current: null };
  }

  leave() {
    closeCamera();
    current = null;
    return null;
  }

  get stop() { return findStop(this.app.day, this.key); }

  async save() {
    this.note.touched = Date.now();
    this.app.visits.set(this.key, this.note);
    await store.saveVisit(this.note);
    this.paint();
  }

  /** One label: what it means here, kept at once, told in colour, tone and one sentence. */
  async scan(text, { how, kind }) {
    fill(part("visit-ask"));
    if (kind === "offer") return this.takeOffer(text);
    if (kind === "seal" && this.note.boxes[this.note.current]) return this.takeSeal(text);
    const found = meaning(this.app.day, this.stop.site, this.note, text, kind);
    if (found.what === "box") await this.addBox(found.load, how);
    if (found.what === "box_again") this.note.current = found.load.box;
    if (found.what === "tube") {
      this.note.boxes[found.load.box].tubes[found.code] = how;
      this.note.current = found.load.box;
      await this.save();
    }
    if (found.what === "box_unknown") this.offer(found.code, how);
    if (found.what === "box_aboard") fill(part("visit-ask"), askElsewhere(this, found.load, how));
    this.paint();
    return this.face(found);
  }

  /** The giver's code: what he gives, and the id that both signatures carry. The boxes themselves are scanned, too. */
  async takeOffer(text) {
    const offer = readOffer(text);
    if (!offer) return { tone: "danger", icon: "cross-circle", sound: "wrong", code: _("Handover code"), sentence: _("This code cannot be read. Ask the giver to show it again.") };
    this.note.offer = { ...offer, at: offer.at.toISOString() };
    await this.save();
    const tubes = offer.loads.reduce((sum, load) => sum + load.count, 0);
    const { parts } = differences(this.app.day, this.stop.site, this.note);
    const ready = offer.loads.every((load) => parts.some((one) => one.load.number === load.number));
    return { tone: "ok", icon: "signature", sound: "ok", code: _("Handover code"), sentence: [_("Boxes %(boxes)s, tubes %(tubes)s.", { boxes: offer.loads.length, tubes }), ready ? _("All scanned: sign now.") : _("Scan the boxes, then sign.")].join(" ") };
  }

  /** The seal on the box in hand: what it says goes on record, right or wrong. */
  async takeSeal(text) {
    const scan = this.note.boxes[this.note.current];
    const load = this.app.day.loads.find((one) => one.box === this.note.current);
    scan.seal = text;
    await this.save();
    const known = load && load.seal_check !== null && load.seal_check !== undefined;
    if (known && tailCheck(text) !== load.seal_check) return { tone: "danger", icon: "seal", sound: "wrong", code: text, sentence: _("Another seal than the one on record for %(box)s. It is put on record when you sign.", { box: this.note.current }) };
    return { tone: "ok", icon: "seal", sound: "ok", code: text, sentence: _("Seal of %(box)s noted.", { box: this.note.current }) };
  }

  async addBox(load, how, more = {}) {
    this.note.boxes[load.box] = { ...more, how, tubes: {}, refused: {}, there: {}, unknown: Boolean(load.unknown), number: load.number || null, temp: "", count: null };
    this.note.current = load.box;
    await this.save();
  }

  face({ what, load, code }) {
    const day = this.app.day;
    const site = (which) => siteName(day, which);
    const ok = (sentence) => ({ tone: "ok", icon: "check-circle", sound: "ok", code, sentence });
    const again = (sentence) => ({ tone: "warn", icon: "check", sound: "already", code, sentence });
    const wrong = (sentence) => ({ tone: "danger", icon: "cross-circle", sound: "wrong", code, sentence });
    const scan = load && this.note.boxes[load.box];
    const says = {
      box: () => ok(_("Box %(box)s, tubes on the manifest: %(n)s.", { box: load.box, n: tubeCount(load) })),
      box_again: () => again(_("Already scanned.")),
      tube: () => ok(_("%(n)s of %(m)s in box %(box)s.", { n: Object.keys(scan.tubes).length, m: tubeCount(load), box: load.box })),
      tube_again: () => again(_("Already scanned; it is not counted twice.")),
      box_first: () => wrong(_("This tube belongs to box %(box)s. Scan that box first.", { box: load.box })),
      box_aboard: () => wrong(_("Not for this stop: it goes to %(site)s. Leave it in the car.", { site: load.destination ? site(load.destination) : "–" })),
      box_elsewhere: () => wrong(_("Not for this stop: on record it stands at %(site)s. Do not take it; call dispatch.", { site: site(standsAt(load)) })),
      box_given: () => again(_("You have handed this box over already.")),
      tube_elsewhere: () => wrong(_("Not for this stop: the tube belongs to box %(box)s. Give it to the staff here.", { box: load.box })),
      box_unknown: () => ({ tone: "warn", icon: "question", sound: "already", code, sentence: _("This phone does not know this box.") }),
      tube_unknown: () => wrong(_("Not for this stop: it is on no manifest that this phone knows. Give it to the staff here.")),
    };
    return says[what]();
  }

  /** A box sealed after the phone last heard of the day: taken on the courier's word, checked when it is sent. */
  offer(code, how) {
    fill(part("visit-ask"), h("div", { class: "notice tone-warn" }, icon("question"), h("div", { class: "notice-body stack-sm" },
      h("p", {}, _("It may have been sealed after the phone was last in contact. Take it only if the staff hand it to you; the server checks it later.")),
      h("div", { class: "row-sm" },
        h("button", { class: "btn btn-primary", type: "button", onclick: async () => { fill(part("visit-ask")); await this.addBox({ box: code, unknown: true }, how); } }, _("Take it")),
        h("button", { class: "btn", type: "button", onclick: () => this.app.reload().then(() => fill(part("visit-ask"))) }, icon("sync"), _("Ask the server"))))));
  }

  paint() {
    const { stop } = this;
    if (!stop) return;
    const day = this.app.day;
    const { parts, missing } = differences(day, stop.site, this.note);
    const past = day.handovers.filter((one) => one.site === stop.site);
    swap(part("visit-head"), this.head(stop, parts, missing, past));
    part("visit-scan-slot").hidden = !(parts.length || missing.length) && past.length > 0;
    this.count(parts, missing);
    swap(part("visit-boxes"), [
      ...parts.map((one) => this.boxCard(one.load, one)),
      ...missing.map((load) => this.boxCard(load, null)),
      ...past.map((one) => this.pastCard(one)),
      !parts.length && !missing.length && !past.length ? h("p", { class: "muted" }, _("No box is expected here. If there is one, scan it.")) : null,
    ]);
    swap(part("visit-dock"), this.dock(stop, parts, missing));
  }

  pastCard(one) {
    const said = [one.consignment, formatTime(one.at), _("Tubes: %(n)s", { n: one.tubes }), one.refused ? _("refused: %(n)s", { n: one.refused }) : null];
    return h("div", { class: "notice tone-ok" }, icon("check-circle"), h("div", { class: "notice-body" },
      h("strong", {}, { delivery: _("Delivered"), transfer: _("Handed on"), elsewhere: _("Left here") }[one.meaning] || _("Picked up")), " ", said.filter(Boolean).join(" · "), " ", one.waiting ? waitingChip() : null));
  }

  head(stop, parts, missing, past) {
    const day = this.app.day;
    const { take, give } = expected(day, stop.site);
    const words = [give.length ? _("to deliver: %(n)s", { n: give.length }) : null, take.length ? _("to pick up: %(n)s", { n: take.length }) : null].filter(Boolean).join(" · ");
    return [h("div", { class: "visit-top" },
      h("a", { class: "btn btn-icon", href: "#/", "aria-label": _("Back to the stops"), "data-key": "back" }, icon("arrow-left")),
      h("div", { class: "grow" }, h("h2", {}, siteName(day, stop.site)),
        h("div", { class: "muted" }, words || (past.length ? _("Everything here is done.") : _("Nothing is waiting on record."))))), stop.state === "arrived" ? h("div", { class: "chips" }, chip(_("Arrived %(at)s", { at: formatTime(stop.actual_arrive_at) }), stop.waiting ? "warn" : "ok", stop.waiting ? "hourglass" : "check"), stop.waiting ? waitingChip() : null) : null];
  }

  /** Tubes of the box in hand once one is scanned, boxes before that. */
  count(parts, missing) {
    const open = parts.find((one) => one.load.box === this.note.current);
    if (open && open.verified && !open.load.unknown) scanPanel().count(open.verified, open.load.tubes.length - Object.keys(open.refused).length);
    else scanPanel().count(parts.length, parts.length + missing.length);
  }

  boxCard(load, scanned) {
    const day = this.app.day;
    const giving = load.holder === day.username;
    const urgent = mostUrgent(load);
    const total = load.tubes.length;
    const refused = scanned ? Object.keys(scanned.refused).length : 0;
    const said = [
      load.unknown ? _("Not on this phone’s list; you state the count when you sign.") : giving && load.destination === this.stop.site ? _("Tubes: %(n)s", { n: total }) : _("Tubes: %(n)s · goes to %(site)s", { n: total, site: siteName(day, load.destination) }),
      scanned && scanned.verified ? _("checked: %(n)s", { n: scanned.verified }) : null,
      refused ? _("refused: %(n)s", { n: refused }) : null,
    ];
    const card = h("article", { class: `box-card${scanned ? " is-scanned" : ""}${scanned && this.note.current === load.box ? " is-current" : ""}`, "data-box": load.box },
      h("div", { class: "between" }, h("span", { class: "box-code" }, load.box || load.number),
        scanned ? chip(_("Scanned"), "ok", "check") : chip(giving ? _("To deliver") : _("To pick up"), "neutral", giving ? "arrow-down" : "arrow-up")),
      h("div", { class: "chips" }, tempBadge(day, load) || classChip(load), load.priority !== "routine" ? chip(_("Urgent"), "danger", "bolt") : null, urgent ? useByChip(urgent.at) : null, giving ? this.meaningChip(load) : null, load.signed ? chip(_("Signed by you, not by the receiver yet"), "warn", "signature") : null),
      h("div", {}, said.filter(Boolean).join(" · ")),
      giving ? coldSteps(day, load) : outside(day, load) ? h("div", { class: "notice tone-danger" }, icon("warning"), h("div", { class: "notice-body" }, _("It is outside %(band)s here already. Show it to the staff before you take it.", { band: bandOf(load) }))) : null);
    if (scanned) card.append(this.tools(load, scanned));
    return card;
  }

  meaningChip(load) {
    const meant = meaningOf(this.app.day, load, this.stop.site, this.note.boxes[load.box]);
    if (meant === "transfer") return chip(_("Hand in sealed, it goes on"), "info", "swap");
    return meant === "elsewhere" ? chip(_("Left here on purpose"), "warn", "route") : null;
  }

  tools(load, scanned) {
    const scan = this.note.boxes[load.box];
    const reading = this.app.day.temps && this.app.day.temps[load.box];
    const change = async (value) => { scan.temp = value; await this.save(); };
    const field = h("input", { class: "input", id: `temp-${load.box}`, inputmode: "decimal", autocomplete: "off", value: scan.temp || "", placeholder: bandOf(load) || "°C", "data-key": `temp-${load.box}`, onchange: (event) => change(event.target.value.replace(",", ".").trim()) });
    return h("div", { class: "box-tools" },
      h("div", { class: "field" }, h("label", { for: `temp-${load.box}` }, _("Box temperature, °C")), h("div", { class: "pair" }, field,
        reading && reading.fresh ? h("button", { class: "btn btn-icon", type: "button", "aria-label": _("Take over %(temp)s °C from the logger", { temp: reading.temp_c.toFixed(1) }), "data-key": `logger-${load.box}`, onclick: () => { field.value = reading.temp_c.toFixed(1); change(field.value); } }, icon("radio")) : null)),
      load.unknown ? null : h("button", { class: "btn", type: "button", "data-key": `tubes-${load.box}`, onclick: () => openTubes(this, load, scanned) }, icon("tubes"), scanned.giving ? _("Tubes") : _("Tubes, refuse")),
      load.unknown ? null : h("button", { class: "btn btn-danger-quiet", type: "button", "data-key": `seal-${load.box}`, onclick: () => openSeal(this, load) }, icon("seal"), scan.seal ? _("Seal %(seal)s", { seal: scan.seal }) : _("Seal broken…")));
  }

  dock(stop, parts, missing) {
    const planned = stop.state === "planned";
    const tubes = parts.reduce((sum, one) => sum + (one.count || 0), 0);
    return [
      planned ? h("button", { class: "btn btn-primary btn-thumb", type: "button", "data-key": "arrive", onclick: () => arrive(this.app, stop) }, icon("flag"), _("Arrive")) : null,
      !planned && parts.length ? h("button", { class: "btn btn-primary btn-thumb", type: "button", "data-key": "sign", onclick: () => this.sign() }, icon("signature"), h("span", {}, _("Sign"), " ", h("small", {}, amount(parts.length, tubes)))) : null,
      !planned && !parts.length ? h("button", { class: `btn btn-thumb ${missing.length ? "" : "btn-primary"}`, type: "button", "data-key": "depart", onclick: () => this.depart(stop, missing) }, icon("arrow-right"), _("Depart")) : null,
    ];
  }

  async sign() {
    closeCamera();
    const signed = await openSign(this.app, { stop: this.stop, note: this.note });
    if (!signed) return;
    for (const box of signed) delete this.note.boxes[box];
    this.note.current = null;
    this.note.offer = null;
    await this.save();
    scanPanel().show({ code: _("Ready to scan"), sentence: "" });
    await this.app.refresh();
  }

  async depart(stop, missing) {
    if (missing.length) {
      const text = missing.map((load) => h("p", {}, load.signed ? _("Box %(box)s: you have signed, the receiver has not yet.", { box: load.box }) : load.holder === this.app.me ? _("Box %(box)s is for this place and is still aboard.", { box: load.box }) : _("Box %(box)s stays here.", { box: load.box })));
      if (!(await confirmDialog({ title: _("Leave without these boxes?"), text, action: _("Depart") }))) return;
    }
    this.app.go("#/");
    await this.app.act("depart", { subject: stop.id === null ? {} : { stop: stop.id }, site: stop.site, wait: 0 });
  }
}

