/** While a custody bundle is made: the page comes again when it is done. */
import { api } from "../api.js";

const EVERY_MS = 700;

async function look() {
  try {
    const seen = await api(`${location.pathname}/state`);
    if (!seen.waiting) {
      location.reload();
      return;
    }
  } catch {
    // the line is away for a moment
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
