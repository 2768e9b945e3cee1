// The list, live: rows come as HTML that the server has rendered once for all who look; this puts them in
// their place, by the order, the groups and the words that the page's address says.
import { ask } from "./ask.js";
import { fetchPage, nodes } from "./fragments.js";
import { listKeys, onKeys } from "./keys.js";
import { say } from "./status.js";
import { follow } from "./stream.js";
import { localize } from "./times.js";

let table = document.getElementById("jobs");
const words = table.dataset.q.toLowerCase().split(/\s+/).filter(Boolean);
const collator = new Intl.Collator("en", { numeric: true });
const cursor = listKeys(() => rows());

function rows() {
  return [...table.querySelectorAll("tr[data-uid]")];
}

const byOrder = {
  attention: (a, b) => a.rank - b.rank || b.created - a.created,
  newest: (a, b) => b.created - a.created,
  name: () => 0,
}[table.dataset.order];

function byGroup(a, b) {
  if (table.dataset.group === "state") return a.rank - b.rank;
  if (table.dataset.group === "owner") return Number(!a.owner) - Number(!b.owner) || (a.owner < b.owner ? -1 : Number(a.owner > b.owner));
  if (table.dataset.group === "sweep") return Number(!a.sweep) - Number(!b.sweep) || (a.sweep < b.sweep ? -1 : Number(a.sweep > b.sweep));
  return 0;
}

function compare(a, b) {
  return byGroup(a, b) || byOrder(a, b) || collator.compare(a.name, b.name) || (a.uid < b.uid ? -1 : 1);
}

function groupOf(fields) {
  if (table.dataset.group === "state") return fields.state;
  if (table.dataset.group === "owner") return fields.owner || "owner unknown";
  if (table.dataset.group === "sweep") return fields.sweep || "in no sweep";
  return "";
}

/** What a row that stands on the page is sorted and grouped by. */
function fieldsOf(row) {
  const { uid, rank, created, owner, state, sweep } = row.dataset;
  return { uid, rank: Number(rank), created: Number(created), owner, state, sweep, name: row.querySelector("th a").textContent };
}

let timer = 0;
let due = Infinity;
let missed = null; // what came while the page is read again: the page may be older
/** Read the whole page again, a little later: 500 browsers must not ask in the same moment. */
function reread(pause = 500 + 2500 * Math.random()) {
  if (due <= Date.now() + pause) return;
  clearTimeout(timer);
  due = Date.now() + pause;
  timer = setTimeout(readAgain, pause);
}

async function readAgain() {
  due = Infinity;
  if (missed) { reread(500); return; }
  missed = [];
  let page = null;
  try {
    page = await fetchPage(location.href, { cache: "no-store" });
  } catch { /* the stream says that the server is away */ }
  const fresh = page?.querySelector("#jobs");
  if (fresh) adopt(page, document.importNode(fresh, true));
  const came = missed;
  missed = null;
  if (fresh) came.forEach((change) => change());
  else reread(5000 + 5000 * Math.random());
}

/** Do a change of the list, and once more where the page is read again meanwhile. */
function apply(change) {
  change();
  missed?.push(change);
  count();
}

function adopt(page, fresh) {
  const marked = new Set([...table.querySelectorAll("input[name=job]:checked")].map((box) => box.value));
  const focused = table.contains(document.activeElement) ? identity(document.activeElement) : null;
  localize(fresh);
  for (const box of fresh.querySelectorAll("input[name=job]")) box.checked = marked.has(box.value);
  table.replaceWith(fresh);
  table = fresh;
  cursor.restore();
  if (focused) table.querySelector(focused)?.focus({ preventScroll: true });
  const pages = page.getElementById("pages");
  if (pages) document.getElementById("pages").replaceWith(document.importNode(pages, true));
  count();
}

/** Return a selector of a link or a box of a row, which outlives the row. */
function identity(node) {
  const name = node.matches("input") ? "value" : "href";
  return `[${name}="${CSS.escape(node.getAttribute(name) ?? "")}"]`;
}

/** Whether jobs stand on other pages than this. */
const isPart = () => Number(table.dataset.last) > 1;
/** How long until a page of several is read again for what happens on others. */
const later = () => reread(20_000 + 20_000 * Math.random());

function put({ fields, html }) {
  const old = table.querySelector(`tr[data-uid="${CSS.escape(fields.uid)}"]`);
  const fits = words.every((word) => fields.words.includes(word));
  if (!fits) { if (old) drop(old); return; }
  const fresh = nodes(html).firstElementChild;
  localize(fresh);
  if (!old) { insert(fresh, fields); return; }
  const before = fieldsOf(old);
  if (before.state !== fields.state) say(`${fieldsOf(fresh).name}: ${fields.state}`);
  fresh.querySelector("input").checked = old.querySelector("input").checked;
  const focused = old.contains(document.activeElement) ? identity(document.activeElement) : null;
  fresh.classList.toggle("cursor", old.classList.contains("cursor"));
  if (groupOf(before) === groupOf(fields) && !byOrder(before, fields)) old.replaceWith(fresh);
  else {
    remove(old);
    insert(fresh, fields);
    if (!fresh.isConnected) reread(2000 + 3000 * Math.random());
  }
  if (focused && fresh.isConnected) fresh.querySelector(focused)?.focus({ preventScroll: true });
}

