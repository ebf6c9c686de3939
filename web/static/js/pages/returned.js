/** What came back from the laboratory shows here within seconds, whatever page of the site is open. */
import { chip, fill, h, icon } from "../dom.js";
import { ready, _ } from "../i18n.js";
import { play } from "../sound.js";
import { toast, toastError } from "../toast.js";
import { act, printFrom, went, when } from "./office.js";

const POLL_MS = 4000;
const SHOWN = 5;
const root = document.getElementById("returned");
let etag = null;
let known = null; // ids seen before; null: the page has just been opened
let all = false;

function stateChip(tube) {
  if (tube.state === "missing") return chip(_("Declared missing"), "danger", "missing");
  if (tube.state === "lost") return chip(_("Lost"), "danger", "missing");
  return tube.whole ? chip(_("Rejected"), "danger", "cross-circle") : chip(_("Some tests rejected"), "danger", "cross");
}

function row(tube) {
  const gone = ["missing", "lost"].includes(tube.state);
  return h("li", { class: "work" }, h("span", { class: "work-icon tone-danger" }, icon(gone ? "missing" : "cross-circle")),
    h("div", { class: "work-main" },
      h("div", { class: "work-title" }, h("code", {}, tube.accession), stateChip(tube), h("strong", {}, tube.reason), tube.photo ? h("a", { class: "btn btn-sm", href: tube.photo, target: "_blank", rel: "noopener" }, icon("camera"), _("Photo")) : null),
      h("div", { class: "work-sub" }, [tube.tests.join(_(", ")), tube.note ? `“${tube.note}”` : null, [tube.site, tube.by, when(tube.at)].filter(Boolean).join(" · ")].filter(Boolean).join(" · "))),
    h("div", { class: "work-side row-sm" },
      gone ? h("button", { class: "btn", type: "button", onclick: (event) => here(tube, event.currentTarget).catch(toastError) }, icon("search"), _("It is still here")) : null,
      h("button", { class: "btn btn-primary", type: "button", onclick: (event) => again(tube, event.currentTarget).catch(toastError) }, icon("recollect"), _("Collect again"))));
}

function show(tubes) {
  root.hidden = !tubes.length;
  root.querySelector("[data-returned-count]").textContent = String(tubes.length);
  const list = all ? tubes : tubes.slice(0, SHOWN);
  const more = tubes.length > list.length ? h("li", { class: "work" }, h("button", { class: "btn btn-quiet", type: "button", onclick: () => { all = true; show(tubes); } }, icon("chevron-down"), _("Show all %(n)s", { n: tubes.length }))) : null;
  fill(root.querySelector("[data-returned-list]"), list.map(row), more);
}

function announce(tubes) {
  const fresh = known ? tubes.filter((tube) => !known.has(`${tube.id} ${tube.tests.length}`)) : [];
  known = new Set(tubes.map((tube) => `${tube.id} ${tube.tests.length}`));
  if (!fresh.length) return;
  play("wrong");
  document.querySelector("[data-returned-say]").textContent = fresh.map((tube) => [tube.accession, tube.reason].join(": ")).join("; ");
}

async function poll() {
  if (document.visibilityState !== "visible") return;
  const answer = await fetch("/collector/returned.json", { credentials: "same-origin", cache: "no-store", headers: etag ? { "If-None-Match": etag } : {} });
  if (answer.status !== 200 || answer.redirected) return;
  etag = answer.headers.get("ETag");
  const { tubes } = await answer.json();
  show(tubes);
  announce(tubes);
}

async function again(tube, button) {
  button.disabled = true;
  const answer = await act("recollect", { subject: { specimen: tube.accession, specimen_id: tube.id } });
  if (!went(answer)) {
    button.disabled = false;
    toast(answer.sentence, "danger");
    return;
  }
  const { specimen, specimen_id: id } = answer.result || {};
  if (specimen) toast(_("Registered again as %(number)s.", { number: specimen }), "ok", { timeout: 12000, action: { label: _("Print label"), run: () => printFrom("/print/specimens", { id }) } });
  await poll();
}

/** It never left: the search at the laboratory ends, and it may be packed again. */
async function here(tube, button) {
  button.disabled = true;
  const answer = await act("found", { subject: { specimen: tube.accession, specimen_id: tube.id } });
  button.disabled = false;
  toast(went(answer) ? _("%(number)s is here again and can be packed. The laboratory is told.", { number: tube.accession }) : answer.sentence, went(answer) ? "ok" : "danger");
  await poll();
}

ready.then(() => {
  const look = () => poll().catch(() => undefined);
  look();
  setInterval(look, POLL_MS);
}).catch((error) => console.error("returned", error));
