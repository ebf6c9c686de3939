/**
 * Keeps the shell on the device. Served at /sw.js with the version of the static files in place of the mark below.
 * Static files: cache first. Pages: network first, with a fuse of three seconds when an older copy is at hand;
 * only field pages are kept, and they go when somebody signs out. The API is never kept and never answered from here.
 */
const VERSION = "__VERSION__";
const SHELL = `shell-${VERSION}`;
const PAGES = "pages";
const FUSE_MS = 3000;
const FIELD_PAGES = /^\/(courier|collector|receiver)(\/|$)/;
const PRECACHE = [
  "/offline",
  ...["tokens", "base", "layout", "components", "domain"].map((name) => `/static/css/${name}.css`),
  ...["shell", "plain", "early", "dom", "i18n", "api", "clock", "uuid", "toast", "theme", "dialog", "forms", "table", "outbox", "acts", "strip",
    "numbers", "wedge", "sound", "scanner", "scanner-worker", "scan-panel"].map((name) => `/static/js/${name}.js`),
  "/static/vendor/idb/index.js",
  "/static/icons/sprite.svg",
  "/static/icons/logo.svg",
];
const HEAVY = ["/static/vendor/zxing/share.js", "/static/vendor/zxing/reader/index.js", "/static/vendor/zxing/zxing_reader.wasm"];

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(SHELL);
    await cache.addAll(PRECACHE.map((url) => new Request(url, { cache: "reload" })));
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== SHELL && name !== PAGES && name.startsWith("shell-")) await caches.delete(name);
    await self.clients.claim();
    const cache = await caches.open(SHELL);
    cache.addAll(HEAVY).catch(() => undefined); // the scanner, when the line allows
  })());
});

self.addEventListener("message", (event) => {
  if (event.data === "signed-out") event.waitUntil(caches.delete(PAGES));
  if (event.data && event.data.keep) event.waitUntil(keep(event.data.keep));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin || url.pathname.startsWith("/api/")) return;
  if (request.mode === "navigate") event.respondWith(page(event, url));
  else if (url.pathname.startsWith("/static/")) event.respondWith(fromShell(request));
  else if (url.pathname.startsWith("/i18n/")) event.respondWith(fresh(event));
});

async function fromShell(request) {
  const cache = await caches.open(SHELL);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok && answer.status === 200) cache.put(request, answer.clone());
  return answer;
}

/** What a page had loaded before this worker was in charge: without it the first visit would not work offline. */
async function keep(addresses) {
  const shell = await caches.open(SHELL);
  const pages = await caches.open(PAGES);
  for (const address of addresses) {
    const { origin, pathname } = new URL(address);
    const cache = FIELD_PAGES.test(pathname) ? pages : pathname.startsWith("/static/") || pathname.startsWith("/i18n/") ? shell : null;
    if (origin !== self.location.origin || !cache || (await cache.match(address))) continue;
    const answer = await fetch(address, { credentials: "same-origin" }).catch(() => null);
    if (answer && answer.ok && !answer.redirected) await cache.put(address, answer);
  }
}

/** Network first without a fuse: a catalogue that is a minute old is worse than a short wait. */
async function fresh(event) {
  const cache = await caches.open(SHELL);
  try {
    const answer = await fetch(event.request);
    if (answer.ok) event.waitUntil(cache.put(event.request, answer.clone()));
    return answer;
  } catch (error) {
    return (await cache.match(event.request)) || Response.error();
  }
}

async function page(event, url) {
  const cache = await caches.open(PAGES);
  const kept = FIELD_PAGES.test(url.pathname) ? await cache.match(event.request, { ignoreSearch: false }) : undefined;
  const network = fetch(event.request).then(async (answer) => {
    if (url.pathname === "/login" && answer.ok) await caches.delete(PAGES);
    else if (answer.ok && FIELD_PAGES.test(url.pathname)) await cache.put(event.request, answer.clone());
    return answer;
  });
  event.waitUntil(network.catch(() => undefined));
  const fuse = new Promise((resolve) => setTimeout(resolve, FUSE_MS, kept));
  try {
    const first = await (kept ? Promise.race([network, fuse]) : network);
    // A gateway that is up while the server is not is no reason to leave a courier without the page.
    return kept && first.status >= 502 ? kept : first;
  } catch (error) {
    return kept || (await elsewhere(url, cache));
  }
}

/** No network and no copy: from the start page to the last field page, else the page that says so. */
async function elsewhere(url, cache) {
  if (url.pathname === "/") {
    const [last] = (await cache.keys()).reverse();
    if (last) return Response.redirect(last.url);
  }
  return (await caches.match("/offline")) || Response.error();
}
