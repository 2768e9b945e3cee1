// The form for a new job: what is said at each field while it is typed, and what was typed is not lost.
import { nodes } from "./fragments.js";

const form = document.getElementById("job");
const fields = [...form.elements].filter((node) => node.name.startsWith("f."));
const initial = texts();
const place = `new job of ${form.dataset.user}`;
let changed = false;
let loggedOut = false;
let sent = false;
let timer = 0;
let asked = 0;

function texts() {
  return Object.fromEntries([...new FormData(form)].filter(([name]) => name.startsWith("f.")));
}

function fill(values) {
  for (const node of fields) {
    const value = values[node.name];
    if (node.type === "radio") node.checked = node.value === value;
    else if (value !== undefined) node.value = value;
  }
}

/** Keep texts for this tab; null throws them away. */
function keep(values) {
  try {
    if (values) sessionStorage.setItem(place, JSON.stringify(values));
    else sessionStorage.removeItem(place);
  } catch { /* a browser that keeps nothing */ }
}

function kept() {
  try { return JSON.parse(sessionStorage.getItem(place)); } catch { return null; }
}

/** Ask what is to be said of the fields; null where a login is needed. */
async function ask() {
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.dataset.check, { method: "POST", body, redirect: "manual" });
  if (answer.type === "opaqueredirect") return null;
  if (!answer.ok) throw new Error(`${answer.status}`);
  return nodes(await answer.text());
}

async function check() {
  const mine = ++asked;
  const said = await ask();
  loggedOut = !said;
  document.getElementById("out").hidden = !loggedOut;
  if (!said || mine !== asked) return;
  for (const fresh of said.querySelectorAll(".said")) put(fresh);
  document.getElementById("place").textContent = said.querySelector("#place").textContent;
}

function put(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || old.textContent.trim() === fresh.textContent.trim()) return;
  const wrong = !!fresh.querySelector(".message:not(.warning)");
  const field = old.closest(".field");
  field.classList.toggle("wrong", wrong);
  for (const node of field.querySelectorAll("[aria-describedby]")) {
    if (wrong) node.setAttribute("aria-invalid", "true");
    else node.removeAttribute("aria-invalid");
  }
  old.replaceWith(document.importNode(fresh, true));
}

function checkSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => check().catch(() => {}), 600);
}

form.addEventListener("input", () => {
  changed = true;
  keep(texts());
  checkSoon();
});

// Whoever leaves is asked, and then means it; only a login that has ended leaves the texts for the next one.
addEventListener("beforeunload", (event) => {
  if (changed && !sent && !loggedOut) event.preventDefault();
});
addEventListener("pagehide", () => {
  if (!loggedOut) keep(null);
});
addEventListener("pageshow", () => { sent = false; });

form.addEventListener("submit", async (event) => {
  if (sent) return;
  event.preventDefault();
  clearTimeout(timer);
  asked++;
  loggedOut = await ask().then((said) => !said, () => false);
  if (loggedOut) {
    keep(texts());
    location.assign(form.dataset.login);
    return;
  }
  sent = true;
  form.requestSubmit(event.submitter);
});

const before = kept();
if (before && JSON.stringify(before) !== JSON.stringify(initial)) {
  fill(before);
  changed = true;
  checkSoon();
  const notice = document.getElementById("back");
  notice.hidden = false;
  notice.querySelector("button").addEventListener("click", () => {
    fill(initial);
    keep(null);
    changed = false;
    notice.hidden = true;
    checkSoon();
  });
}
