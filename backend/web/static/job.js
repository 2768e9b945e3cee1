// One job, live: the stream says that something has changed, and the page reads its parts again, at most every
// two seconds. The loss, for which a log is read, comes when it is scrolled to.
import { fetchPage } from "./fragments.js";
import { onKeys, press } from "./keys.js";
import { say } from "./status.js";
import { follow } from "./stream.js";
import { localize } from "./times.js";
import { refresh } from "./traindeck.js";

const EVERY = 2000;
const LOSS_EVERY = 30_000;
const live = document.getElementById("live");
let due = 0;
let last = 0;
let after = live.dataset.after;

/** Read the parts of the page again, soon. */
function soon(pause = 200) {
  if (due) return;
  due = setTimeout(async () => {
    last = Date.now();
    try { await refresh(); } catch { /* the stream says that the server is away, and asks again */ }
    due = 0;
    pending();
  }, Math.max(pause, last + EVERY - Date.now()));
}

/** What a slow cluster had not answered is asked for again. */
function pending() {
  if (document.querySelector("[data-pending]") && !document.hidden) soon(3000);
}

follow(() => `${live.dataset.stream}&after=${encodeURIComponent(after)}`, {
  changed: (sentences, event) => {
    after = event.lastEventId || after;
    const state = document.querySelector("#head h1").textContent.trim();
    for (const sentence of sentences) if (!state.endsWith(sentence.split(": ").at(-1))) say(sentence);
    soon();
  },
  step: ({ message }) => { say(message); soon(); },
  link: ({ cluster, state }) => {
    if (cluster !== live.dataset.cluster || state === live.dataset.link) return;
    live.dataset.link = state;
    soon();
  },
  lagged: () => soon(),
});
pending();

// The parts that come later have keys too.
onKeys(Object.fromEntries([..."lwvRyr1JuxdQ"].map((key) => [key, () => press(key)])));

const loss = document.getElementById("loss");
let seen = false;
let read = 0;
let reading = false;

async function readLoss() {
  const old = document.getElementById("loss-here");
  if (reading || !seen || document.hidden || (read && !loss.dataset.running) || Date.now() - read < LOSS_EVERY) return;
  reading = true;
  try {
    const page = await fetchPage(loss.dataset.from, { cache: "no-store" });
    const part = page?.querySelector("#loss-chart");
    if (part) {
      const fresh = document.importNode(part, true);
      const open = old.querySelector("details[open]")?.id;
      localize(fresh);
      old.replaceChildren(...fresh.childNodes);
      if (open) document.getElementById(open)?.setAttribute("open", "");
      read = fresh.hasAttribute("data-pending") ? Date.now() - LOSS_EVERY + 3000 : Date.now();
    }
  } catch { /* later again; the link stays */ } finally { reading = false; }
}

if (loss) {
  new IntersectionObserver(([entry]) => { seen = entry.isIntersecting; readLoss(); }).observe(loss);
  setInterval(readLoss, 3000);
}
