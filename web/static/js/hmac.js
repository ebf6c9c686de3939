/**
 * HMAC-SHA256 (RFC 2104, FIPS 180-4) in plain arithmetic: crypto.subtle is missing where pages come over plain http.
 * hmac(keyHex, text) is 64 hexadecimal digits.
 */
const BLOCK = 64;
const PRIMES = firstPrimes(64);
const fraction = (value) => Math.floor((value - Math.floor(value)) * 2 ** 32) | 0;
const ROUND = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const turn = (word, by) => (word >>> by) | (word << (32 - by));

function firstPrimes(count) {
  const found = [];
  for (let one = 2; found.length < count; one += 1) if (found.every((prime) => one % prime)) found.push(one);
  return found;
}

function padded(bytes) {
  const whole = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
  whole.set(bytes);
  whole[bytes.length] = 0x80;
  new DataView(whole.buffer).setUint32(whole.length - 4, bytes.length * 8);
  return new DataView(whole.buffer);
}

function schedule(view, offset) {
  const words = Array.from({ length: 16 }, (_, index) => view.getInt32(offset + index * 4));
  for (let index = 16; index < 64; index += 1) {
    const near = words[index - 2];
    const far = words[index - 15];
    const small = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3);
    const large = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10);
    words.push((words[index - 16] + small + words[index - 7] + large) | 0);
  }
  return words;
}

function round([a, b, c, d, e, f, g, h], word, constant) {
  const choice = (e & f) ^ (~e & g);
  const most = (a & b) ^ (a & c) ^ (b & c);
  const first = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + constant + word) | 0;
  const second = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + most) | 0;
  return [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
}

function sha256(bytes) {
  const view = padded(bytes);
  let state = START;
  for (let offset = 0; offset < view.byteLength; offset += BLOCK) {
    const mixed = schedule(view, offset).reduce((now, word, index) => round(now, word, ROUND[index]), state);
    state = state.map((word, index) => (word + mixed[index]) | 0);
  }
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, index) => digest.setInt32(index * 4, word));
  return new Uint8Array(digest.buffer);
}

const joined = (first, second) => Uint8Array.from([...first, ...second]);

export function hmac(keyHex, text) {
  const key = new Uint8Array(BLOCK);
  key.set(keyHex.match(/../g).map((pair) => parseInt(pair, 16)));
  const inner = sha256(joined(key.map((byte) => byte ^ 0x36), new TextEncoder().encode(text)));
  return Array.from(sha256(joined(key.map((byte) => byte ^ 0x5c), inner)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
