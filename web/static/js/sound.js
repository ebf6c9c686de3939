/** Tones for hands that are busy: ok (short, high), already (two), wrong (long, low). Also a buzz where there is one. */
let context = null;
let muted = false;

/** Browsers let a page sound only after a touch: call this from the first click. */
export function unlockSound() {
  if (!context && (window.AudioContext || window.webkitAudioContext)) {
    context = new (window.AudioContext || window.webkitAudioContext)();
  }
  if (context && context.state === "suspended") context.resume().catch(() => undefined);
}

function beep(frequency, startS, lengthS, type = "sine", volume = 0.25) {
  const at = context.currentTime + startS;
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.type = type;
  oscillator.frequency.value = frequency;
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(volume, at + 0.008);
  gain.gain.setValueAtTime(volume, at + lengthS - 0.02);
  gain.gain.linearRampToValueAtTime(0, at + lengthS);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + lengthS + 0.02);
}

const TONES = {
  ok: () => beep(1320, 0, 0.09),
  already: () => { beep(880, 0, 0.1); beep(880, 0.16, 0.1); },
  wrong: () => beep(196, 0, 0.42, "square", 0.18),
};
const BUZZ = { ok: 40, already: [40, 60, 40], wrong: 320 };

/** play("ok" | "already" | "wrong"). Never throws. */
export function play(name) {
  if (muted || !TONES[name]) return;
  try {
    unlockSound();
    if (context) TONES[name]();
    if (navigator.vibrate && navigator.userActivation !== undefined ? navigator.userActivation.hasBeenActive : false) navigator.vibrate(BUZZ[name]);
  } catch (error) {
    /* a phone without sound still shows the colour and the words */
  }
}

export const setMuted = (value) => { muted = value; };
