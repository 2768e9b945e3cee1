// The terminal program's keys, where a browser leaves them free. Every one is a link or a button as well.
const typing = (node) => node.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

/** Act on keys: `table` maps a key to a function. Nothing is taken while somebody types, or with ctrl, alt, meta. */
export function onKeys(table) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (typing(event.target)) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.key === " " && event.target.closest("button, input, select, summary")) return; // it presses that
    const act = table[event.key];
    if (act && act(event) !== false) event.preventDefault();
  });
}

/** Click what has this key (`data-key`); false where the page has nothing for it. */
export function press(key) {
  const node = document.querySelector(`[data-key="${CSS.escape(key)}"]:not([disabled]):not([aria-disabled])`);
  if (!node) return false;
  if (node.matches("input")) { node.focus(); node.select?.(); }
  else if (node.matches("select")) { node.selectedIndex = (node.selectedIndex + 1) % node.length; node.form.requestSubmit(); }
  else node.click();
  return true;
}

/** Move a cursor over the rows of a list: `j`, `k`, Enter opens. `rows`: function that returns them. */
export function listKeys(rows) {
  let uid = null;
  let last = -1; // where it was, should its row go
  const at = () => rows().findIndex((row) => row.dataset.uid === uid);
  function go(step) {
    const all = rows();
    if (!all.length) return false;
    const here = at() < 0 && last >= 0 ? last - Math.max(0, step) : at();
    const next = Math.min(all.length - 1, Math.max(0, here + step));
    all.forEach((row) => row.classList.remove("cursor"));
    all[next].classList.add("cursor");
    uid = all[next].dataset.uid;
    last = next;
    all[next].querySelector("a")?.focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  }
  const current = () => rows()[at()];
  return {
    keys: { j: () => go(1), k: () => go(last < 0 ? 1 : -1), ArrowDown: () => go(1), ArrowUp: () => go(last < 0 ? 1 : -1) },
    current,
    restore() { if (uid !== null) current()?.classList.add("cursor"); },
  };
}
