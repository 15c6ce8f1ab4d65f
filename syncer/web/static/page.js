// Keeps the page fresh. Without this file, and without scripts at all, every page reads and works the same.
(() => {
  "use strict";
  const EVERY = 5000;

  const busy = () => {
    const here = document.activeElement;
    return document.hidden || (here && here.matches("input, select, textarea"));
  };

  setInterval(() => {
    const live = document.getElementById("live");
    if (live && live.hasAttribute("hx-get") && !busy()) htmx.trigger(live, "refresh");
  }, EVERY);

  // What was said once is not said again by a page that is loaded anew.
  const address = new URL(location.href);
  if (address.searchParams.has("said")) {
    address.searchParams.delete("said");
    history.replaceState(null, "", address);
    const live = document.getElementById("live");
    if (live) live.setAttribute("hx-get", address.pathname + address.search);
  }
})();
