/**
 * The temperature chart. Band and gaps are shaded, a gap is never joined by a line, the lowest and highest value of
 * every stretch stay visible when points are thinned, and custody events stand as lines.
 *
 *   const chart = await createTempChart(element, {
 *     points: [{at: "2026-03-02T08:12:00+08:00", temp: 5.1}, …],      // or {at, temp, low, high} when thinned by the server
 *     band: {low: 2, high: 8}, gaps: [{from, to}], events: [{at, label, tone}],
 *     maxGapS: 900, label: "…", onCursor: (date | null) => …,
 *   });
 *   chart.setCursor(date | null); chart.setData(options); chart.destroy();
 */
import uPlot from "../vendor/uplot/uplot.js";
import { formatTime } from "./clock.js";
import { css } from "./css.js";
import { fill, h } from "./dom.js";
import { _ } from "./i18n.js";
import { token } from "./theme.js";

const ZONE = "Asia/Shanghai";
const EVENT_TOKENS = { ok: "--ok-solid", warn: "--warn-solid", danger: "--danger-solid", info: "--info-solid", hold: "--hold-solid", brand: "--brand" };
const seconds = (at) => (at instanceof Date ? at.getTime() : typeof at === "number" ? at : Date.parse(at)) / 1000;

/** At most 2 × `buckets` columns out of points sorted by time: mean, lowest and highest of each stretch. Gaps stay open. */
export function thin(points, buckets) {
  if (points.length <= buckets) return points.map((point) => ({ low: point.temp, high: point.temp, ...point }));
  const first = points[0].at;
  const width = (points[points.length - 1].at - first) / buckets || 1;
  const out = [];
  for (const point of points) {
    const slot = Math.floor((point.at - first) / width);
    const low = point.low ?? point.temp;
    const high = point.high ?? point.temp;
    const last = out[out.length - 1];
    if (last && last.slot === slot && point.at - last.end <= width) {
      last.sum += point.temp;
      last.n += 1;
      last.end = point.at;
      last.low = Math.min(last.low, low);
      last.high = Math.max(last.high, high);
    } else out.push({ slot, at: point.at, end: point.at, sum: point.temp, n: 1, low, high });
  }
  return out.map(({ at, end, sum, n, low, high }) => ({ at: (at + end) / 2, temp: sum / n, low, high }));
}

/** Columns for uPlot with a hole wherever a stretch without readings lies. */
function columns(points, gaps, maxGapS) {
  const sorted = points.filter((point) => Number.isFinite(point.temp)).map((point) => ({ ...point, at: seconds(point.at) })).sort((a, b) => a.at - b.at);
  const known = (gaps || []).map((gap) => ({ from: seconds(gap.from), to: seconds(gap.to) }));
  const found = [];
  sorted.forEach((point, index) => {
    const next = sorted[index + 1];
    if (next && next.at - point.at > maxGapS) found.push({ from: point.at, to: next.at });
  });
  const holes = known.concat(found.filter((hole) => !known.some((gap) => gap.from <= hole.to && gap.to >= hole.from)));
  const thinned = thin(sorted, 1200).concat(holes.map((hole) => ({ at: (hole.from + hole.to) / 2, temp: null, low: null, high: null })));
  thinned.sort((a, b) => a.at - b.at);
  return { data: [thinned.map((p) => p.at), thinned.map((p) => p.temp), thinned.map((p) => p.high), thinned.map((p) => p.low)], holes };
}

function shade(u, colour, left, right, top, bottom) {
  u.ctx.fillStyle = colour;
  u.ctx.fillRect(left, top, right - left, bottom - top);
}

function hatch(u, left, right) {
  const { ctx, bbox } = u;
  shade(u, token("--chart-gap"), left, right, bbox.top, bbox.top + bbox.height);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, bbox.top, right - left, bbox.height);
  ctx.clip();
  ctx.strokeStyle = token("--line-strong");
  ctx.globalAlpha = 0.45;
  ctx.lineWidth = 1;
  for (let x = left - bbox.height; x < right; x += 14) {
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
    ctx.stroke();
  }
  ctx.restore();
}

function background(u, { band, holes }) {
  const { bbox } = u;
  const right = bbox.left + bbox.width;
  const clampY = (value) => Math.min(bbox.top + bbox.height, Math.max(bbox.top, value));
  const clampX = (value) => Math.min(right, Math.max(bbox.left, value));
  if (band) {
    const top = band.high === null || band.high === undefined ? bbox.top : clampY(u.valToPos(band.high, "y", true));
    const bottom = band.low === null || band.low === undefined ? bbox.top + bbox.height : clampY(u.valToPos(band.low, "y", true));
    shade(u, token("--chart-band"), bbox.left, right, top, bottom);
    u.ctx.strokeStyle = token("--ok-solid");
    u.ctx.lineWidth = 1;
    for (const [limit, y] of [[band.high, top], [band.low, bottom]]) {
      if (limit === null || limit === undefined) continue;
      u.ctx.beginPath();
      u.ctx.moveTo(bbox.left, y);
      u.ctx.lineTo(right, y);
      u.ctx.stroke();
    }
  }
  for (const hole of holes) hatch(u, clampX(u.valToPos(hole.from, "x", true)), clampX(u.valToPos(hole.to, "x", true)));
}

