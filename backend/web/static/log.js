// The log, live: lines come as HTML that the server has rendered; this puts them behind those that are there,
// keeps the end in sight while the reader is there, and searches what is in the page.
import { fetchPage, nodes } from "./fragments.js";
import { onKeys } from "./keys.js";
import { Search } from "./log_search.js";
import { say, stale } from "./status.js";
import { follow } from "./stream.js";

const MOST = 5000;
const LONG_AWAY_MS = 10 * 60_000;
const log = document.getElementById("log");
const button = document.getElementById("follow");
const search = new Search(log);
let place = log.dataset.after ?? "";
let fresh = 0;
let over = false;
/** Events that came while the reader looks at older lines, and the page is full. */
let waiting = [];

const lines = () => log.querySelectorAll(":scope > .line");
const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;
let following = Boolean(log.dataset.stream) && !location.hash;

function toEnd() {
  log.scrollTop = log.scrollHeight;
}

function tell() {
  if (!button) return;
  button.hidden = following;
  const count = fresh ? `Follow: ${fresh.toLocaleString()} new ${fresh === 1 ? "line" : "lines"}` : "Follow";
  if (button.textContent !== count) button.textContent = count;
  document.getElementById("following").textContent = following ? "following" : "";
}

/** Drop the oldest lines; the link to older ones then leads to those. */
function trim() {
  const all = lines();
  const surplus = all.length - MOST;
  if (surplus <= 0) return;
  for (let index = 0; index < surplus; index += 1) drop(all[index]);
  const first = [...lines()].find((line) => line.id);
  const link = document.querySelector("#older a");
  if (!first || !link) return;
  const address = new URL(link.href);
  address.searchParams.set("before", first.id);
  address.searchParams.set("tail", 3 * MOST);
  link.href = address.href;
  document.getElementById("older").hidden = false;
}

function append({ html, open }) {
  document.getElementById("empty")?.remove();
  for (const line of log.querySelectorAll(":scope > .open")) drop(line);
  add(nodes(html), (added) => log.append(added));
  add(nodes(open), (added) => log.append(added));
}

/** Put lines into the page: their times in the reader's zone, and marked where they match. */
function add(fragment, put) {
  localTimes(fragment);
  const added = [...fragment.children];
  put(fragment);
  search.mark(added);
}

function drop(line) {
  search.forget(line);
  line.remove();
}

function flush() {
  for (const data of waiting) append(data);
  waiting = [];
  trim();
  search.count();
}

function arrived(data, event) {
  place = event.lastEventId || place;
  lost("");
  if (!data.html && !data.open && !log.querySelector(":scope > .open")) return;
  // Whoever has scrolled away in this moment is left there: the event of it comes after this one.
  if (following && !atEnd()) following = false;
  if (!following) fresh += data.count;
  if (following || lines().length < MOST) {
    append(data);
    if (following) { trim(); toEnd(); }
    search.count();
  } else {
    // What would be dropped from the top again need not wait.
    waiting.push(data);
    let held = waiting.reduce((sum, one) => sum + one.count, 0);
    while (held - waiting[0].count > MOST) held -= waiting.shift().count;
  }
  tell();
}

function lost(why) {
  const line = document.getElementById("lost");
  line.hidden = !why;
  if (why) line.textContent = `${why}; trying again`;
}

function startFollowing() {
  following = Boolean(button);
  fresh = 0;
  flush();
  toEnd();
  tell();
}

/** Show the times in the reader's own zone. */
function localTimes(root) {
  for (const node of root.querySelectorAll(".when")) {
    const ms = Number(node.dataset.ms);
    if (!ms) continue;
    const when = new Date(ms);
    node.textContent = when.toLocaleTimeString("en-GB");
    node.title = when.toLocaleString();
  }
}

