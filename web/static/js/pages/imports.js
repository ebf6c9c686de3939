/** Importing orders: the chosen file stays in the browser and is sent for the preview and again for the import. */
import { meta } from "../dom.js";
import { ready, _ } from "../i18n.js";
import { toast } from "../toast.js";

const form = document.getElementById("import-form");
const result = document.getElementById("import-result");
const input = form.elements.file;

async function send(action) {
  if (!input.files.length) return;
  const body = new FormData(form);
  body.set("action", action);
  result.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(location.pathname, { method: "POST", body, credentials: "same-origin", headers: { "X-CSRFToken": meta("csrf-token") } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    result.replaceChildren(...Array.from(page.body.childNodes, (node) => document.importNode(node, true)));
    if (action === "apply" && answer.ok) {
      input.value = "";
      form.querySelector("[data-drop]").hidden = true;
    }
  } catch (error) {
    toast(_("The file could not be sent. If you changed it just now, choose it again."), "danger");
  } finally {
    result.removeAttribute("aria-busy");
  }
}

function chosen() {
  const [file] = input.files;
  form.querySelector("[data-filename]").textContent = file ? file.name : _("Choose a file, or drop it here");
  result.replaceChildren();
  send("preview");
}

async function start() {
  await ready;
  const drop = form.querySelector("[data-drop]");
  input.addEventListener("change", chosen);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.submitter ? event.submitter.value : "preview");
  });
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("is-over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("is-over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    input.files = event.dataTransfer.files;
    chosen();
  });
}

start().catch((error) => console.error("imports", error));
