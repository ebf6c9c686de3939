/** Makes the samples of the style guide live; also an example of how pages use the modules. */
import { createTempChart } from "./chart.js";
import { chip } from "./dom.js";
import { _, ready } from "./i18n.js";
import { createMap } from "./map.js";
import { createScanPanel } from "./scan-panel.js";
import { toast } from "./toast.js";

const START = Date.parse("2026-03-02T08:00:00+08:00");
const MINUTE = 60000;

function samplePoints() {
  const points = [];
  for (let minute = 0; minute < 240; minute += 2) {
    if (minute > 128 && minute < 152) continue;
    points.push({ at: START + minute * MINUTE, temp: 5 + 1.1 * Math.sin(minute / 17) + (minute > 170 && minute < 205 ? (minute - 170) / 8 : 0) });
  }
  return points;
}

async function start() {
  await ready;
  document.getElementById("sample-toast").addEventListener("click", () => toast(_("Saved on this device."), "ok"));
  const seen = new Set();
  const panel = createScanPanel(document.getElementById("sample-scan"), {
    onScan: async (code) => {
      const again = seen.has(code);
      seen.add(code);
      panel.count(seen.size, 9);
      return again
        ? { tone: "warn", icon: "check", sound: "already", sentence: _("Scanned before; it is not counted again.") }
        : { tone: "ok", icon: "check-circle", sound: "ok", sentence: _("In the box.") };
    },
  });
  await createTempChart(document.getElementById("sample-chart"), {
    points: samplePoints(), band: { low: 2, high: 8 }, label: _("Temperature in the box"),
    events: [{ at: START + 5 * MINUTE, label: _("Sealed"), tone: "info" }, { at: START + 40 * MINUTE, label: _("Handover"), tone: "brand" }, { at: START + 225 * MINUTE, label: _("Arrived"), tone: "ok" }],
  });
  const map = await createMap(document.getElementById("sample-map"));
  const places = [[29.72, 113.9], [29.66, 113.96], [29.6, 114.02], [29.84, 114.32]];
  map.line(places, { label: "1" });
  map.line([[29.72, 113.9], [29.55, 113.82], [29.6, 114.02]], { tone: "warn", dashed: true });
  map.sites([
    { name: "Xindian", tier: "township", lat: 29.72, lon: 113.9 }, { name: "Zhaoliqiao", tier: "township", lat: 29.55, lon: 113.82 },
    { name: "Chibi", tier: "county", lat: 29.66, lon: 113.96 }, { name: "Xianning", tier: "city", lat: 29.84, lon: 114.32 },
  ]);
  map.courier({ lat: 29.63, lon: 113.99, name: "Li" });
  map.fit();
  const sprite = new DOMParser().parseFromString(await (await fetch("/static/icons/sprite.svg")).text(), "image/svg+xml");
  document.getElementById("sample-icons").append(...Array.from(sprite.querySelectorAll("symbol"), (symbol) => chip(symbol.id, "neutral", symbol.id)));
}

start();
