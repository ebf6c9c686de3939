/** What the receiving desk shows, built from its state. Nothing here sends anything. */
import { chip, fill, h, icon, setTone } from "../dom.js";
import { _ } from "../i18n.js";
import { cap, face, priorityChip, tempChip, useByChip, went, when } from "./office.js";

export const RECEIVED = new Set(["scanned", "typed", "ticked", "imported", "found", "late", "unexpected"]);
const isOpen = (tube) => tube.outcome === "expected";

export const conditionWord = (value) => ({ good: _("Good"), damaged: _("Damaged"), leaked: _("Leaked") }[value] || _("Not stated"));

/** What stands against accepting a tube without looking: null, or the reason in words. */
export function doubt(tube, site) {
  if (tube.on_hold) return _("on hold");
  if (tube.condition && tube.condition !== "good") return conditionWord(tube.condition);
  if (["expired", "outside"].includes(tube.stability)) return _("stability");
  return tube.destination === site ? null : _("for the next laboratory");
}

export const undecided = (tube) => RECEIVED.has(tube.outcome) && tube.state === "received";

function decisionChip(tube, names) {
  if (tube.on_hold) return chip(_("On hold"), "hold", "hold");
  if (tube.state === "accepted") return chip(_("Accepted"), "ok", "check");
  if (tube.state === "accepted_concession") return chip([_("Accepted with concession"), names[tube.reason] || tube.reason || ""].join(": "), "warn", "check");
  if (tube.state === "rejected") return chip([_("Rejected"), names[tube.reason] || tube.reason || ""].join(": "), "danger", "cross-circle");
  return null;
}

function outcomeChip(tube) {
  const table = {
    scanned: [_("Scanned"), "ok", "scan"], ticked: [_("Ticked by hand"), "warn", "pen"], typed: [_("Typed in"), "warn", "pen"], imported: [_("Recorded from paper"), "warn", "pen"], found: [_("Found"), "ok", "search"],
    late: [_("Received late"), "warn", "clock"], elsewhere: [_("In another box"), "warn", "box"],
    unexpected: [_("Unexpected"), "warn", "plus"], missing: [_("Declared missing"), "danger", "missing"],
  };
  return table[tube.outcome] ? chip(...table[tube.outcome]) : null;
}

/** Where a tube is now that was collected again in place of this one. */
function againChips(tube) {
  const words = { registered: _("to be collected"), collected: _("collected"), packed: _("packed"), sealed: _("packed"), in_transit: _("on its way"), arrived: _("on its way"), delivered: _("on its way"), received: _("Received"), accepted: _("Accepted"), accepted_concession: _("Accepted"), rejected: _("Rejected") };
  return (tube.again || []).map((one) => chip(_("Again as %(number)s: %(state)s", { number: one.accession, state: words[one.state] || one.state }), ["in_transit", "arrived", "delivered"].includes(one.state) ? "brand" : "info", "recollect"));
}

/** The tests by name; those that were rejected alone are struck out, with the reason. */
function testWords(tube, names) {
  const comma = _(", ");
  if (!tube.ordered || !tube.ordered.some((one) => one.reason)) return tube.tests.join(comma);
  return tube.ordered.map((one, place) => [place ? comma : "", one.reason ? h("s", { title: names[one.reason] || one.reason }, one.name) : one.name]);
}

function rejectedTests(tube, names) {
  const bad = (tube.ordered || []).filter((one) => one.reason);
  return bad.length && tube.state !== "rejected" ? chip(_("%(tests)s rejected: %(reason)s", { tests: bad.map((one) => one.name).join(_(", ")), reason: names[bad[0].reason] || bad[0].reason }), "danger", "cross") : null;
}

/** Where a tube turned up when that was not in its own box. */
function whereabouts(tube) {
  if (!tube.found_site || !["late", "elsewhere"].includes(tube.outcome)) return null;
  return h("span", { class: "muted" }, tube.found_in ? _("at %(place)s in consignment %(number)s", { place: tube.found_site, number: tube.found_in }) : _("at %(place)s", { place: tube.found_site }));
}

const stabilityChip = (tube) => (["expired", "outside"].includes(tube.stability) ? chip(tube.stability === "expired" ? _("Expired") : _("Was outside the band"), "danger", "thermometer") : null);

