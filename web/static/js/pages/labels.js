/** A batch of numbers: what was printed in another tab shows here, too. */
import { refresh } from "./office.js";

const PRINTED_MS = 1500; // the labels are drawn by then; else the next look at the page shows it

document.addEventListener("submit", (event) => {
  if (event.target.target !== "_blank") return;
  const dialog = event.target.closest("dialog");
  if (dialog) dialog.close();
  setTimeout(() => refresh(["#print-first", "#ledger tbody"]).catch(() => undefined), PRINTED_MS);
});
