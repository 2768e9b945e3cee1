// One stream of events for a page: opened while it is visible, closed while it is not. A browser has six
// connections to a server, so a stream in every hidden tab would leave none for the next page.
import { say, stale } from "./status.js";

const SILENT_MS = 40_000;

/** Follow a stream. `address`: function that returns where to go on; `handlers`: event -> (data, event). */
export function follow(address, handlers) {
  let source = null;
  let watchdog = 0;
  let wait = 1000;

  function alive() {
    wait = 1000;
    stale("");
    clearTimeout(watchdog);
    watchdog = setTimeout(() => again("nothing was heard for a while"), SILENT_MS);
  }

  function close() {
    clearTimeout(watchdog);
    source?.close();
    source = null;
  }

  function again(why) {
    close();
    stale(why);
    if (document.hidden) return;
    const pause = wait * (0.5 + Math.random());
    wait = Math.min(wait * 2, 30_000);
    setTimeout(() => { if (!source && !document.hidden) open(); }, pause);
  }

  async function refused() {
    // EventSource tells no status: ask for the page, which sends to the login where that has ended.
    close();
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
      if (answer.redirected && new URL(answer.url).pathname.endsWith("/login")) { location.assign(answer.url); return; }
    } catch { /* no server: try again */ }
    if (!source) again("the server does not answer");
  }

  function open() {
    const made = new EventSource(address());
    source = made;
    made.onopen = alive;
    made.onerror = () => { if (made === source) refused(); };
    made.addEventListener("heartbeat", alive);
    made.addEventListener("bye", (event) => {
      const bye = JSON.parse(event.data);
      if (bye.login) { close(); location.reload(); } else again(bye.why || "the server stops");
    });
    for (const [name, handle] of Object.entries(handlers)) {
      made.addEventListener(name, (event) => { alive(); handle(JSON.parse(event.data), event); });
    }
  }

  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else if (!source) open(); });
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => { if (!source && !document.hidden) open(); });
  if (!document.hidden) open();
  return { close, restart() { close(); open(); }, say };
}
