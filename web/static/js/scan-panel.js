/**
 * Brings a scan panel (macros/scan.html) to life: camera, wedge scanner, typed entry and photo end in one onScan.
 *
 *   const panel = createScanPanel(document.getElementById("scan"), {
 *     onScan: async (code, {how, kind}) => ({tone, icon, sound, code, sentence}),   // or nothing: panel.show() later
 *     wedge: true, validate: (code) => true, onKey: (digit) => …,
 *   });
 *   panel.count(7, 9); panel.show({tone: "ok", icon: "check-circle", sound: "ok", code, sentence}); panel.destroy();
 */
import { fill, h, icon, setTone } from "./dom.js";
import { _ } from "./i18n.js";
import { recognise } from "./numbers.js";
import { Scanner } from "./scanner.js";
import { play, unlockSound } from "./sound.js";
import { startWedge } from "./wedge.js";

const BURST_MS = 20;
const FLASH_MS = 700;
const FRAMES = { ok: "is-ok", already: "is-again", wrong: "is-wrong" };

const cameraSentence = (code) => ({
  insecure: _("The camera works only over https. Ask the administrator for the safe address."),
  none: _("No camera was found. Type the number or use a scanner."),
  denied: _("The camera is not allowed. Allow it in the browser's settings, or type the number."),
  busy: _("Another program is using the camera. Close it and try again."),
  failed: _("The camera did not start. Try again, or take a photo of the label."),
}[code] || _("The camera did not start. Try again, or take a photo of the label."));

export function createScanPanel(root, { onScan, wedge = true, validate = null, onKey = null, keepAwake = true } = {}) {
  const part = (name) => root.querySelector(`[data-scan-${name}]`);
  const view = part("view");
  const video = view && view.querySelector("video");
  const scanner = video ? new Scanner(video, { onCode: (text) => take(text, "scanned") }) : null;
  let flashTimer = null;
  let wake = null;
  let chain = Promise.resolve();

  function message(text) {
    const element = part("message");
    if (!element) return;
    element.hidden = !text;
    element.textContent = text || "";
  }

  function flash(sound) {
    if (!view) return;
    clearTimeout(flashTimer);
    view.classList.remove(...Object.values(FRAMES));
    if (FRAMES[sound]) view.classList.add(FRAMES[sound]);
    flashTimer = setTimeout(() => view.classList.remove(...Object.values(FRAMES)), FLASH_MS);
  }

  function show({ tone = "neutral", icon: name = "scan", sound = null, code = "", sentence = "" }) {
    const result = part("result");
    setTone(result, tone);
    result.querySelector(".icon").replaceWith(icon(name));
    part("code").textContent = code;
    part("sentence").textContent = sentence;
    if (sound) {
      play(sound);
      flash(sound);
    }
  }

  function count(done, total) {
    const element = part("count");
    if (element) fill(element, String(done), " ", h("small", {}, `/ ${total}`));
  }

  function take(text, how) {
    const found = recognise(text);
    if (!found.valid && how === "typed") {
      show({ tone: "danger", icon: "cross-circle", sound: "wrong", code: found.text, sentence: found.kind === "foreign" ? _("This is not a number of a label.") : _("The check character is wrong. Please look at the label again.") });
      return Promise.resolve(false);
    }
    const scanned = how === "scanned" && found.kind === "foreign" && !found.valid ? String(text).trim() : found.text;
    chain = chain.then(async () => {
      const face = await onScan(scanned, { how, kind: found.kind });
      if (face) show({ code: scanned, ...face });
    }).catch((error) => {
      show({ tone: "danger", icon: "warning", sound: "wrong", code: scanned, sentence: error.sentence || _("Something went wrong on this page. Please load it again.") });
      if (!error.sentence) console.error(error);
    });
    return chain;
  }

  async function camera() {
    unlockSound();
    const button = part("camera");
    if (scanner.running) {
      scanner.stop();
      view.classList.remove("is-on");
      if (wake) wake.release().catch(() => undefined);
      button.querySelector("span").textContent = _("Camera on");
      return;
    }
    message("");
    try {
      await scanner.start();
    } catch (error) {
      message(cameraSentence(error.code));
      return;
    }
    view.classList.add("is-on");
    button.querySelector("span").textContent = _("Camera off");
    offerAbilities();
    if (keepAwake && navigator.wakeLock) wake = await navigator.wakeLock.request("screen").catch(() => null);
  }

  function offerAbilities() {
    const { torch, zoom } = scanner.abilities;
    part("torch").hidden = !torch;
    part("zoom").hidden = !zoom;
    if (zoom) Object.assign(part("zoom").querySelector("input"), { min: zoom.min, max: Math.min(zoom.max, 6), step: zoom.step || 0.1, value: zoom.min });
  }

  async function photo(event) {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    message(_("Reading the photo…"));
    const codes = await scanner.readFile(file).catch(() => []);
    message("");
    if (codes.length) codes.forEach((code) => take(code.text, "scanned"));
    else show({ tone: "warn", icon: "camera", sound: "wrong", code: _("Nothing readable"), sentence: _("No label could be read in this photo. Go closer, hold it straight, mind the light.") });
  }

  if (scanner) {
    part("camera").addEventListener("click", camera);
    part("photo").addEventListener("change", photo);
    part("torch").addEventListener("click", (event) => {
      const on = event.currentTarget.getAttribute("aria-pressed") !== "true";
      event.currentTarget.setAttribute("aria-pressed", String(on));
      scanner.setTorch(on).catch(() => undefined);
    });
    part("zoom").querySelector("input").addEventListener("input", (event) => scanner.setZoom(Number(event.target.value)).catch(() => undefined));
  }
  const entry = part("entry");
  const speed = { keys: 0, first: 0, last: 0 };
  const keyed = (event) => {
    if (event.key.length !== 1) return;
    if (!entry.elements.code.value) Object.assign(speed, { keys: 0, first: event.timeStamp });
    speed.keys += 1;
    speed.last = event.timeStamp;
  };
  const submit = (event) => {
    event.preventDefault();
    unlockSound();
    const field = entry.elements.code;
    const text = field.value.trim();
    field.value = "";
    if (!text) return;
    // A handheld scanner that fills the field writes every character, and faster than fingers do.
    const burst = speed.keys >= Math.max(text.length, 4) && (speed.last - speed.first) / speed.keys < BURST_MS;
    take(text, burst ? "scanned" : "typed");
  };
  if (entry) entry.addEventListener("submit", submit);
  if (entry) entry.addEventListener("keydown", keyed);
  const stopWedge = wedge ? startWedge({ onScan: (text) => take(text, "scanned"), onKey, validate }) : () => undefined;

  // Until here a click would have been lost: the template delivers them disabled.
  for (const control of [part("camera"), entry && entry.elements.code]) if (control) control.disabled = false;

  return {
    show, count, take, message, scanner,
    startCamera: () => (scanner && !scanner.running ? camera() : Promise.resolve()),
    destroy() {
      stopWedge();
      if (scanner) scanner.dispose();
      if (entry) entry.removeEventListener("submit", submit);
      if (entry) entry.removeEventListener("keydown", keyed);
    },
  };
}
