/**
 * Numbers on labels. Ours end in a check character after ISO/IEC 7064 MOD 37,36 (accession LR…, consignment CN…,
 * box BX…, seal SL…, load item IT…); those of a laboratory system are taken as they are.
 */
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const FORMS = [
  { kind: "accession", prefix: "LR", length: 14 },
  { kind: "consignment", prefix: "CN", length: 13 },
  { kind: "box", prefix: "BX", length: 7 },
  { kind: "seal", prefix: "SL", length: 10 },
  { kind: "item", prefix: "IT", length: 13 },
];

export function checkCharacter(body) {
  let product = 36;
  for (const character of body) {
    product = ((((product + ALPHABET.indexOf(character)) % 36) || 36) * 2) % 37;
  }
  return ALPHABET[(37 - product) % 36];
}

/** As it stands on the label: upper case, half width, no blanks or hyphens. */
export function normalise(text) {
  const plain = String(text).normalize("NFKC").replace(/[\s\-\u2010-\u2015]+/g, "").toUpperCase();
  const form = FORMS.find((known) => plain.startsWith(known.prefix) && plain.length === known.length);
  if (!form) return plain;
  const middle = plain.slice(2, -1).replace(/O/g, "0").replace(/[IL]/g, "1");
  return plain.slice(0, 2) + middle + plain.slice(-1);
}

/** {text, kind, valid}: kind accession | consignment | box | seal | item | foreign; valid false: the check character is wrong. */
export function recognise(text) {
  const plain = normalise(text);
  if (plain.startsWith("LRH1/")) return { text: plain, kind: "offer", valid: plain.length > 40 }; // a handover shown by its giver
  const form = FORMS.find((known) => plain.startsWith(known.prefix) && plain.length === known.length && /^\d+$/.test(plain.slice(2, -1)));
  if (!form) return { text: plain, kind: "foreign", valid: /^[0-9A-Z]{4,24}$/.test(plain) };
  return { text: plain, kind: form.kind, valid: checkCharacter(plain.slice(0, -1)) === plain.slice(-1) };
}
