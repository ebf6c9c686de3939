/**
 * The temperature chart. Band and gaps are shaded, a gap is never joined by a line, the lowest and highest value of
 * every stretch stay visible when points are thinned, and custody events stand as lines. With a source (the address of
 * /api/v1/boxes/…/temperatures) all probes are drawn, excursions are shaded, and zooming asks for finer data.
 *
 *   const chart = await createTempChart(element, {
 *     points: [{at: "2026-03-02T08:12:00+08:00", temp: 5.1}, …],      // or {at, temp, low, high} when thinned by the server
 *     band: {low: 2, high: 8}, gaps: [{from, to}], events: [{at, label, tone}],
 *     maxGapS: 900, label: "…", onCursor: (date | null) => …, source: "/api/v1/boxes/BX-1/temperatures?from=…&to=…",
 *   });
 *   chart.setCursor(date | null); chart.setData(options); chart.destroy();
 */
import uPlot from "../vendor/uplot/uplot.js";
import { api } from "./api.js";
import { controls, dataTable } from "./chart-controls.js";
import { formatDate, formatTime } from "./clock.js";
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

/** Columns out of the server's answer: one for each probe, aligned; a null stands in each gap, undefined where another
 * probe has a reading and this one has none. */
function answered(answer) {
  const shown = answer.series.filter((one) => one.at.length);
  const holes = shown.length ? common(shown.map((one) => one.gaps)) : [{ from: answer.from, to: answer.to }];
  return {
    data: shown.length ? uPlot.join(shown.map((one) => [one.at, one.temp])) : [[answer.from, answer.to], [null, null]],
    holes, band: answer.band, excursions: answer.excursions, events: answer.events,
    names: shown.map((one) => (shown.length > 1 ? `${one.device} · ${one.probe}` : "")), from: answer.from, to: answer.to, answer,
  };
}

/** Where no probe has readings. */
function common(all) {
  return all.reduce((left, right) => left.flatMap(([from, to]) => right.map(([begin, end]) => [Math.max(from, begin), Math.min(to, end)])).filter(([from, to]) => from < to))
    .map(([from, to]) => ({ from, to }));
}

const PROBES = ["--chart-line", "--hold-solid", "--brand", "--warn-solid", "--text-2"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4]];

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

function background(u, { band, holes, excursions }) {
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
  for (const one of excursions || []) {
    u.ctx.save();
    u.ctx.globalAlpha = 0.16;
    const left = clampX(u.valToPos(one.from, "x", true));
    shade(u, token("--danger-solid"), left, Math.max(left + 3, clampX(u.valToPos(one.to, "x", true))), bbox.top, bbox.top + bbox.height);
    u.ctx.restore();
  }
  for (const hole of holes) hatch(u, clampX(u.valToPos(hole.from, "x", true)), clampX(u.valToPos(hole.to, "x", true)));
}

const LABEL_ROWS = 5;
const LABEL_ROOM = 0.25; // of the height, above the highest value: the first rows of labels cover no line

