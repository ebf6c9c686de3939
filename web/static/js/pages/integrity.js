/** While the record is verified: how far it is; the page comes again when it is done. */
import { api } from "../api.js";
import { _, ready } from "../i18n.js";

const EVERY_MS = 1000;
const STAGES = {
  log: (p) => _("Reading the log: %(done)s of %(all)s events", { done: p.done.toLocaleString(), all: p.all.toLocaleString() }),
  heads: () => _("Comparing with tubes and consignments…"),
  digests: (p) => _("Daily digests: %(done)s of %(all)s", { done: p.done, all: p.all }),
  records: () => _("Manifests and acts…"),
};

async function look() {
  let seen = null;
  try {
    seen = await api("/integrity/progress");
  } catch (error) {
    setTimeout(look, 5 * EVERY_MS); // the line is away for a moment
    return;
  }
  if (!seen.running) {
    location.reload();
    return;
  }
  if (STAGES[seen.stage]) {
    document.getElementById("running-words").textContent = STAGES[seen.stage](seen);
    document.getElementById("running-bar").value = seen.all ? (100 * seen.done) / seen.all : 0;
  }
  setTimeout(look, EVERY_MS);
}

ready.then(look);
