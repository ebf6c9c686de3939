/**
 * The handover: what goes over in numbers, differences explained, then both sides sign on this screen and one button
 * confirms it. openSign(app, {stop, note}) or, for one that came back, openSign(app, {again: act}). Resolves to the
 * boxes that were signed for (also when they wait to be sent), or null.
 */
import { createAct, answerFor } from "../acts.js";
import { now } from "../clock.js";
import { css } from "../css.js";
import { fill, h, icon } from "../dom.js";
import { RENEW_MS, describe, draw, expired, readOffer, stockUp, takeOffer } from "../handover-offer.js";
import { _ } from "../i18n.js";
import { recognise } from "../numbers.js";
import { add, dismiss } from "../outbox.js";
import { play } from "../sound.js";
import { toast } from "../toast.js";
import { uuid } from "../uuid.js";
import { STYLE as GIVE_STYLE, signAct } from "../give.js";
import { meaningOf } from "./courier-model.js";
import { differences, tailCheck } from "./courier-rules.js";
import * as store from "./courier-store.js";
import { insideBand, personName, reasonName, sheet } from "./courier-sheet.js";
import { siteName } from "./courier-words.js";

css(GIVE_STYLE);
const SEAL = "*seal";
const OTHER = "*other";
const APP = "*app"; // the giver signs on his own device
const ANSWER_MS = 6000;
const SIGNATURE_CODES = new Set(["pin_wrong", "pin_locked", "signer_elsewhere", "signer_role", "seal_tail_wrong", "seal_too_short", "user_unknown", "other_party_missing", "two_people_needed", "seal_tail_locked", "offer_unknown", "offer_of_other", "offer_used", "offer_malformed", "offer_altered", "offer_expired", "offer_of_others", "seal_now_needed", "seal_used", "number_check_failed", "label_number_voided"]);

export function openSign(app, { stop = null, note = null, again = null }) {
  return new Signing(app, stop, note, again).open();
}

class Signing {
  constructor(app, stop, note, again) {
    Object.assign(this, { app, note, again, site: again ? again.site : stop.site, signed: null, trouble: "", busy: false, who: null });
    const { parts, missing } = again ? { parts: [this.fromAct(again)], missing: [] } : differences(app.day, this.site, note);
    Object.assign(this, { parts, missing, giving: parts.some((one) => one.giving), counts: {}, tails: {}, seals: {} });
    this.mixed = this.giving && parts.some((one) => !one.giving);
    this.offer = again && again.payload.method === "app" ? readOffer(again.payload.code) : note && note.offer;
    if (this.offer && !this.giving) this.who = APP;
    for (const one of parts) if (one.scan.seal_now) this.seals[one.load.box] = one.scan.seal_now;
  }

  /** A handover that came back, as it was stated then. */
  fromAct(act) {
    const number = act.subject.consignment || null;
    const known = this.app.day.loads.find((one) => one.number === number || one.box === act.subject.box);
    const refused = Object.fromEntries((act.payload.refused || []).map((one) => [one.specimen, one.reason]));
    return {
      load: known || { box: act.subject.box || number, number, tubes: [], unknown: true }, refused, verified: 0, unverified: [],
      scan: { temp: act.payload.box_temp_c || "", there: {}, how: act.how, count: act.payload.count, seal: act.payload.seal, seal_now: act.payload.seal_now }, count: act.payload.count, giving: ["delivery", "elsewhere"].includes(act.payload.meaning),
      meaning: act.payload.meaning,
    };
  }

  async open() {
    if (this.giving) stockUp();
    this.body = h("form", { class: "stack", novalidate: true, id: "sign-form", onsubmit: (event) => { event.preventDefault(); this.confirm(); } });
    this.button = h("button", { class: "btn btn-primary btn-thumb", type: "submit", form: "sign-form" });
    this.paint();
    this.sheet = sheet(this.giving ? _("Hand over to %(site)s", { site: siteName(this.app.day, this.site) }) : _("Take over from %(site)s", { site: siteName(this.app.day, this.site) }), this.body, [this.button]);
    const renewing = setInterval(() => this.drawOwn(), RENEW_MS);
    await this.sheet.closed;
    clearInterval(renewing);
    return this.signed;
  }

