// The list, live: rows come as HTML that the server has rendered once for all who look; this puts them in
// their place, by the order, the groups and the words that the page's address says.
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

function compare(a, b) {
  return byOrder(a, b) || collator.compare(a.name, b.name) || (a.uid < b.uid ? -1 : 1);
}

function groupOf(fields) {
  if (table.dataset.group === "state") return fields.state;
  if (table.dataset.group === "owner") return fields.owner || "owner unknown";
  return "";
}

/** What a row that stands on the page is sorted and grouped by. */
function fieldsOf(row) {
  const { uid, rank, created, owner, state } = row.dataset;
  return { uid, rank: Number(rank), created: Number(created), owner, state, name: row.querySelector("th a").textContent };
}

let rereading = 0;
/** Read the whole page again, a little later: 500 browsers must not ask in the same moment. */
function reread(pause = 500 + 2500 * Math.random()) {
  if (rereading) return;
  rereading = setTimeout(async () => {
    try {
      const page = await fetchPage(location.href, { cache: "no-store" });
      const fresh = page?.querySelector("#jobs");
      if (fresh) adopt(page, document.importNode(fresh, true));
    } catch { /* the stream says that the server is away, and asks again */ } finally { rereading = 0; }
  }, pause);
}

function adopt(page, fresh) {
  const marked = new Set([...table.querySelectorAll("input[name=job]:checked")].map((box) => box.value));
  const focused = table.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  localize(fresh);
  for (const box of fresh.querySelectorAll("input[name=job]")) box.checked = marked.has(box.value);
  table.replaceWith(fresh);
  table = fresh;
  cursor.restore();
  if (focused) table.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  document.getElementById("empty").hidden = table.dataset.count !== "0";
  count();
}

function put({ fields, html }) {
  const old = table.querySelector(`tr[data-uid="${CSS.escape(fields.uid)}"]`);
  const fits = words.every((word) => fields.words.includes(word));
  if (!fits) { if (old) drop(old); return; }
  const fresh = nodes(html).firstElementChild;
  localize(fresh);
  if (!old) { insert(fresh, fields); return; }
  const before = fieldsOf(old);
  if (before.state !== fields.state) say(`${fields.name}: ${fields.state}`);
  fresh.querySelector("input").checked = old.querySelector("input").checked;
  const focused = old.contains(document.activeElement) ? document.activeElement.tagName.toLowerCase() : "";
  fresh.classList.toggle("cursor", old.classList.contains("cursor"));
  if (groupOf(before) === groupOf(fields) && !byOrder(before, fields)) old.replaceWith(fresh);
  else { old.remove(); insert(fresh, fields); }
  if (focused) fresh.querySelector(focused)?.focus({ preventScroll: true });
}

/** Put a row in its place, where that is on this page. */
function insert(fresh, fields) {
  const body = [...table.tBodies].find((part) => part.dataset.group === groupOf(fields));
  const all = rows();
  const size = Number(table.dataset.size);
  const full = all.length >= size;
  if (!body || Number(table.dataset.page) > 1) { if (!full || body) reread(); return; }
  const after = [...body.querySelectorAll("tr[data-uid]")].find((row) => compare(fields, fieldsOf(row)) < 0);
  if (!after && full && body === table.tBodies[table.tBodies.length - 1]) return; // it stands on a later page
  if (after) after.before(fresh); else body.append(fresh);
  if (full) all.at(-1).remove();
  document.getElementById("empty").hidden = true;
}

/** Take a row off; what stood on the next page is read, not soon: many browsers may miss the same row. */
function drop(row) {
  row.remove();
  reread(2000 + 3000 * Math.random());
}

function gone(uids) {
  for (const uid of uids) {
    const row = table.querySelector(`tr[data-uid="${CSS.escape(uid)}"]`);
    if (row) drop(row);
  }
}

const links = new Map();
function link({ cluster, state, why }) {
  if (state === "live") links.delete(cluster);
  else links.set(cluster, `${cluster} is ${state}${why ? `: ${why}` : ""}`);
  const place = document.getElementById("links");
  place.replaceChildren(...[...links.values()].map((sentence) => {
    const line = document.createElement("p");
    line.className = "notice warning";
    line.textContent = sentence;
    return line;
  }));
}

function count() {
  const marked = table.querySelectorAll("input[name=job]:checked").length;
  document.getElementById("marked").textContent = marked ? `${marked} marked` : "";
}

const address = () => `${table.dataset.stream}?after=${encodeURIComponent(table.dataset.after)}`;
follow(address, {
  rows: (changed) => changed.forEach(put),
  gone,
  link,
  reread: () => reread(1000 * Math.random()),
  lagged: () => reread(1000 * Math.random()),
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
function act(verb) {
  const form = document.getElementById("selected");
  if (!table.querySelector("input[name=job]:checked")) {
    const box = cursor.current()?.querySelector("input[name=job]");
    if (!box) return false;
    box.checked = true;
    count();
  }
  form.requestSubmit(form.querySelector(`[data-verb="${verb}"]`));
}

function openPart(part) {
  const link = cursor.current()?.querySelector("th a");
  if (!link) return false;
  const url = new URL(link.href);
  if (part) url.pathname += `/${part}`;
  location.assign(url);
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
});
document.addEventListener("change", (event) => { if (event.target.name === "job") count(); });
count();
look();
