// What every page does: times, keys, questions in a dialog, and parts that are read again while they are seen.
import { ask } from "./ask.js";
import { fetchPage } from "./fragments.js";
import { onKeys, press } from "./keys.js";
import { stale } from "./status.js";
import { localize } from "./times.js";

localize();

// On a phone the names of the pages are wider than it: this page's is among those that are seen.
const pages = document.querySelector("header nav");
const here = pages?.querySelector("[aria-current]");
if (here) pages.scrollLeft = here.offsetLeft - pages.offsetLeft - (pages.clientWidth - here.offsetWidth) / 2;

document.addEventListener("change", (event) => {
  if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
});

const help = document.getElementById("help");
const named = Object.fromEntries(
  [...document.querySelectorAll("[data-key]")].map((node) => [node.dataset.key, () => press(node.dataset.key)]),
);
onKeys({ ...named, "?": () => help?.showModal() });
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-help]")) { event.preventDefault(); help?.showModal(); }
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
});

// A link to a page that asks (stop, delete), or a form that opens one: the question comes in a dialog, and
// without a script as its page.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-ask]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  ask(link.href);
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("form[data-ask]") || event.submitter?.hasAttribute("formaction")) return;
  event.preventDefault();
  const address = new URL(form.action);
  address.search = new URLSearchParams(new FormData(form, event.submitter));
  ask(address.href);
});

/** Read this page again and put its parts (`data-live`, each with an id) in the places of the old ones. */
export async function refresh() {
  const page = await fetchPage(location.href, { cache: "no-store" });
  if (!page) return;
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`#${CSS.escape(part.id)}`);
    if (!fresh || fresh.isEqualNode(part.fresh ?? null)) continue;
    const kept = document.importNode(fresh, true);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    // What somebody has opened or is typing into stays as it is until they leave it.
    if (focused?.matches("input, textarea, select")) continue;
    const open = [...part.querySelectorAll("details[open][id]")].map((node) => node.id);
    localize(kept);
    const again = focused && (focused.id || focused.getAttribute("href"));
    part.replaceWith(kept);
    kept.fresh = fresh;
    for (const id of open) kept.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    if (again) (document.getElementById(again) ?? kept.querySelector(`[href="${CSS.escape(again)}"]`))?.focus();
  }
}

// A page says how often it is worth reading again: <main data-refresh="15">, in seconds.
const seconds = Number(document.querySelector("main")?.dataset.refresh || 0);
if (seconds) {
  let reading = false;
  const again = async () => {
    if (document.hidden || reading) return;
    reading = true;
    try { await refresh(); stale(""); } catch { stale("the server does not answer"); } finally { reading = false; }
  };
  setInterval(again, seconds * 1000 * (0.9 + 0.2 * Math.random()));
  document.addEventListener("visibilitychange", again);
}