  paint() {
    const open = this.parts.reduce((sum, one) => sum + one.unverified.length, 0);
    fill(this.body, this.summary(), this.differences(), this.people(), this.signature(),
      h("div", { class: "notice tone-danger", role: "alert", id: "sign-trouble", hidden: !this.trouble }, icon("cross-circle"), h("div", { class: "notice-body" }, this.trouble)));
    const tubes = this.parts.reduce((sum, one) => sum + (this.countOf(one) || 0), 0);
    fill(this.button, icon("signature"), h("span", {}, this.giving ? _("I hand over %(n)s tubes", { n: tubes }) : _("I take %(n)s tubes", { n: tubes })));
    this.button.disabled = open > 0;
  }

  countOf(one) {
    return one.load.unknown ? this.counts[one.load.box] ?? one.scan.count : one.load.tubes.length - Object.keys(one.refused).length;
  }

  summary() {
    return h("div", {}, this.parts.map((one) => {
      const total = one.load.tubes.length;
      const refused = Object.entries(one.refused);
      const field = one.load.unknown ? h("label", { class: "field" }, h("span", { class: "label" }, _("Tubes counted in box %(box)s", { box: one.load.box })),
        h("input", { class: "input input-lg", inputmode: "numeric", name: `count-${one.load.box}`, value: this.countOf(one) ?? "", oninput: (event) => { this.counts[one.load.box] = parseInt(event.target.value, 10) || 0; } })) : null;
      return h("div", { class: "sum-box", "data-sum": one.load.box }, h("div", { class: "sum" }, h("span", { class: "code strong" }, one.load.box || one.load.number),
        h("span", {}, one.load.unknown ? "" : h("b", {}, _("%(n)s of %(m)s", { n: this.countOf(one), m: total })))),
      refused.map(([code, reason]) => h("div", { class: "text-warn" }, _("%(tube)s refused: %(reason)s", { tube: code, reason: reasonName(this.app.day, reason) }))),
      this.sealNow(one), this.temperature(one), field);
    }));
  }

  /** Tubes that stay behind came out of the box: which seal is on it now? */
  sealNow(one) {
    if (!Object.keys(one.refused).length) return null;
    const { box } = one.load;
    return h("label", { class: "field" }, h("span", { class: "label" }, _("Number of the seal that is on %(box)s now", { box })),
      h("input", { class: "input input-lg input-code", name: `seal-now-${box}`, maxlength: 32, autocapitalize: "characters", autocomplete: "off", spellcheck: "false", value: this.seals[box] || "", oninput: (event) => { this.seals[box] = event.target.value.trim().toUpperCase(); } }),
      h("span", { class: "muted" }, _("Opened for this? Put on a new seal and write its number. Not opened? Write the number that is on it.")));
  }

  checkSeals() {
    for (const one of this.parts) {
      if (!Object.keys(one.refused).length) continue;
      const seal = this.seals[one.load.box] || "";
      if (seal.length < 4) return _("Write the number of the seal that is on %(box)s now.", { box: one.load.box });
      const read = recognise(seal);
      if (read.kind === "seal" && !read.valid) return _("The number of the seal on %(box)s is misread. Look at it again.", { box: one.load.box });
    }
    return "";
  }

  temperature(one) {
    const text = (one.scan.temp || "").trim();
    if (!text) return null;
    const value = Number(text);
    const fine = Number.isFinite(value) && insideBand(one.load, value);
    if (!Number.isFinite(value)) return h("div", { class: "text-danger" }, _("“%(temp)s” is not a temperature.", { temp: text }));
    const said = [_("Box temperature %(temp)s °C", { temp: text }), fine ? null : _("outside the band; it is recorded, tell the laboratory.")];
    return h("div", { class: fine ? "muted" : "text-danger" }, said.filter(Boolean).join(" – "));
  }

