/** Worklist of a collecting site: a scan records the collection; labels of chosen tubes are printed. */
import { ask, askUntilTaken } from "../ask.js";
import { ready, _ } from "../i18n.js";
import { createScanPanel } from "../scan-panel.js";
import { toast, toastError } from "../toast.js";
import { act, face, refresh, refreshEvery, went, when } from "./office.js";

const PARTS = ["#worklist tbody"];
const reload = () => refresh(PARTS).catch(() => undefined);

async function collect(subject, how) {
  const answer = await act("collect", { subject, how });
  if (went(answer)) reload();
  const useBy = answer.result && answer.result.use_by;
  return face(answer, useBy ? _("Collected. Use by %(time)s.", { time: when(useBy) }) : _("Collected."));
}

async function failed(row) {
  const dialog = document.getElementById("failed-dialog");
  dialog.querySelector("[data-failed-code]").textContent = row.dataset.accession;
  const form = document.getElementById("failed-form");
  const subject = { specimen: row.dataset.accession, specimen_id: Number(row.dataset.id) };
  const answer = await askUntilTaken(form, (refused) => ask(dialog, form, refused), ({ reason, note }) => act("collection_failed", { subject, payload: { reason, note } }));
  if (!answer) return;
  toast(went(answer) ? _("%(number)s: recorded as not collected.", { number: row.dataset.accession }) : answer.sentence, went(answer) ? "ok" : "danger");
  reload();
}

function showSelection() {
  const chosen = document.querySelectorAll('#worklist input[name="id"]:checked').length;
  const bar = document.getElementById("print-form");
  bar.hidden = chosen === 0;
  const again = bar.querySelector("[data-again]"); // a label that was printed before is printed again for a reason
  again.hidden = !document.querySelector('#worklist tr[data-printed] input[name="id"]:checked');
  again.querySelector("select").disabled = again.hidden;
  bar.querySelector("[data-selected]").textContent = _("%(n)s chosen", { n: chosen });
}

function wireTable(panel) {
  const table = document.getElementById("worklist");
  table.addEventListener("click", async (event) => {
    const row = event.target.closest("tr[data-id]");
    if (!row) return;
    if (event.target.closest("[data-collect]")) {
      const shown = await collect({ specimen: row.dataset.accession, specimen_id: Number(row.dataset.id) }, "ticked");
      panel.show({ code: row.dataset.accession, ...shown });
    } else if (event.target.closest("[data-failed]")) failed(row).catch(toastError);
  });
  table.addEventListener("change", (event) => {
    if (event.target.matches("[data-select-all]")) {
      for (const box of table.querySelectorAll('tbody tr:not([hidden]) input[name="id"]')) box.checked = event.target.checked;
    }
    showSelection();
  });
  for (const form of document.querySelectorAll('form[action="/print/specimens"]')) form.addEventListener("submit", () => setTimeout(reload, 1500));
  document.addEventListener("page:refreshed", () => {
    showSelection();
    const unprinted = document.querySelector("[data-print-unprinted]");
    unprinted.hidden = unprinted.querySelector("[data-live]").textContent.trim() === "0";
  });
}

async function start() {
  await ready;
  const panel = createScanPanel(document.getElementById("collect-scan"), {
    onScan: (code, { how, kind }) => {
      if (kind === "box" || kind === "consignment") return { tone: "warn", icon: "box", sound: "wrong", sentence: _("This is a box. Boxes are scanned on the page “Pack and seal”.") };
      return collect({ specimen: code }, how);
    },
  });
  wireTable(panel);
  document.getElementById("collect-scan").dataset.started = "1";
  refreshEvery(20, PARTS);
}

start().catch((error) => console.error("collector", error));
