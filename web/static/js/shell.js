/** What every page behind the login runs. Loading it twice does nothing twice: modules run once. */
import { startClock } from "./clock.js";
import { wireDialogs } from "./dialog.js";
import { keepDrafts, restoreDrafts } from "./forms.js";
import { ready } from "./i18n.js";
import { startOutbox } from "./outbox.js";
import { startStrip } from "./strip.js";
import { wireThemeSwitches } from "./theme.js";
import { unlockSound } from "./sound.js";

function wireLanguages() {
  for (const link of document.querySelectorAll("a[data-language]")) link.addEventListener("click", keepDrafts);
  restoreDrafts();
}

function registerWorker() {
  if (!("serviceWorker" in navigator) || !window.isSecureContext) return;
  navigator.serviceWorker.register("/sw.js").catch((error) => console.warn("service worker", error));
  navigator.serviceWorker.ready.then((registration) => {
    const loaded = performance.getEntriesByType("resource").map((entry) => entry.name.split("#")[0]);
    registration.active.postMessage({ keep: [location.href.split("#")[0], ...new Set(loaded)] });
  });
}

async function start() {
  wireThemeSwitches();
  wireDialogs();
  wireLanguages();
  document.addEventListener("pointerdown", unlockSound, { once: true });
  await ready;
  if (document.querySelector("table, [data-filter], [data-pill]")) import("./table.js").then(({ wireTables }) => wireTables());
  startClock({ every: document.body.dataset.demo === undefined ? 30000 : 10000 });
  startStrip();
  await startOutbox();
  registerWorker();
}

start().catch((error) => console.error("shell", error));