  /** Every difference gets a word before anybody can sign. */
  differences() {
    const stay = this.missing.map((load) => h("p", {}, load.holder === this.app.me ? _("Box %(box)s: not scanned, stays aboard.", { box: load.box }) : _("Box %(box)s: not scanned, stays here.", { box: load.box })));
    const tubes = this.parts.flatMap((one) => one.unverified.map((code) => this.unverified(one, code)));
    if (!stay.length && !tubes.length) return null;
    return h("fieldset", { class: "group stack-sm" }, h("legend", {}, _("Differences")), stay,
      tubes.length ? h("p", {}, _("These tubes are on the manifest and were not scanned. Say what is true:")) : null, tubes);
  }

  unverified(one, code) {
    const settle = (value) => {
      if (value === "there") one.scan.there = { ...one.scan.there, [code]: true };
      else one.refused[code] = value;
      one.unverified = one.unverified.filter((other) => other !== code);
      this.paint();
    };
    return h("label", { class: "field", "data-difference": code }, h("span", { class: "label code" }, code),
      h("select", { class: "select", onchange: (event) => event.target.value && settle(event.target.value) },
        h("option", { value: "" }, _("Choose…")), h("option", { value: "there" }, _("It is there, label not scanned")),
        one.giving ? null : this.app.day.reasons.map((reason) => h("option", { value: reason.code }, _("Refused: %(reason)s", { reason: reasonName(this.app.day, reason.code) })))));
  }

  people() {
    const known = this.app.day.signers[this.site] || [];
    const app = this.giving ? _("On the receiver’s own screen: show the code") : this.offer ? _("On the giver’s own device: code read") : _("On the giver’s own device: scan the code");
    const options = [...(this.again && !this.offer ? [] : [[APP, app]]), ...known.map((person) => [person.username, personName(person)]), [OTHER, _("Somebody else, with user name")], ...(this.giving ? [] : [[SEAL, _("Nobody can sign: last 4 characters of the seal")]])];
    return h("fieldset", { class: "choice-grid" }, h("legend", { class: "label" }, this.giving ? _("Who receives it?") : _("Who hands it over?")),
      options.map(([value, label]) => h("label", { class: "choice" }, h("input", { type: "radio", name: "who", value, checked: this.who === value || null, onchange: () => this.choose(value) }), h("span", {}, icon(value === SEAL ? "seal" : value === APP ? "qr" : "user"), label))));
  }

  choose(who) {
    Object.assign(this, { who, trouble: "" });
    this.paint();
    const field = this.body.querySelector("[name=username], [name=pin], [name^=tail-]");
    if (!field) return;
    field.focus();
    field.scrollIntoView({ block: "center" });
  }

  signature() {
    if (!this.who) return null;
    if (this.who === APP) return this.giving ? this.ownCode() : this.readCode();
    if (this.who === SEAL) {
      return h("div", { class: "stack-sm" }, this.parts.map((one) => h("label", { class: "field" }, h("span", { class: "label" }, _("Last 4 characters of the seal on %(box)s", { box: one.load.box })),
        h("input", { class: "input input-lg input-code", name: `tail-${one.load.box}`, maxlength: 4, autocapitalize: "characters", autocomplete: "off", spellcheck: "false", value: this.tails[one.load.box] || "", oninput: (event) => { this.tails[one.load.box] = event.target.value.trim().toUpperCase(); } }))));
    }
    return h("div", { class: "stack-sm" },
      this.who === OTHER ? h("label", { class: "field" }, h("span", { class: "label" }, _("User name")), h("input", { class: "input input-lg", name: "username", autocapitalize: "none", autocomplete: "off", spellcheck: "false", value: this.username || "", oninput: (event) => { this.username = event.target.value.trim(); } })) : null,
      h("label", { class: "field" }, h("span", { class: "label" }, this.giving ? _("PIN of the one who receives") : _("PIN of the one who hands over")),
        h("input", { class: "input input-lg", name: "pin", type: "password", inputmode: "numeric", autocomplete: "off", maxlength: 8 })),
      h("p", { class: "muted" }, this.giving ? _("The PIN signs: “I have received these boxes.”") : _("The PIN signs: “I have handed over these boxes.”")));
  }