/** One tube of the list. */
export function tubeRow(tube, { current, pending, names, site, onPick }) {
  const tone = tube.state === "rejected" || tube.outcome === "missing" ? "danger" : tube.outcome === "elsewhere" ? "warn" : tube.on_hold ? "hold" : RECEIVED.has(tube.outcome) ? (tube.condition === "good" ? "ok" : "danger") : pending ? "warn" : "neutral";
  return h("li", { class: `tube tone-${tone}${current ? " is-current" : ""}`, dataset: { tube: tube.id }, "aria-current": current ? "true" : null, onclick: () => onPick(tube) },
    h("span", { class: "tube-mark" }, icon(tone === "ok" ? "check" : tube.outcome === "missing" ? "missing" : tone === "hold" ? "hold" : tone === "danger" ? "warning" : pending ? "hourglass" : "question")),
    h("div", { class: "work-main" },
      h("div", { class: "work-title" }, h("code", {}, tube.accession), priorityChip(tube.priority), pending ? chip(_("Seen, condition not stated"), "warn", "hourglass") : null, decisionChip(tube, names), rejectedTests(tube, names), stabilityChip(tube), againChips(tube)),
      h("div", { class: "work-sub" }, cap(tube.cap, tube.container), " ", testWords(tube, names), tube.destination === site ? "" : ` · → ${tube.destination_name}`)),
    h("div", { class: "work-side" }, isOpen(tube) ? useByChip(tube) : h("span", { class: "row-sm" }, tube.condition && tube.condition !== "good" ? chip(conditionWord(tube.condition), "danger", "warning") : null, tube.outcome === "scanned" ? null : outcomeChip(tube)), whereabouts(tube),
      tube.checked_by && !isOpen(tube) ? h("span", { class: "muted" }, `${tube.checked_by} ${when(tube.checked_at)}`) : null));
}

function strangerRow(found, names) {
  const title = found.accession ? [h("code", {}, found.accession), chip(_("Unknown tube"), "warn", "question")] : chip(names[found.reason] || found.reason, "warn", "box");
  return h("li", { class: "tube tone-warn" }, h("span", { class: "tube-mark" }, icon(found.accession ? "plus" : "box")),
    h("div", { class: "work-main" }, h("div", { class: "work-title" }, title, found.photo ? h("a", { class: "btn btn-sm", href: found.photo, target: "_blank", rel: "noopener" }, icon("camera"), _("Photo")) : null), h("div", { class: "work-sub" }, [found.accession ? names[found.reason] || found.reason : _("The box"), found.note].filter(Boolean).join(" · "))),
    h("div", { class: "work-side muted" }, `${found.found_by} ${when(found.found_at)}`));
}

/** Counts of the three states. */
export function counts(tubes) {
  return {
    received: tubes.filter((tube) => RECEIVED.has(tube.outcome)).length,
    open: tubes.filter(isOpen).length,
    missing: tubes.filter((tube) => tube.outcome === "missing").length,
  };
}

/** Tubes that are or should be in this box: not those that turned up in another one. */
export const inside = (tubes) => tubes.filter((tube) => tube.outcome !== "elsewhere");

/** "12 scanned · 1 ticked by hand · 1 received late": how the tubes were received is never mixed. */
export function kinds(tubes) {
  const words = { scanned: _("scanned"), ticked: _("ticked by hand"), typed: _("typed in"), imported: _("recorded from paper"), unexpected: _("unexpected"), found: _("found again"), late: _("received late"), elsewhere: _("in another box") };
  return Object.entries(words).map(([outcome, word]) => [tubes.filter((tube) => tube.outcome === outcome).length, word]).filter(([n]) => n).map(([n, word]) => `${n} ${word}`).join(" · ");
}

/** The lists and the three figures. */
export function showLists(root, state, options) {
  const { tubes = [] } = state;
  const strangers = [...(state.box_findings || []), ...(state.strangers || [])];
  const figures = counts(tubes);
  for (const [name, number] of Object.entries(figures)) root.querySelector(`[data-n="${name}"]`).textContent = String(number);
  root.querySelector("[data-kinds]").textContent = kinds(tubes);
  const open = tubes.filter(isOpen);
  const done = tubes.filter((tube) => !isOpen(tube)).sort((a, b) => String(b.checked_at).localeCompare(String(a.checked_at)));
  const row = (tube) => tubeRow(tube, { ...options, current: tube.id === options.currentId, pending: options.pendingIds.has(tube.id) });
  fill(root.querySelector("[data-open-tubes]"), open.length ? open.map(row) : h("li", { class: "tube-none" }, icon("check-circle"), _("Every tube of the manifest is accounted for.")));
  fill(root.querySelector("[data-done-tubes]"), strangers.map((found) => strangerRow(found, options.names)), done.map(row));
  root.querySelector("[data-count-open]").textContent = String(open.length);
  root.querySelector("[data-count-done]").textContent = String(done.length + strangers.length);
}