function eventLines(u, events) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.font = `${14 * ratio}px sans-serif`;
  ctx.textBaseline = "top";
  const written = []; // [left, right, row] of the labels
  for (const event of events) {
    const x = u.valToPos(seconds(event.at), "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = token(EVENT_TOKENS[event.tone] || "--text-3");
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([4 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = token("--text-2");
    label(event.label || "", x);
  }
  ctx.restore();

  // On the right of its line, or on the left where there is no room; in the first row where it covers no other label.
  function label(text, x) {
    const gap = 5 * ratio;
    const width = ctx.measureText(text).width;
    const left = x + gap + width > bbox.left + bbox.width ? x - gap - width : x + gap;
    const covers = (row) => written.some(([from, to, other]) => other === row && from < left + width + gap && left < to + gap);
    let row = 0;
    while (row < LABEL_ROWS && covers(row)) row += 1;
    if (row === LABEL_ROWS) return; // the timeline has it
    written.push([left, left + width, row]);
    ctx.textAlign = "left";
    // On a halo, so that it stays legible where a further row meets the line.
    ctx.lineWidth = 4 * ratio;
    ctx.lineJoin = "round";
    ctx.strokeStyle = token("--surface");
    ctx.strokeText(text, left, bbox.top + (4 + row * 18) * ratio);
    ctx.fillText(text, left, bbox.top + (4 + row * 18) * ratio);
  }
}

function limits({ band, data, events }) {
  const all = [band && band.low, band && band.high];
  for (const column of data.slice(1)) for (const value of column) all.push(value);
  const known = all.filter(Number.isFinite);
  const low = known.reduce((a, b) => Math.min(a, b), Infinity);
  const high = known.reduce((a, b) => Math.max(a, b), -Infinity);
  const room = Math.max(1, (high - low) * 0.12);
  return [low - room, high + (events && events.length ? LABEL_ROOM * (high - low + 2 * room) : room)];
}

const axis = (extra) => ({
  stroke: token("--text-2"), font: "16px sans-serif", labelFont: "16px sans-serif",
  grid: { stroke: token("--chart-grid"), width: 1 }, ticks: { stroke: token("--chart-grid"), width: 1 }, ...extra,
});

/** One line a probe, or (without a source) the line with the lowest and highest of every stretch around it. */
function drawn(view) {
  const line = token("--chart-line");
  const points = { show: view.data[0].length < 60, size: 5 };
  if (view.names) return { series: view.names.map((name, index) => ({ label: name || "°C", stroke: token(PROBES[index % PROBES.length]), dash: DASHES[index % DASHES.length], width: 2, spanGaps: false, points })) };
  return {
    series: [
      { label: "°C", stroke: line, width: 2, spanGaps: false, points },
      { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false },
      { stroke: "transparent", width: 0, points: { show: false }, spanGaps: false },
    ],
    bands: [{ series: [2, 3], fill: `${line}44` }],
  };
}

/** Times on the axis: with the day where more than a day is shown. */
function timeLabels(u, splits) {
  const long = splits.length > 1 && splits[splits.length - 1] - splits[0] > 86400;
  return splits.map((at) => (long ? `${formatDate(at * 1000).slice(5)} ${formatTime(at * 1000)}` : formatTime(at * 1000)));
}

function optionsFor(element, view, cursorMoved, zoomed) {
  const low = limits(view);
  const lines = drawn(view);
  const wide = view.data[0].length && view.data[0][view.data[0].length - 1] - view.data[0][0] > 86400;
  return {
    width: Math.max(280, element.clientWidth), height: view.height || 300,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), ZONE),
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: !view.answer }, points: { size: 9 }, sync: view.syncKey ? { key: view.syncKey } : undefined },
    scales: { x: { time: true, range: view.from ? () => [view.from, view.to] : undefined }, y: { range: () => low } },
    axes: [
      axis({ space: wide ? 130 : 76, values: timeLabels }),
      axis({ size: 64, values: (u, splits) => splits.map((value) => `${Number(value.toFixed(1))}°`) }),
    ],
    series: [{}, ...lines.series],
    bands: lines.bands || [],
    hooks: {
      drawClear: [(u) => background(u, view)],
      draw: [(u) => eventLines(u, view.events || [])],
      setCursor: [cursorMoved],
      setSelect: [zoomed],
    },
  };
}

function legend({ band, names, excursions }) {
  const text = band ? [band.low, band.high].map((value) => (value === null || value === undefined ? "" : value)).join("–") : "";
  return h("div", { class: "chart-legend" },
    names && names.length > 1 ? names.map((name, index) => h("span", { class: `chart-key is-line is-probe-${index % PROBES.length}` }, name)) : h("span", { class: "chart-key is-line" }, _("Temperature in the box")),
    band && h("span", { class: "chart-key is-band" }, _("Allowed %(band)s °C", { band: text })),
    excursions && excursions.length > 0 && h("span", { class: "chart-key is-excursion" }, _("Excursion")),
    h("span", { class: "chart-key is-gap" }, _("No readings")));
}

