/**
 * Handheld scanners type like keyboards. This reads them in the capture phase by `event.code` (an input method in
 * Chinese mode changes `event.key`), and takes a burst as a scan only when all of it looks like a whole label and a
 * terminator follows. Speed alone proves nothing: a scanner that drops its first keys is still fast.
 *
 *   const stop = startWedge({onScan: (code, kind) => …, onKey: (digit) => …, validate: (code) => true});
 */
import { recognise } from "./numbers.js";

const BURST_GAP_MS = 60;
const KEY_DELAY_MS = 90;
const MIN_LENGTH = 4;
const TERMINATORS = new Set(["Enter", "NumpadEnter", "Tab"]);
const SIGNS = { Minus: "-", NumpadSubtract: "-", Period: ".", NumpadDecimal: ".", Slash: "/" };

/** The character that a key stands for on a label, by its place on the keyboard; null for other keys. */
export function characterOf(code) {
  if (/^Key[A-Z]$/.test(code)) return code.slice(3);
  if (/^(Digit|Numpad)\d$/.test(code)) return code.slice(-1);
  return SIGNS[code] || null;
}

const editable = (element) => element instanceof HTMLElement && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));
const wantsText = (element) => editable(element) && !(element.tagName === "INPUT" && /^(checkbox|radio|button|submit|range|file)$/.test(element.type));

/**
 * options: onScan(text, kind) for a whole label; onWrong(text) for a burst that is none; onKey(digit) for a single
 * digit key that no scan followed; validate(text) may refuse what looks like a label but cannot be one here.
 */
export function startWedge({ onScan, onWrong = null, onKey = null, validate = null, target = window } = {}) {
  let buffer = "";
  let lastAt = -Infinity;
  let slowest = 0;
  let before = null;
  let keyTimer = null;

  const reset = () => {
    buffer = "";
    slowest = 0;
    before = null;
  };

  const begin = (field) => {
    reset();
    before = field ? { field, value: field.value } : null;
  };

  const terminator = (event) => {
    const text = buffer;
    const fast = slowest <= BURST_GAP_MS && event.timeStamp - lastAt <= BURST_GAP_MS * 2;
    const kept = before;
    reset();
    if (!fast || text.length < MIN_LENGTH) return;
    const found = recognise(text);
    const ok = found.valid && (!validate || validate(found.text));
    if (!ok && (kept || !onWrong)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    clearTimeout(keyTimer);
    if (kept) kept.field.value = kept.value; // the burst was typed into a field that did not ask for it
    if (ok) onScan(found.text, found.kind);
    else onWrong(found.text);
  };

  const single = (character) => {
    clearTimeout(keyTimer);
    if (onKey && /\d/.test(character)) keyTimer = setTimeout(() => buffer.length <= 1 && onKey(character), KEY_DELAY_MS);
  };

  const listen = (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    const field = wantsText(document.activeElement) ? document.activeElement : null;
    if (field && field.closest("[data-scan-entry], [data-wedge=off]")) return reset();
    if (TERMINATORS.has(event.code)) return terminator(event);
    const character = characterOf(event.code);
    if (!character) return event.code.startsWith("Shift") ? undefined : reset();
    const gap = event.timeStamp - lastAt;
    lastAt = event.timeStamp;
    if (gap > BURST_GAP_MS || (before && before.field !== field)) begin(field);
    else slowest = Math.max(slowest, gap);
    buffer += character;
    if (!field) {
      if (buffer.length === 1) single(character);
      else {
        clearTimeout(keyTimer);
        event.preventDefault();
      }
    }
    return undefined;
  };

  target.addEventListener("keydown", listen, true);
  return () => {
    clearTimeout(keyTimer);
    target.removeEventListener("keydown", listen, true);
  };
}