/** Title line: which box, from where, and how it fared on the way. */
export function showHead(root, state) {
  const one = state.consignment;
  root.querySelector("[data-title]").textContent = one ? _("Box %(box)s from %(place)s", { box: one.box, place: one.origin_name }) : _("Receiving");
  root.querySelector("[data-sub]").textContent = one ? [one.number, one.departed_at ? _("left %(time)s", { time: when(one.departed_at) }) : null, one.delivered_at ? _("handed over %(time)s", { time: when(one.delivered_at) }) : null].filter(Boolean).join(" · ") : _("Scan a box or a consignment label.");
  const words = { sealed: [_("Sealed"), "info", "seal"], in_transit: [_("On the way"), "brand", "truck"], arrived: [_("Arrived"), "brand", "building"], delivered: [_("Being received"), "warn", "scan"], closed: [_("Closed"), "ok", "lock"], open: [_("Being packed"), "neutral", "box-open"], waiting: [_("Waiting on the way"), "warn", "building"] };
  fill(root.querySelector("[data-chips]"), one ? [words[one.state] ? chip(...words[one.state]) : null, tempChip(one.temp_class), priorityChip(one.priority), transitChip(state.transit), ...(one.handover_state === "giver_outstanding" ? [chip(_("Signature of the giver outstanding"), "warn", "signature")] : []), ...(one.handover_state === "differs" ? [chip(_("The giver has signed something else"), "danger", "swap")] : [])] : []);
}

/** "3.9 to 6.1 °C on the way", or that no logger spoke. */
export function transitChip(transit) {
  if (!transit) return chip(_("No temperature data"), "neutral", "thermometer");
  return chip(_("%(low)s to %(high)s °C on the way", { low: transit.min_c.toFixed(1), high: transit.max_c.toFixed(1) }), transit.tone, "thermometer");
}

/** The tube that the next key is about. */
export function showCurrent(root, tube, names) {
  const card = root.querySelector("[data-current]");
  card.hidden = !tube;
  if (!tube) return;
  setTone(card, tube.on_hold ? "hold" : "brand");
  fill(root.querySelector("[data-current-body]"),
    h("div", { class: "current-line" }, h("span", { class: "muted" }, _("Keys are about")), h("code", { class: "text-xl strong" }, tube.accession), priorityChip(tube.priority), outcomeChip(tube), decisionChip(tube, names), rejectedTests(tube, names), stabilityChip(tube), againChips(tube)),
    h("div", { class: "current-line work-sub" }, cap(tube.cap, tube.container), h("span", {}, `${tube.type} · `, testWords(tube, names)), whereabouts(tube), tube.collected_at ? h("span", {}, _("collected %(time)s", { time: when(tube.collected_at) })) : null, useByChip(tube)),
    tube.on_hold ? h("p", { class: "strong" }, _("On hold: it may not be accepted before a manager has decided.")) : null);
}

/** The mode bar: condition for the next tubes, stated and never assumed. */
export function showMode(root, mode, pending) {
  const bar = root.querySelector("[data-mode-bar]");
  for (const button of bar.querySelectorAll("[data-do]")) button.setAttribute("aria-pressed", String(button.dataset.do === mode));
  bar.classList.toggle("is-unset", !mode);
  root.querySelector("[data-mode-note]").textContent = mode
    ? _("Every tube scanned from now on is recorded as: %(condition)s.", { condition: conditionWord(mode) })
    : pending ? _("%(n)s seen and waiting: look at them and state their condition.", { n: pending }) : _("Look at the tubes and state it. Nothing is assumed.");
}

/** How the answer to a received tube looks and sounds: what stands against it is said at once. */
export function receivedFace(tube, answer, tubes) {
  const { received, missing } = counts(tubes);
  const progress = _("%(n)s of %(m)s · %(condition)s", { n: received + missing, m: inside(tubes).length, condition: conditionWord(tube.condition) });
  const shown = face(answer, progress);
  if (!went(answer) || answer.status === "duplicate") return shown;
  if (tube.on_hold) return { tone: "hold", icon: "hold", sound: "wrong", sentence: [_("On hold"), progress].join(" · ") };
  if (["expired", "outside"].includes(tube.stability)) return { tone: "danger", icon: "hourglass", sound: "wrong", sentence: [tube.stability === "expired" ? _("Its stability has run out") : _("It was outside its band"), progress].join(" · ") };
  if (tube.condition !== "good") return { ...shown, tone: "warn", icon: "warning", sound: "already", sentence: [progress, _("reject with R")].join(" · ") };
  return tube.use_by ? { ...shown, sentence: [progress, _("use by %(time)s", { time: when(tube.use_by) })].join(" · ") } : shown;
}

/** Who hands over what: the facts that the receiver signs for. */
export function showHandover(root, one, count) {
  const text = (name, words) => { root.querySelector(`[data-${name}]`).textContent = words; };
  text("handover-text", _("%(courier)s hands over box %(box)s with %(n)s tubes.", { courier: one.holder_name || _("The courier"), box: one.box, n: count }));
  text("pin-label", _("PIN of %(name)s", { name: one.holder_name || _("the courier") }));
  text("seal-head", one.seal_head);
  text("handover-button", _("Take over %(n)s tubes", { n: count }));
  const facts = [[_("From"), one.origin_name], [_("Left"), one.departed_at ? when(one.departed_at) : "–"], [_("Expected"), one.expected_at ? when(one.expected_at) : "–"], [_("Taken over by"), root.dataset.meName]];
  fill(root.querySelector("[data-handover-facts]"), facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
