/**
 * The map: sites, routes and couriers on a plain ground; tiles only when the installation names a provider.
 * Everything is WGS-84; what a Chinese provider shifts (GCJ-02) is shifted at this drawing edge and nowhere else.
 *
 *   const map = await createMap(element);
 *   map.sites([{code, name, tier: "township|county|city", lat, lon, href, note}]);
 *   const line = map.line([[lat, lon], …], {tone: "brand", dashed: false, label: "…"});
 *   const car = map.courier({lat, lon, name, late}); car.move({lat, lon, late}); map.fit(); map.cursor({lat, lon} | null);
 */
import * as L from "../vendor/leaflet/leaflet.js";
import { css } from "./css.js";
import { h, icon, meta } from "./dom.js";
import { _ } from "./i18n.js";
import { token } from "./theme.js";

const SHIFTED = /autonavi|amap|gtimg|qq\.com|google\.cn/;
const SIZE = { township: 16, county: 30, city: 36 };
const TONES = { brand: "--brand", ok: "--ok-solid", warn: "--warn-solid", danger: "--danger-solid", info: "--info-solid", hold: "--hold-solid", neutral: "--neutral-solid" };
/** Routes of a day need more colours than states have; told apart by label and number too. */
export const ROUTE_COLOURS = ["#0b6474", "#c05a00", "#6c3eb1", "#1d62b8", "#157a47", "#a8326f", "#7a6a00", "#3f5560"];

const A = 6378245;
const EE = 0.006693421622965943;

/** WGS-84 → GCJ-02 (the published approximation; unchanged outside China). Gives [lat, lon]. */
export function toGcj02(lat, lon) {
  if (lon < 72.004 || lon > 137.8347 || lat < 0.8293 || lat > 55.8271) return [lat, lon];
  const x = lon - 105;
  const y = lat - 35;
  const wave = (20 * Math.sin(6 * x * Math.PI) + 20 * Math.sin(2 * x * Math.PI)) * (2 / 3);
  let dLat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * Math.sqrt(Math.abs(x)) + wave;
  dLat += ((20 * Math.sin(y * Math.PI) + 40 * Math.sin((y / 3) * Math.PI)) * 2) / 3 + ((160 * Math.sin((y / 12) * Math.PI) + 320 * Math.sin((y * Math.PI) / 30)) * 2) / 3;
  let dLon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * Math.sqrt(Math.abs(x)) + wave;
  dLon += ((20 * Math.sin(x * Math.PI) + 40 * Math.sin((x / 3) * Math.PI)) * 2) / 3 + ((150 * Math.sin((x / 12) * Math.PI) + 300 * Math.sin((x / 30) * Math.PI)) * 2) / 3;
  const phi = (lat / 180) * Math.PI;
  const magic = 1 - EE * Math.sin(phi) ** 2;
  return [
    lat + (dLat * 180) / (((A * (1 - EE)) / (magic * Math.sqrt(magic))) * Math.PI),
    lon + (dLon * 180) / ((A / Math.sqrt(magic)) * Math.cos(phi) * Math.PI),
  ];
}

const Grid = L.GridLayer.extend({
  createTile() {
    return h("div", { class: "map-grid" });
  },
});

function pin(kind, size, content = null) {
  const element = h("span", { class: `pin pin-${kind}` }, content);
  element.style.width = `${size}px`;
  element.style.height = `${size}px`;
  return L.divIcon({ html: element, className: "", iconSize: [size, size], iconAnchor: [size / 2, size / 2] });
}

/** options: tileUrl, attribution, center, zoom, gcj (default: by the provider's address). */
export async function createMap(element, options = {}) {
  await css("/static/vendor/leaflet/leaflet.css");
  const tileUrl = options.tileUrl === undefined ? meta("tile-url") : options.tileUrl;
  const shifted = options.gcj === undefined ? SHIFTED.test(tileUrl) : options.gcj;
  const place = (lat, lon) => (shifted ? toGcj02(lat, lon) : [lat, lon]);
  element.classList.add("map");
  const leaflet = L.map(element, { preferCanvas: true, zoomControl: false, attributionControl: Boolean(tileUrl), zoomSnap: 0.5, minZoom: 6, maxZoom: 18 });
  leaflet.setView(place(...(options.center || [29.65, 114.2])), options.zoom || 9);
  if (tileUrl) {
    leaflet.attributionControl.setPrefix(false);
    L.tileLayer(tileUrl, { attribution: options.attribution || "", maxZoom: 18 }).addTo(leaflet);
  } else new Grid({ tileSize: 128 }).addTo(leaflet);
  L.control.zoom({ position: "bottomright", zoomInTitle: _("Zoom in"), zoomOutTitle: _("Zoom out") }).addTo(leaflet);
  L.control.scale({ imperial: false, position: "bottomleft" }).addTo(leaflet);
  const everything = L.featureGroup().addTo(leaflet);
  let cursorMarker = null;

  function popup(title, note, href) {
    return h("div", {}, h("strong", {}, title), note && h("div", {}, note), href && h("div", {}, h("a", { href }, _("Open"))));
  }

  function site({ name, tier = "township", lat, lon, href = null, note = "", permanent = tier !== "township", alert = false }) {
    const size = SIZE[tier] || SIZE.township;
    const image = pin(alert ? `${tier} pin-late` : tier, size, tier === "township" ? null : icon(tier === "city" ? "building" : "lab"));
    const marker = L.marker(place(lat, lon), { icon: image, title: name, alt: name, keyboard: true, zIndexOffset: size * 10 });
    marker.bindTooltip(name, { permanent, direction: "bottom", offset: [0, size / 2] });
    marker.bindPopup(popup(name, note, href));
    return marker.addTo(everything);
  }

  function line(points, { tone = "brand", colour = null, dashed = false, weight = 4, label = "", opacity = 0.9 } = {}) {
    const path = L.polyline(points.map(([lat, lon]) => place(lat, lon)), { color: colour || token(TONES[tone] || "--brand"), weight, opacity, dashArray: dashed ? "4 9" : null, lineCap: "round" });
    if (label) path.bindTooltip(label, { sticky: true });
    return path.addTo(everything);
  }

  function courier({ lat, lon, name, late = false, href = null, note = "" }) {
    const image = (isLate) => pin(isLate ? "courier pin-late" : "courier", 34, icon("truck"));
    const marker = L.marker(place(lat, lon), { icon: image(late), title: name, alt: name, zIndexOffset: 900 }).bindTooltip(name, { direction: "top", offset: [0, -18] }).bindPopup(popup(name, note, href)).addTo(everything);
    marker.move = (next) => {
      marker.setLatLng(place(next.lat, next.lon));
      if (next.late !== undefined) marker.setIcon(image(next.late));
    };
    return marker;
  }

  return {
    leaflet,
    layer: everything,
    site,
    sites: (list) => list.map(site),
    line,
    courier,
    clear: () => everything.clearLayers(),
    fit(padding = 32) {
      if (everything.getLayers().length) leaflet.fitBounds(everything.getBounds(), { padding: [padding, padding], maxZoom: 14 });
    },
    cursor(at) {
      if (cursorMarker) cursorMarker.remove();
      cursorMarker = at ? L.circleMarker(place(at.lat, at.lon), { radius: 10, color: token("--danger-solid"), weight: 3, fillOpacity: 0.2 }).addTo(leaflet) : null;
    },
  };
}