  /** What the giver's code says, beside what was scanned and counted here. */
  readCode() {
    if (!this.offer) return h("div", { class: "notice tone-info" }, icon("qr"), h("div", { class: "notice-body" }, _("Close this and scan the code on the giver’s screen with the camera of this stop.")));
    const said = this.parts.map((one) => {
      const offered = this.offer.loads.find((load) => load.number === one.load.number);
      if (!one.load.number || !this.offer.loads.length) return null;
      if (!offered) return _("Box %(box)s is not in the giver’s code.", { box: one.load.box });
      return offered.count === this.countOf(one) ? null : _("%(box)s: the giver’s code says %(n)s tubes, you take %(m)s. Ask the giver to put the count right before signing.", { box: one.load.box, n: offered.count, m: this.countOf(one) });
    });
    const left = this.offer.loads.filter((load) => !this.parts.some((one) => !one.load.number || one.load.number === load.number)).map((load) => _("In the giver’s code and not scanned: %(number)s.", { number: load.number }));
    const lines = [...said, ...left].filter(Boolean);
    return h("div", { class: `notice tone-${lines.length ? "warn" : "ok"}` }, icon(lines.length ? "warning" : "check-circle"), h("div", { class: "notice-body" }, lines.length ? lines.map((line) => h("p", {}, line)) : _("The code says the same. The giver signs on the own device; until then the record shows the signature as outstanding.")));
  }

  /** The code for the receiver, and the courier's own signature under it. */
  ownCode() {
    this.mine = this.mine || takeOffer();
    if (!this.mine) return h("div", { class: "notice tone-warn" }, icon("offline"), h("div", { class: "notice-body" }, _("No code is left on this device. Sign with the PIN of the receiver.")));
    this.canvas = this.canvas || h("canvas", { class: "offer-code", role: "img", "aria-label": _("Code for the one who takes the boxes") });
    this.drawOwn();
    return h("div", { class: "offer" }, this.canvas, h("p", { class: "muted center" }, _("The receiver scans this at the desk. Then sign here: “I have handed over these boxes.”")));
  }

  drawOwn() {
    if (this.canvas && this.mine) draw(this.canvas, describe(this.mine, this.meaningOf(this.parts[0]), this.ownLoads()));
  }

  ownLoads() {
    return this.parts.filter((one) => one.load.number).map((one) => ({ number: one.load.number, count: this.countOf(one) }));
  }

  meaningOf(one) {
    return one.meaning || meaningOf(this.app.day, one.load, this.site, one.scan);
  }

  fail(text) {
    this.trouble = text;
    const pin = this.body.elements.pin;
    this.paint();
    play("wrong");
    const field = this.body.elements.pin || this.body.querySelector("[name^=tail-]");
    if (field && pin) field.focus();
    document.getElementById("sign-trouble").scrollIntoView({ block: "nearest" });
    return false;
  }

  check() {
    if (this.parts.some((one) => one.scan.temp && !/^-?\d{1,2}(\.\d)?$/.test(one.scan.temp))) return _("Write the box temperature like 5.2.");
    if (this.parts.some((one) => one.load.unknown && !(this.countOf(one) > 0))) return _("State how many tubes you counted.");
    const seals = this.checkSeals();
    if (seals) return seals;
    if (!this.who) return _("Choose who signs.");
    if (this.who === APP) return this.checkCode();
    if (this.who === SEAL) {
      for (const one of this.parts) {
        const tail = this.tails[one.load.box] || "";
        if (tail.length !== 4) return _("Type the last 4 characters of the seal.");
        if (one.load.seal_check !== null && one.load.seal_check !== undefined && tailCheck(tail) !== one.load.seal_check) return _("The last four characters do not match the seal of %(box)s. Look at the seal again.", { box: one.load.box });
      }
      return "";
    }
    if (this.who === OTHER && !this.username) return _("Type the user name.");
    if (!/^\d{4,8}$/.test(this.body.elements.pin.value)) return _("Type the PIN: 4 to 8 digits.");
    return "";
  }

