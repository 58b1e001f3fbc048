// Keeps the parts of a page that are marked `data-live` as they are at the server.
(() => {
  "use strict";

  const address = document.querySelector("[data-live-from]")?.dataset.liveFrom;
  if (!address) return;

  const again = 30_000;
  let source = null;

  function show(place, html) {
    // Whoever is in there with the keyboard is not thrown out; the next change shows.
    if (place && !place.contains(document.activeElement)) place.innerHTML = html;
  }

  function open() {
    if (source || document.hidden) return;
    source = new EventSource(address);
    source.addEventListener("overview", (event) => {
      for (const [name, html] of Object.entries(JSON.parse(event.data))) {
        show(document.querySelector(`[data-live="${name}"]`), html);
      }
    });
    source.addEventListener("error", () => {
      // An end of a reply is told as an error too; after that the browser comes again by itself.
      if (source?.readyState !== EventSource.CLOSED) return;
      close();
      setTimeout(open, again);
    });
  }

  function close() {
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
})();
