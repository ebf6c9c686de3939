/** The journey of a specimen: chart, map and timeline on one time cursor; the patient reference on demand; print. */
import { api } from "../api.js";
import { createTempChart } from "../chart.js";
import { formatDate, formatTime } from "../clock.js";
import { _, ready } from "../i18n.js";
import { createMap } from "../map.js";
import { toastError } from "../toast.js";

const root = document.querySelector("[data-journey]");
const data = JSON.parse(root.dataset.journey);
const place = Object.fromEntries(data.sites.map((site) => [site.code, site]));

/** Where the tube was at an instant: between two positions, else at the site of the event before. */
export function whereAt(at, positions, stops, sites) {
  const time = at.getTime();
  for (let index = 1; index < positions.length; index += 1) {
    const [from, to] = [positions[index - 1], positions[index]];
    const [start, end] = [Date.parse(from.at), Date.parse(to.at)];
    if (start <= time && time <= end && end - start < 3600000) {
      const share = end === start ? 0 : (time - start) / (end - start);
      return { lat: from.lat + (to.lat - from.lat) * share, lon: from.lon + (to.lon - from.lon) * share };
    }
  }
  const before = stops.filter((stop) => Date.parse(stop.at) <= time).pop();
  return before ? sites[before.site] || null : null;
}

function markEvent(at) {
  const rows = Array.from(document.querySelectorAll(".event[data-at]"));
  const current = at ? rows.filter((row) => Date.parse(row.dataset.at) <= at.getTime()).pop() : null;
  for (const row of rows) row.classList.toggle("is-current", row === current);
}

function readingAt(at) {
  const near = data.points.reduce((best, point) => (best === null || Math.abs(Date.parse(point.at) - at) < Math.abs(Date.parse(best.at) - at) ? point : best), null);
  return near && Math.abs(Date.parse(near.at) - at) < 900000 ? `${near.temp.toFixed(1)} °C` : _("No readings");
}

async function start() {
  await ready;
  let map = null;
  let chart = null;
  const says = document.querySelector("[data-cursor]");

  function cursor(at) {
    markEvent(at);
    if (map) map.cursor(at ? whereAt(at, data.positions, data.stops, place) : null);
    says.textContent = at ? `${formatDate(at)} ${formatTime(at)} · ${readingAt(at)}` : "\u00a0";
  }

  map = await createMap(document.querySelector("[data-map]"));
  const seen = data.stops.map((stop) => stop.site);
  for (const site of data.sites) map.site({ ...site, permanent: true, note: seen.includes(site.code) ? "" : _("Destination") });
  const drive = data.positions.map((at) => [at.lat, at.lon]);
  const straight = data.stops.map((stop) => place[stop.site]).filter(Boolean).map((site) => [site.lat, site.lon]);
  if (drive.length > 1) map.line(drive, { tone: "brand" });
  else if (straight.length > 1) map.line(straight, { tone: "neutral", dashed: true });
  map.fit(72);

  const element = document.querySelector("[data-chart]");
  if (element) chart = await createTempChart(element, { points: data.points, gaps: data.gaps, band: data.band, events: data.events, source: data.source, maxGapS: 1500, label: element.dataset.label, onCursor: cursor });
  for (const row of document.querySelectorAll(".event[data-at]")) {
    row.addEventListener("mouseenter", () => {
      const at = new Date(row.dataset.at);
      cursor(at);
      if (chart) chart.setCursor(at);
    });
  }
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => window.print());
for (const button of document.querySelectorAll("[data-patient]")) {
  button.addEventListener("click", async () => {
    try {
      const answer = await api(button.dataset.patient, { method: "POST" });
      document.querySelector("[data-patient-ref]").textContent = answer.patient_ref;
      button.hidden = true;
    } catch (error) {
      toastError(error);
    }
  });
}
for (const button of document.querySelectorAll("[data-correct]")) {
  button.addEventListener("click", async () => {
    const { declareWrong } = await import("../correct.js");
    await declareWrong({ specimen_id: Number(root.dataset.specimen) }, Number(button.dataset.correct), button.dataset.title);
  });
}
start().catch((error) => console.error("journey", error));