/** Put a row in its place, where that is on this page. */
function insert(fresh, fields) {
  const all = rows();
  const isBefore = (row) => compare(fields, fieldsOf(row)) < 0;
  if (Number(table.dataset.page) > 1 && (!all.length || isBefore(all[0]))) { later(); return; }
  if (Number(table.dataset.page) < Number(table.dataset.last) && all.length && !isBefore(all.at(-1))) { later(); return; }
  const body = [...table.tBodies].find((part) => part.dataset.group === groupOf(fields));
  if (!body) { reread(); return; }
  const after = [...body.querySelectorAll("tr[data-uid]")].find(isBefore);
  if (after) after.before(fresh); else body.append(fresh);
  if (all.length >= Number(table.dataset.size)) { remove(all.at(-1)); reread(); } else if (isPart()) later();
}

function remove(row) {
  const body = row.parentElement;
  row.remove();
  if (table.dataset.group !== "none" && !body.querySelector("tr[data-uid]")) body.remove();
}

/** Take a row off; what stood on the next page is read, not soon: many browsers may miss the same row. */
function drop(row) {
  remove(row);
  if (isPart()) reread(2000 + 3000 * Math.random());
}

function gone(uids) {
  for (const uid of uids) {
    const row = table.querySelector(`tr[data-uid="${CSS.escape(uid)}"]`);
    if (row) drop(row); else if (isPart()) later();
  }
}

/** Say what a deletion is doing, in the row of its job. */
function step({ uid, message }) {
  const cell = table.querySelector(`tr[data-uid="${CSS.escape(uid)}"] td.sentence`);
  if (cell) cell.textContent = `deleting: ${message}`;
}

const links = new Map();
function link({ cluster, sentence }) {
  if (sentence) links.set(cluster, sentence);
  else links.delete(cluster);
  const place = document.getElementById("links");
  place.replaceChildren(...[...links.values()].map((sentence) => {
    const line = document.createElement("p");
    line.className = "notice warning";
    line.textContent = sentence;
    return line;
  }));
}

const form = document.getElementById("selected");
const barred = form.querySelector("[data-verb]").disabled;
function count() {
  const marked = table.querySelectorAll("input[name=job]:checked").length;
  form.hidden = !marked;
  if (!barred) {
    document.getElementById("marked").textContent = marked ? `${marked} marked` : "";
    for (const button of form.querySelectorAll("[data-verb]")) button.disabled = !marked;
  }
  countStates();
  form.querySelector("[data-compare]").disabled = !marked;
  const shown = rows().length;
  if (!isPart()) {
    document.getElementById("count").textContent = shown;
    document.getElementById("noun").textContent = shown === 1 ? "job" : "jobs";
  }
  document.getElementById("empty").hidden = shown > 0 || isPart();
}

/** Say in the heading of each sweep how many of its jobs are in which state; of a part of a list the server does. */
function countStates() {
  if (isPart()) return;
  for (const words of table.querySelectorAll("[data-counts]")) {
    const counts = new Map();
    const own = [...words.closest("tbody").querySelectorAll("tr[data-uid]")];
    for (const row of own.sort((a, b) => a.dataset.rank - b.dataset.rank)) counts.set(row.dataset.state, (counts.get(row.dataset.state) ?? 0) + 1);
    const states = [...counts].map(([state, number]) => `${number} ${state.toLowerCase()}`).join(", ");
    words.textContent = `${own.length} job${own.length === 1 ? "" : "s"}: ${states}`;
  }
}

let after = table.dataset.after; // the last event that was read: a stream goes on behind it
const address = () => `${table.dataset.stream}?after=${encodeURIComponent(after)}`;
const handler = (act) => (data, event) => { after = event.lastEventId || after; act(data); };
follow(address, {
  rows: handler((changed) => apply(() => changed.forEach(put))),
  gone: handler((uids) => apply(() => gone(uids))),
  step: handler(step),
  link: handler(link),
  reread: handler(() => reread(1000 * Math.random())),
  lagged: handler(() => reread(1000 * Math.random())),
});

// Which jobs are on this screen: the server reads their progress out of their logs.
async function look() {
  if (document.hidden) return;
  const uids = rows().map((row) => row.dataset.uid);
  await fetch(table.dataset.look, {
    method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ screen: "browser", uids }),
  }).catch(() => {});
}
setInterval(look, 45_000);

// Marks and keys
function act(key) {
  if (barred) { say(document.getElementById("marked").textContent); return; }
  const button = form.querySelector(`[data-verb="${key}"]`);
  if (table.querySelector("input[name=job]:checked")) { form.requestSubmit(button); return; }
  const link = cursor.current()?.querySelector("th a");
  if (!link) return false;
  ask(partOf(link, button.value));
}

/** Open what is marked over one another; the job under the cursor where nothing is. */
function compareMarked() {
  const button = form.querySelector("[data-compare]");
  if (table.querySelector("input[name=job]:checked")) { form.requestSubmit(button); return; }
  const box = cursor.current()?.querySelector("input[name=job]");
  if (!box) return false;
  location.assign(`${button.formAction}?${new URLSearchParams({ job: box.value })}`);
}

function partOf(link, part) {
  const url = new URL(link.href);
  if (part) url.pathname += `/${part}`;
  return url.href;
}

function openPart(part) {
  const link = cursor.current()?.querySelector("th a");
  if (!link) return false;
  location.assign(partOf(link, part));
}

onKeys({
  ...cursor.keys,
  " ": () => {
    const box = cursor.current()?.querySelector("input[name=job]");
    if (!box) return false;
    box.checked = !box.checked;
    count();
  },
  l: () => openPart("log"),
  w: () => openPart("why"),
  r: () => openPart("again"),
  x: () => act("x"),
  u: () => act("u"),
  d: () => act("d"),
  v: compareMarked,
});
document.addEventListener("change", (event) => { if (event.target.name === "job") count(); });
count();
look();