if (log.dataset.stream) {
  let hidden = 0;
  document.addEventListener("visibilitychange", () => {
    // What was written in a long absence would be read line by line.
    if (document.hidden) hidden = Date.now();
    else if (hidden && Date.now() - hidden > LONG_AWAY_MS) location.reload();
  });
  const stream = follow(
    () => `${log.dataset.stream}&after=${encodeURIComponent(place)}`,
    {
      lines: arrived,
      lost: ({ why }) => lost(why),
      closed: ({ why }) => { stream.close(); ended(why); },
    },
  );
}

function ended(why) {
  over = true;
  stale("");
  say(`The log has ended: ${why}`);
  document.getElementById("following").textContent = "ended";
  findFirstError(false);
}
// The first error: what the server has found in these lines, or finds when it is asked again.

async function findFirstError(go) {
  const link = document.getElementById("first-error");
  try {
    const page = await fetchPage(location.href, { cache: "no-store" });
    const found = page?.querySelector("#first-error")?.getAttribute("href").split("#")[1];
    const words = page?.querySelector("#failure")?.textContent;
    if (words) document.getElementById("failure").textContent = words;
    if (!found) return;
    link.hash = found;
    if (go) show(found);
  } catch { /* the words stay */ }
}

document.getElementById("first-error").addEventListener("click", (event) => {
  event.preventDefault();
  const { hash } = event.currentTarget;
  if (hash) show(hash.slice(1)); else findFirstError(true);
});

/** Go to a line, where it is in the page or elsewhere in the log. */
function show(name) {
  const line = document.getElementById(name);
  const address = new URL(location.href);
  address.hash = name;
  if (!line) { address.searchParams.set("at", name); location.assign(address); return; }
  following = false;
  location.hash = name;
  line.scrollIntoView({ block: "center" });
  tell();
}

// A link to a line: the address for others, without leaving what is there.
log.addEventListener("click", (event) => {
  const link = event.target.closest("a.no");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const name = link.parentElement.id;
  history.replaceState(null, "", link.href);
  following = false;
  location.replace(`#${name}`);
  tell();
});

document.querySelector("#older a").addEventListener("click", async (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const link = event.currentTarget;
  try {
    const page = await fetchPage(link.href);
    if (!page) return;
    const older = page.querySelectorAll("#log > .line:not(.open)");
    if (!older.length) {
      const why = page.querySelector("#missing, #lost:not([hidden])");
      document.getElementById("older").replaceChildren(why?.textContent ?? "");
      return;
    }
    following = false;
    const before = log.scrollHeight - log.scrollTop;
    const added = document.createDocumentFragment();
    for (const line of older) if (!line.id || !document.getElementById(line.id)) added.append(document.importNode(line, true));
    add(added, () => log.prepend(added));
    log.scrollTop = log.scrollHeight - before;
    const next = page.querySelector("#older");
    document.getElementById("older").hidden = next.hidden;
    link.href = next.querySelector("a").getAttribute("href");
    search.count();
    tell();
  } catch { location.assign(link.href); }
});

log.addEventListener("scroll", () => {
  if (!button || over) return;
  const now = atEnd();
  if (now === following) return;
  following = now;
  if (now) { fresh = 0; flush(); toEnd(); }
  tell();
}, { passive: true });
addEventListener("resize", () => { if (following) toEnd(); });
button?.addEventListener("click", startFollowing);
document.getElementById("wrap").addEventListener("click", (event) => {
  event.preventDefault();
  const wrap = !log.classList.toggle("nowrap");
  event.currentTarget.setAttribute("aria-pressed", wrap);
  const address = new URL(location.href);
  if (wrap) address.searchParams.delete("wrap"); else address.searchParams.set("wrap", "0");
  history.replaceState(null, "", address);
  if (following) toEnd();
});
for (const choice of document.querySelectorAll("#rank, #attempt")) choice.addEventListener("change", () => choice.form.submit());

const step = (by) => () => { following = false; search.step(by); tell(); };
onKeys({ n: step(1), N: step(-1), G: () => { if (button) startFollowing(); else document.querySelector("a[data-key=f]").click(); } });
localTimes(document);
search.start();
if (following) toEnd();
tell();