export async function createTempChart(element, options) {
  await css("/static/vendor/uplot/uplot.css");
  let view = null;
  let plot = null;
  let quiet = false;
  let asked = 0;
  let whole = null; // the answer for everything, to which the zoom goes back
  const tip = h("div", { class: "chart-tip", hidden: true });
  const canvas = h("div", { class: "chart-canvas" });
  const bar = options.source ? controls({ zoom, pan, reset: () => whole && show(whole) }) : null;
  const table = options.source ? dataTable() : null;

  function valuesAt(u, index) {
    const names = view.names || [""];
    const told = names.map((name, place) => {
      let at = index; // the reading of this probe that holds here
      while (at > 0 && u.data[place + 1][at] === undefined) at -= 1;
      const value = u.data[place + 1][at];
      return value === null || value === undefined ? "" : `${name ? `${name}: ` : ""}${value.toFixed(1)} °C`;
    }).filter(Boolean);
    return told.join("  ") || _("No readings");
  }

  function cursorMoved(u) {
    const index = u.cursor.idx;
    const at = u.cursor.left >= 0 ? new Date(u.posToVal(u.cursor.left, "x") * 1000) : null;
    tip.hidden = !at;
    if (at) {
      tip.textContent = `${formatTime(at)}  ${index === null || index === undefined ? _("No readings") : valuesAt(u, index)}`;
      tip.style.left = `${Math.max(0, Math.min(u.cursor.left + 70, element.clientWidth - tip.offsetWidth - 8))}px`;
    }
    if (!quiet && view.onCursor) view.onCursor(at);
  }

  function zoomed(u) {
    if (!view.answer || u.select.width < 4) return;
    const [from, to] = [u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    ask(from, to);
  }

  function draw() {
    if (plot) plot.destroy();
    fill(canvas, tip);
    plot = new uPlot(optionsFor(canvas, view, cursorMoved, zoomed), view.data, canvas);
    fill(element, ...[canvas, bar && bar.element, legend(view), table && table.element].filter(Boolean));
    if (bar) bar.update({ whole: !whole || (view.from <= whole.from && view.to >= whole.to), thinned: view.answer && view.answer.series.some((one) => one.thinned) });
    if (table && view.answer) table.update(view.answer);
  }

  function setData(next) {
    view = { ...options, ...next };
    Object.assign(view, columns(view.points || [], view.gaps, view.maxGapS || 900));
    draw();
  }

  function show(answer) {
    view = { ...options, ...answered(answer) };
    draw();
  }

  async function ask(from, to) {
    const mine = asked += 1;
    const url = new URL(options.source, location.href);
    if (from !== undefined) {
      url.searchParams.set("from", new Date(from * 1000).toISOString());
      url.searchParams.set("to", new Date(to * 1000).toISOString());
    }
    try {
      const answer = await api(url.pathname + url.search, { timeout: 15000 });
      if (mine !== asked) return; // somebody has zoomed on meanwhile
      if (from === undefined) whole = answer;
      show(answer);
    } catch (error) {
      if (bar) bar.say(error.sentence || _("Finer data could not be loaded."));
    }
  }

  function move(from, to) {
    if (!whole) return;
    const length = Math.max(600, Math.min(to - from, whole.to - whole.from));
    const begin = Math.max(whole.from, Math.min(from, whole.to - length));
    if (length >= whole.to - whole.from) show(whole);
    else ask(begin, begin + length);
  }

  function zoom(factor) {
    const middle = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : (view.from + view.to) / 2;
    const length = (view.to - view.from) * factor;
    move(middle - length / 2, middle + length / 2);
  }

  function pan(share) {
    const by = (view.to - view.from) * share;
    move(view.from + by, view.to + by);
  }

  /** Arrow keys move the time cursor from reading to reading; plus, minus and 0 zoom. */
  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -25, PageDown: 25 }[event.key];
    if (step) {
      const last = view.data[0].length - 1;
      const index = plot.cursor.left < 0 || plot.cursor.idx === null ? (step > 0 ? 0 : last) : Math.max(0, Math.min(last, plot.cursor.idx + step));
      plot.setCursor({ left: plot.valToPos(view.data[0][index], "x"), top: 10 });
      if (bar) bar.say(tip.textContent);
    } else if (options.source && event.key === "+") zoom(0.5);
    else if (options.source && event.key === "-") zoom(2);
    else if (options.source && event.key === "0" && whole) show(whole);
    else return;
    event.preventDefault();
  }

  element.classList.add("chart");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  if (options.label) canvas.setAttribute("aria-label", options.label);
  canvas.addEventListener("keydown", key);
  const resize = new ResizeObserver(() => plot && Math.abs(plot.width - element.clientWidth) > 4 && plot.setSize({ width: Math.max(280, element.clientWidth), height: plot.height }));
  setData({});
  resize.observe(element);
  document.addEventListener("theme:changed", draw);
  if (options.source) await ask();

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
