/** New order by keyboard alone: tests by type-ahead (name, code, pinyin initials), the tubes they need shown at once. */
import { h, icon } from "../dom.js";
import { ready, _ } from "../i18n.js";
import { startWedge } from "../wedge.js";
import { cap, tempChip } from "./office.js";

const INITIALS = "ABCDEFGHJKLMNOPQRSTWXYZ";
const MARKS = Array.from("阿八嚓哒妸发旮哈讥咔垃痳拏噢妑七呥扨它穵夕丫帀");
const SHOWN = 8;
const chinese = new Intl.Collator("zh-CN-u-co-pinyin");

/** The pinyin initials of a Chinese name ("血常规" → "XCG"); other characters stay. */
export function initials(text) {
  return Array.from(text).map((character) => {
    if (!/[\u4e00-\u9fff]/.test(character)) return character.toUpperCase();
    let place = MARKS.length - 1;
    while (place > 0 && chinese.compare(MARKS[place], character) > 0) place -= 1;
    return INITIALS[place];
  }).join("");
}

/** 张三 → 张*, John Smith → J*** S****; what is masked already stays. */
export function mask(name) {
  const plain = name.trim();
  if (!plain || plain.includes("*")) return plain;
  return plain.split(/\s+/).map((word) => (word.length > 1 ? word[0] + "*".repeat(Array.from(word).length - 1) : "*")).join(" ");
}

function rank(test, query) {
  if (test.code.toLowerCase() === query) return 0;
  if (test.keys.some((key) => key.startsWith(query))) return 1;
  return test.keys.some((key) => key.includes(query)) ? 2 : 9;
}

class Combo {
  constructor(form) {
    this.form = form;
    this.hidden = form.elements.tests;
    this.input = document.getElementById("test-search");
    this.list = document.getElementById("test-list");
    this.chips = form.querySelector("[data-chips]");
    this.tests = JSON.parse(form.dataset.tests).map((test) => ({
      ...test, keys: [test.code, test.name, test.short, ...test.other.split(" "), initials(test.short), initials(test.other.split(" ")[0])].filter(Boolean).map((key) => key.toLowerCase()),
    }));
    this.byCode = new Map(this.tests.map((test) => [test.code, test]));
    this.found = [];
    this.active = 0;
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.show();
  }

  get codes() { return this.hidden.value.split(",").filter(Boolean); }

  set codes(codes) {
    this.hidden.value = codes.join(",");
    this.show();
  }

  search() {
    const query = this.input.value.trim().toLowerCase();
    this.found = query ? this.tests.filter((test) => !this.codes.includes(test.code)).map((test) => [rank(test, query), test]).filter(([place]) => place < 9).sort((a, b) => a[0] - b[0]).slice(0, SHOWN).map(([, test]) => test) : [];
    this.active = 0;
    this.draw();
  }

  draw() {
    const query = this.input.value.trim();
    const options = this.found.map((test, place) => h("li", { role: "option", id: `test-${place}`, class: `combo-option${place === this.active ? " is-active" : ""}`, "aria-selected": String(place === this.active), onmousedown: (event) => { event.preventDefault(); this.add(test.code); } },
      h("strong", {}, test.name), h("code", { class: "muted" }, test.code), h("span", { class: "push" }, cap(test.cap, test.container)), h("span", { class: "muted" }, test.lab)));
    if (query && !options.length) options.push(h("li", { class: "combo-option muted" }, _("No test found for “%(query)s”.", { query })));
    this.list.replaceChildren(...options);
    this.list.hidden = !query;
    this.input.setAttribute("aria-expanded", String(Boolean(query)));
    if (this.found.length) this.input.setAttribute("aria-activedescendant", `test-${this.active}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  add(code) {
    this.codes = [...this.codes, code];
    this.input.value = "";
    this.search();
    this.input.focus();
  }

  key(event) {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (this.found.length) this.active = (this.active + step + this.found.length) % this.found.length;
      this.draw();
    } else if (event.key === "Enter" && this.input.value.trim()) {
      event.preventDefault();
      if (this.found.length) this.add(this.found[this.active].code);
    } else if (event.key === "Backspace" && !this.input.value) this.codes = this.codes.slice(0, -1);
    else if (event.key === "Escape") this.close();
  }

  show() {
    this.chips.replaceChildren(...this.codes.map((code) => {
      const test = this.byCode.get(code) || { code, short: code, name: code };
      return h("span", { class: "chip tone-brand" }, test.short, h("button", { class: "chip-x", type: "button", "aria-label": _("Remove %(test)s", { test: test.name }), onclick: () => { this.codes = this.codes.filter((one) => one !== code); this.input.focus(); } }, icon("cross")));
    }));
    this.preview();
  }

  /** Which tubes have to be drawn. */
  preview() {
    const tubes = new Map();
    for (const test of this.codes.map((code) => this.byCode.get(code)).filter(Boolean)) {
      if (!tubes.has(test.tube)) tubes.set(test.tube, []);
      tubes.get(test.tube).push(test);
    }
    const rows = Array.from(tubes.values(), (tests) => h("li", { class: "tube-row" }, cap(tests[0].cap, tests[0].container), h("span", { class: "grow" }, tests.map((test) => test.short).join(_(", "))), tempChip(tests[0].temp_class), h("span", { class: "muted" }, `→ ${Array.from(new Set(tests.map((test) => test.lab))).join(" / ")}`)));
    const title = tubes.size === 1 ? _("One tube to draw") : _("%(n)s tubes to draw", { n: tubes.size });
    this.form.querySelector("[data-tubes]").replaceChildren(...(rows.length ? [h("strong", {}, title), h("ul", { class: "tube-rows" }, rows)] : []));
  }
}

function moveOnWithEnter(form) {
  const order = ["patient_ref", "accession", "sex", "age", "department", "order_number"];
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || !order.includes(event.target.name)) return;
    event.preventDefault();
    const next = { patient_ref: form.elements.accession, accession: document.getElementById("test-search") }[event.target.name];
    (next || document.getElementById("test-search")).focus();
  });
}

async function start() {
  await ready;
  const form = document.getElementById("order-form");
  new Combo(form);
  moveOnWithEnter(form);
  const patient = form.elements.patient_ref;
  patient.addEventListener("blur", () => { patient.value = mask(patient.value); });
  startWedge({ onScan: (code) => { form.elements.accession.value = code; document.getElementById("test-search").focus(); } });
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
    patient.value = mask(patient.value);
  });
  window.addEventListener("pageshow", () => { sent = false; });
  const wrong = form.querySelector('[aria-invalid="true"], .is-wrong input');
  if (wrong) wrong.focus();
  else patient.focus();
}

start().catch((error) => console.error("order", error));