function eventLines(u, events) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.font = `${14 * ratio}px sans-serif`;
  ctx.textBaseline = "top";
  let lastX = -Infinity;
  let level = 0;
  for (const event of events) {
    const x = u.valToPos(seconds(event.at), "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    level = x - lastX < 110 * ratio ? (level + 1) % 3 : 0;
    lastX = x;
    ctx.strokeStyle = token(EVENT_TOKENS[event.tone] || "--text-3");
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = token("--text-2");
    const room = bbox.left + bbox.width - x;
    ctx.textAlign = room < 100 * ratio ? "right" : "left";
    ctx.fillText(event.label || "", x + (ctx.textAlign === "left" ? 5 : -5) * ratio, bbox.top + (4 + level * 18) * ratio);
  }
  ctx.restore();
}

function limits({ band, data }) {
  const all = data[2].concat(data[3], [band && band.low, band && band.high]).filter(Number.isFinite);
  const low = Math.min(...all);
  const high = Math.max(...all);
  const room = Math.max(1, (high - low) * 0.12);
  return [low - room, high + room];
}

const axis = (extra) => ({
  stroke: token("--text-2"), font: "16px sans-serif", labelFont: "16px sans-serif",
  grid: { stroke: token("--chart-grid"), width: 1 }, ticks: { stroke: token("--chart-grid"), width: 1 }, ...extra,
});

function optionsFor(element, view, cursorMoved) {
  const line = token("--chart-line");
  const low = limits(view);
  return {
    width: Math.max(280, element.clientWidth), height: view.height || 300,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), ZONE),
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false }, points: { size: 9 }, sync: view.syncKey ? { key: view.syncKey } : undefined },
    scales: { x: { time: true }, y: { range: () => low } },
    axes: [
      axis({ space: 76, values: (u, splits) => splits.map((at) => formatTime(at * 1000)) }),
      axis({ size: 64, values: (u, splits) => splits.map((value) => `${Number(value.toFixed(1))}°`) }),
    ],
    series: [
      {},
      { label: "°C", stroke: line, width: 2, spanGaps: false, points: { show: view.data[0].length < 60, size: 5 } },
      { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false },
      { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false },
    ],
    bands: [{ series: [2, 3], fill: `${line}44` }],
    hooks: {
      drawClear: [(u) => background(u, view)],
      draw: [(u) => eventLines(u, view.events || [])],
      setCursor: [cursorMoved],
    },
  };
}

function legend(band) {
  const text = band ? [band.low, band.high].map((value) => (value === null || value === undefined ? "" : value)).join("–") : "";
  return h("div", { class: "chart-legend" },
    h("span", { class: "chart-key is-line" }, _("Temperature in the box")),
    band && h("span", { class: "chart-key is-band" }, _("Allowed %(band)s °C", { band: text })),
    h("span", { class: "chart-key is-gap" }, _("No readings")));
}

export async function createTempChart(element, options) {
  await css("/static/vendor/uplot/uplot.css");
  let view = null;
  let plot = null;
  let quiet = false;
  const tip = h("div", { class: "chart-tip", hidden: true });

  function cursorMoved(u) {
    const index = u.cursor.idx;
    const at = u.cursor.left >= 0 ? new Date(u.posToVal(u.cursor.left, "x") * 1000) : null;
    const value = index === null || index === undefined ? null : u.data[1][index];
    tip.hidden = !at;
    if (at) {
      tip.textContent = `${formatTime(at)}  ${value === null || value === undefined ? _("No readings") : `${value.toFixed(1)} °C`}`;
      tip.style.left = `${Math.min(u.cursor.left + 70, element.clientWidth - 150)}px`;
    }
    if (!quiet && view.onCursor) view.onCursor(at);
  }

  function draw() {
    if (plot) plot.destroy();
    fill(element, tip);
    element.classList.add("chart");
    element.setAttribute("role", "img");
    if (view.label) element.setAttribute("aria-label", view.label);
    plot = new uPlot(optionsFor(element, view, cursorMoved), view.data, element);
    element.append(legend(view.band));
  }

  function setData(next) {
    view = { ...options, ...next };
    Object.assign(view, columns(view.points || [], view.gaps, view.maxGapS || 900));
    draw();
  }

  const resize = new ResizeObserver(() => plot && Math.abs(plot.width - element.clientWidth) > 4 && plot.setSize({ width: Math.max(280, element.clientWidth), height: plot.height }));
  setData({});
  resize.observe(element);
  document.addEventListener("theme:changed", draw);

  return {
    setData,
    setCursor(at) {
      quiet = true;
      if (at) plot.setCursor({ left: plot.valToPos(seconds(at), "x"), top: 10 });
      else plot.setCursor({ left: -10, top: -10 });
      quiet = false;
    },
    destroy() {
      resize.disconnect();
      document.removeEventListener("theme:changed", draw);
      if (plot) plot.destroy();
    },
  };
}
