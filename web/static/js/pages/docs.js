/** The API's document in Swagger UI, from our own server, with the page's token for requests that are tried here. */
import { meta } from "../dom.js";

const place = document.getElementById("api-viewer");

function follow() {
  const chosen = document.documentElement.dataset.theme;
  const dark = chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("dark-mode", dark);
}

function start() {
  follow();
  new MutationObserver(follow).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  window.SwaggerUIBundle({
    url: place.dataset.url,
    domNode: place,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    displayRequestDuration: true,
    requestInterceptor: (request) => {
      if (request.method !== "GET" && !request.headers.Authorization) request.headers["X-CSRFToken"] = meta("csrf-token");
      return request;
    },
  });
}

start();