  checkCode() {
    if (this.giving) return this.mine ? "" : _("No code is left on this device. Sign with the PIN of the receiver.");
    if (!this.offer) return _("Scan the code on the giver’s screen first.");
    if (!this.again && expired(this.offer)) return _("This code was shown too long ago. Scan it again from the giver’s screen.");
    const outside = this.offer.loads.length ? this.parts.find((one) => one.load.number && !this.offer.loads.some((load) => load.number === one.load.number)) : null;
    return outside ? _("Box %(box)s is not in the giver’s code.", { box: outside.load.box }) : "";
  }

  async confirm() {
    if (this.busy) return;
    const problem = this.check();
    if (problem) { this.fail(problem); return; }
    this.busy = true;
    this.button.setAttribute("aria-busy", "true");
    const pin = this.who === SEAL || this.who === APP ? null : this.body.elements.pin.value;
    const handover = this.who === APP && !this.giving ? this.offer.id : uuid();
    const own = this.giving && this.who === APP;
    const acts = own ? [signAct({ id: this.mine.id, meaning: this.meaningOf(this.parts[0]), loads: this.ownLoads(), site: this.site, position: this.app.duty.place() })] : this.parts.map((one) => this.act(one, handover, pin));
    const answers = acts.map((act) => answerFor(act.id, ANSWER_MS));
    for (const act of acts) await add(act, { place: this.site });
    this.settle(acts, await Promise.all(answers));
  }

  act(one, handover, pin) {
    const { load } = one;
    const payload = {
      handover_id: handover, meaning: this.meaningOf(one), count: this.countOf(one),
      refused: Object.entries(one.refused).map(([specimen, reason]) => ({ specimen, reason })),
    };
    if (one.scan.temp) payload.box_temp_c = one.scan.temp;
    if (one.scan.elsewhere) payload.elsewhere = { reason: one.scan.elsewhere };
    if (one.scan.seal) payload.seal = one.scan.seal;
    if (payload.refused.length) payload.seal_now = this.seals[load.box];
    if (this.who === APP) Object.assign(payload, { method: "app", code: this.offer.text });
    else if (this.who === SEAL) payload.seal_tail = this.tails[load.box];
    else Object.assign(payload, { other: this.who === OTHER ? this.username : this.who, pin });
    const occurredAt = this.again ? new Date(this.again.occurred_at) : now();
    return createAct("hand_over", { subject: load.number ? { consignment: load.number } : { box: load.box }, how: one.scan.how || "typed", site: this.site, position: this.app.duty.place(), payload, occurredAt });
  }

  /** Wrong signatures can be repaired here and now; everything else is told and stands in the messages. */
  async settle(acts, answers) {
    this.busy = false;
    this.button.removeAttribute("aria-busy");
    const bad = answers.filter((answer) => answer && (answer.status === "refused" || answer.status === "review"));
    const unsigned = bad.filter((answer) => SIGNATURE_CODES.has(answer.code));
    if (bad.length === acts.length && unsigned.length === bad.length) {
      for (const answer of bad) {
        await dismiss(answer.id);
        await store.dropSettled(answer.id);
      }
      document.getElementById("toasts").replaceChildren(); // said here, where it can be repaired
      this.fail(bad[0].sentence);
      await this.app.refresh();
      return;
    }
    const own = this.giving && this.who === APP;
    this.signed = this.parts.filter((one, index) => !bad.includes(answers[own ? 0 : index])).map((one) => one.load.box);
    if (bad.length) toast(bad[0].sentence, "danger", { action: { label: _("What to do"), run: () => this.app.go("#/messages") } });
    else if (answers.every(Boolean) && this.who === APP) toast(_("Signed. The other’s signature makes it complete."), "ok");
    else if (answers.every(Boolean)) toast(_("Signed by both and recorded."), "ok");
    else toast(_("Signed. It is kept on this phone and sent as soon as there is a signal."), "warn", { timeout: 8000 });
    if (!bad.length) play("ok");
    await this.app.refresh();
    if (answers.some((answer) => answer)) this.app.reload();
    this.sheet.close();
  }
}
