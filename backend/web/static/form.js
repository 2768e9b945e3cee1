// The form for a new job: what is said at each field while it is typed, and what was typed is not lost.
import { fetchPage } from "./fragments.js";

const form = document.getElementById("job");
const fields = [...form.elements].filter((node) => node.name?.startsWith("f."));
const place = `new job ${form.dataset.user} ${location.pathname}${location.search}`;
const initial = texts();
let changed = false;
let timer = 0;
let asked = 0;

function texts() {
  return Object.fromEntries([...new FormData(form)].filter(([name]) => name.startsWith("f.")));
}

/** Ask what is to be said of the fields; null where a login is needed. */
function ask() {
  return fetchPage(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
}

async function check() {
  const mine = ++asked;
  const said = await ask();
  if (!said || mine !== asked) return;
  for (const fresh of said.querySelectorAll(".said")) put(fresh);
  document.getElementById("place").textContent = said.querySelector("#place").textContent;
}

function put(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || old.textContent.trim() === fresh.textContent.trim()) return;
  const wrong = !!fresh.querySelector(".message:not(.warning)");
  const field = old.closest(".field");
  field?.classList.toggle("wrong", wrong);
  for (const node of field?.querySelectorAll("input, textarea") ?? []) {
    if (wrong) node.setAttribute("aria-invalid", "true");
    else node.removeAttribute("aria-invalid");
  }
  old.replaceWith(document.importNode(fresh, true));
}

function kept(value) {
  try {
    if (value === undefined) return JSON.parse(sessionStorage.getItem(place) ?? "null");
    if (value === null) sessionStorage.removeItem(place);
    else sessionStorage.setItem(place, JSON.stringify(value));
  } catch { /* a browser that keeps nothing: then nothing is kept */ }
  return null;
}

function fill(values) {
  for (const node of fields) {
    const value = values[node.name];
    if (node.type === "radio") node.checked = node.value === value;
    else if (value !== undefined) node.value = value;
  }
}

form.addEventListener("input", () => {
  changed = true;
  kept(texts());
  clearTimeout(timer);
  timer = setTimeout(() => check().catch(() => {}), 600);
});

addEventListener("beforeunload", (event) => {
  if (changed) event.preventDefault();
});

// Before it is sent: is there still a login? If not, what was typed waits here for the next one.
form.addEventListener("submit", async (event) => {
  if (form.dataset.sent) return;
  event.preventDefault();
  clearTimeout(timer);
  asked++;
  const said = await ask().catch(() => form);
  changed = false;
  if (!said) { location.assign(form.dataset.login); return; }
  kept(null);
  form.dataset.sent = "1";
  form.requestSubmit(event.submitter);
});
addEventListener("pageshow", () => { delete form.dataset.sent; });

const before = kept();
if (before && JSON.stringify(before) !== JSON.stringify(initial)) {
  fill(before);
  changed = true;
  const notice = document.getElementById("back");
  notice.hidden = false;
  notice.querySelector("[data-afresh]").addEventListener("click", () => {
    fill(initial);
    kept(null);
    changed = false;
    notice.hidden = true;
  });
}
