/**
 * Long tables: filter, sort and export in place. Marked up, not programmed:
 *   <input data-filter="#list">                     hides rows that hold none of the words
 *   <button class="pill-filter" data-pill="#list" data-value="rejected">   rows with data-state="rejected" ("" = all)
 *   <span data-filter-count="#list"></span>         "12 of 80"
 *   <th data-sort="text|num|time"><button class="sort">  (macro sort_head); a cell's data-value goes before its text
 *   <button data-export="#list" data-filename="…">  the rows shown, as CSV that spreadsheets open in Chinese
 */
import { _, lang } from "./i18n.js";

const collator = new Intl.Collator(lang, { numeric: true, sensitivity: "base" });
const cellText = (cell) => (cell ? cell.dataset.value || cell.textContent.trim() : "");

function words(table) {
  return Array.from(document.querySelectorAll("[data-filter]")).filter((input) => document.querySelector(input.dataset.filter) === table)
    .flatMap((input) => input.value.toLowerCase().split(/\s+/)).filter(Boolean);
}

function pill(table) {
  const pressed = Array.from(document.querySelectorAll('[data-pill][aria-pressed="true"]')).find((one) => document.querySelector(one.dataset.pill) === table);
  return pressed ? pressed.dataset.value : "";
}

/** Show the rows that fit the filters; call it again after rows were added. */
export function applyFilters(table) {
  const wanted = words(table);
  const state = pill(table);
  let shown = 0;
  let all = 0;
  for (const row of table.tBodies[0].rows) {
    if (row.dataset.fixed !== undefined) continue;
    all += 1;
    const text = `${row.dataset.search || ""} ${row.textContent}`.toLowerCase();
    const fits = wanted.every((word) => text.includes(word)) && (!state || (row.dataset.state || "").split(" ").includes(state));
    row.hidden = !fits;
    if (fits) shown += 1;
  }
  for (const element of document.querySelectorAll("[data-filter-count]")) {
    if (document.querySelector(element.dataset.filterCount) === table) element.textContent = shown === all ? _("%(n)s rows", { n: all }) : _("%(n)s of %(m)s rows", { n: shown, m: all });
  }
  table.dispatchEvent(new CustomEvent("filtered", { detail: { shown, all } }));
}

function compare(kind, a, b) {
  if (kind === "num") return (parseFloat(a.replace(/,/g, "")) || 0) - (parseFloat(b.replace(/,/g, "")) || 0);
  return collator.compare(a, b);
}

export function sortBy(table, head, direction) {
  const column = head.cellIndex;
  const sign = direction === "descending" ? -1 : 1;
  const rows = Array.from(table.tBodies[0].rows);
  rows.sort((a, b) => sign * compare(head.dataset.sort, cellText(a.cells[column]), cellText(b.cells[column])));
  table.tBodies[0].append(...rows);
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", direction);
}

/** As logistics/exports.py: the first character that shows, in its plain form; a number stays one. */
const runs = (text) => !/^[-+−]?[\d.,]+\s?%?$/.test(text) && /^[\s\p{Cf}\p{Cc}]*[=+\-@\u2212]/u.test(text.normalize("NFKC"));

/** The rows shown, as CSV with a byte order mark; cells that a spreadsheet would run as formulas are defused. */
export function toCsv(table) {
  const quote = (text) => `"${(runs(text) ? `'${text}` : text).replace(/"/g, '""')}"`;
  const skip = new Set(Array.from(table.tHead.rows[0].cells).filter((cell) => cell.dataset.export === "no").map((cell) => cell.cellIndex));
  const line = (row) => Array.from(row.cells).filter((cell) => !skip.has(cell.cellIndex)).map((cell) => quote(cell.textContent.replace(/\s+/g, " ").trim())).join(",");
  return `\ufeff${[table.tHead.rows[0], ...Array.from(table.tBodies[0].rows).filter((row) => !row.hidden)].map(line).join("\r\n")}\r\n`;
}

export function download(text, filename, type = "text/csv;charset=utf-8") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function wireTables(root = document) {
  for (const input of root.querySelectorAll("[data-filter]")) {
    const table = document.querySelector(input.dataset.filter);
    if (!table) continue;
    input.addEventListener("input", () => applyFilters(table));
    if (input.form) input.form.addEventListener("submit", (event) => event.preventDefault());
    applyFilters(table);
  }
  for (const button of root.querySelectorAll("[data-pill]")) {
    button.addEventListener("click", () => {
      for (const other of document.querySelectorAll("[data-pill]")) if (other.dataset.pill === button.dataset.pill) other.setAttribute("aria-pressed", String(other === button));
      const table = document.querySelector(button.dataset.pill);
      if (table) applyFilters(table);
    });
  }
  for (const head of root.querySelectorAll("th[data-sort]")) {
    head.querySelector("button").addEventListener("click", () =>
      sortBy(head.closest("table"), head, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending"));
  }
  for (const button of root.querySelectorAll("[data-export]:not(th)")) {
    button.addEventListener("click", () => download(toCsv(document.querySelector(button.dataset.export)), button.dataset.filename || "labrelay.csv"));
  }
}
