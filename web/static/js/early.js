/* Runs before anything else, in every browser: old ones are sent to a page that says so. ES3 on purpose. */
(function () {
  var fine = false;
  try {
    fine = "noModule" in document.createElement("script") && !!String.prototype.replaceAll &&
      !!window.CSS && !!window.CSS.supports && window.CSS.supports("selector(:focus-visible)");
  } catch (ignored) { /* an old browser */ }
  if (!fine) { window.location.replace("/unsupported"); }
})();
