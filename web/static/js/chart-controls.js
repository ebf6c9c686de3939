/** What stands under a temperature chart: buttons for those who do not drag, and the same data as a table. */
import { formatDate, formatTime } from "./clock.js";
import { fill, h, icon } from "./dom.js";
import { _ } from "./i18n.js";

const ROWS = 24;

export function controls({ zoom, pan, reset }) {
  const told = h("span", { class: "muted chart-told", role: "status" });
  const button = (label, sign, work) => h("button", { class: "btn btn-sm", type: "button", title: label, "aria-label": label, onclick: work }, sign);
  const all = button(_("Show everything"), _("Everything"), reset);
  const element = h("div", { class: "chart-controls no-print", role: "group", "aria-label": _("Stretch of time shown") },
    button(_("Earlier"), icon("chevron-left"), () => pan(-0.5)), button(_("Later"), icon("chevron-right"), () => pan(0.5)),
    button(_("Closer"), icon("plus"), () => zoom(0.5)), button(_("Wider"), icon("minus"), () => zoom(2)), all, told);
  return {
    element,
    say(text) { told.textContent = text; },
    update({ whole, thinned }) {
      all.disabled = whole;
      told.textContent = thinned ? _("Thinned: the lowest and highest of every stretch are kept. Closer shows more.") : "";
    },
  };
}

/** Lowest and highest of every part of the stretch, for each probe; a part without readings says so. */
function parts(answer, probe) {
  const width = (answer.to - answer.from) / ROWS;
  const found = Array.from({ length: ROWS }, (unused, index) => ({ from: answer.from + index * width, low: null, high: null }));
  probe.at.forEach((at, index) => {
    const value = probe.temp[index];
    const part = found[Math.min(ROWS - 1, Math.floor((at - answer.from) / width))];
    if (value === null || !part) return;
    part.low = part.low === null ? value : Math.min(part.low, value);
    part.high = part.high === null ? value : Math.max(part.high, value);
  });
  return found;
}

function degrees(part) {
  if (part.low === null) return _("No readings");
  return part.low === part.high ? `${part.low.toFixed(1)} °C` : `${part.low.toFixed(1)} … ${part.high.toFixed(1)} °C`;
}

export function dataTable() {
  const body = h("div", { class: "table-wrap", tabindex: "0", role: "region", "aria-label": _("Temperatures as a table") });
  const element = h("details", { class: "chart-table" }, h("summary", {}, _("Temperatures as a table")), body);
  return {
    element,
    update(answer) {
      const shown = answer.series.filter((one) => one.at.length);
      const cells = shown.map((one) => parts(answer, one));
      const begins = Array.from({ length: ROWS }, (unused, index) => answer.from + (index * (answer.to - answer.from)) / ROWS);
      const broken = (from, to) => answer.excursions.filter((one) => one.from < to && one.to > from).map((one) => one.label).join("; ");
      const head = h("tr", {}, h("th", { scope: "col" }, _("Beginning at")), shown.map((one) => h("th", { scope: "col" }, `${one.device} · ${one.probe}`)), h("th", { scope: "col" }, _("Excursion")));
      const rows = begins.map((from, index) => h("tr", {}, h("th", { scope: "row" }, `${formatDate(from * 1000)} ${formatTime(from * 1000)}`),
        cells.map((probe) => h("td", { class: "num" }, degrees(probe[index]))), h("td", {}, broken(from, begins[index + 1] || answer.to) || "–")));
      fill(body, h("table", { class: "table" }, h("thead", {}, head), h("tbody", {}, rows)));
    },
  };
}
