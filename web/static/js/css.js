/** Load a style sheet once; resolves when it is in force. */
const loaded = new Map();

export function css(href) {
  if (!loaded.has(href)) {
    loaded.set(href, new Promise((done) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = href;
      link.onload = done;
      link.onerror = done;
      document.head.append(link);
    }));
  }
  return loaded.get(href);
}
