/**
 * Single keys as commands beside a wedge scanner, which types letters too: a key counts only when no other one
 * follows within a moment. Keys are told by their place (`event.code`), so that a Chinese input method does not matter.
 *
 *   startKeys({KeyG: () => …, Digit1: () => …});   nothing happens while a field or a dialog has the focus
 *   startKeys({…}, {target: dialog, inDialog: true});   keys of a dialog
 */
const ALONE_MS = 140;

export function startKeys(commands, { target = window, active = () => true, inDialog = false } = {}) {
  let timer = null;
  let lastAt = -Infinity;
  const busy = () => {
    const element = document.activeElement;
    return (!inDialog && Boolean(document.querySelector("dialog[open]"))) || (element && /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) && !/^(checkbox|radio|button|submit)$/.test(element.type));
  };
  const listen = (event) => {
    clearTimeout(timer);
    const burst = event.timeStamp - lastAt < ALONE_MS;
    lastAt = event.timeStamp;
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || burst || busy() || !active()) return;
    const code = event.code.replace("Numpad", "Digit");
    const run = commands[code];
    // Keys that waited while the page was busy come first: one more turn, and any of them cancels this one.
    if (run) timer = setTimeout(() => { timer = setTimeout(run, 20); }, ALONE_MS);
  };
  target.addEventListener("keydown", listen);
  return () => {
    clearTimeout(timer);
    target.removeEventListener("keydown", listen);
  };
}
