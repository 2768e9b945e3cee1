// A search in the lines of the page: marked where they stand, counted, and gone through. Small letters match
// both cases, a capital letter only itself; /between slashes/ is a regular expression.
const form = document.getElementById("search");
const field = document.getElementById("q");
const only = document.getElementById("only");
const said = document.getElementById("hits");

function parse(typed) {
  if (!typed) return null;
  const isRegex = typed.length > 2 && typed.startsWith("/") && typed.endsWith("/");
  const source = isRegex ? typed.slice(1, -1) : typed.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  return new RegExp(source, /\p{Lu}/u.test(isRegex ? source : typed) ? "g" : "gi");
}

/** What a line says: all its text but the link, the time and the rank before it. */
function textNodes(line) {
  const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT, {
    acceptNode: (node) => (node.parentElement.closest(".no") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT),
  });
  const found = [];
  while (walker.nextNode()) found.push(walker.currentNode);
  return found;
}

export class Search {
  #log;
  #pattern = null;
  #current = null;
  /** Line -> where it matches. */
  #ranges = new Map();
  #highlight = globalThis.Highlight && CSS.highlights ? new Highlight() : null;

  constructor(log) {
    this.#log = log;
    if (this.#highlight) CSS.highlights.set("hits", this.#highlight);
  }

  /** Take up what stands in the form, and what is typed there. */
  start() {
    let waiting = 0;
    field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => this.search(field.value), 150); });
    field.addEventListener("keydown", (event) => { if (event.key === "Escape") { field.value = ""; this.search(""); } });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.search(field.value);
      this.step(-1);
      this.#log.focus({ preventScroll: true });
    });
    only.addEventListener("change", () => this.search(field.value));
    if (field.value) this.search(field.value);
  }

  search(typed) {
    try {
      this.#pattern = parse(typed);
    } catch (error) {
      this.#pattern = null;
      said.textContent = `Not a regular expression: ${error.message}.`;
      return;
    }
    this.#current?.classList.remove("current");
    this.#current = null;
    for (const line of this.#log.querySelectorAll(".hit")) { line.classList.remove("hit"); this.forget(line); }
    this.mark(this.#log.children);
    this.#log.classList.toggle("only", Boolean(this.#pattern && only.checked));
    this.count();
    const address = new URL(location.href);
    if (typed) address.searchParams.set("q", typed); else address.searchParams.delete("q");
    if (only.checked) address.searchParams.set("only", "1"); else address.searchParams.delete("only");
    history.replaceState(null, "", address);
  }

  /** Mark the lines that match; they stand in the page already, as a range does not move with its nodes. */
  mark(lines) {
    if (!this.#pattern) return;
    for (const line of lines) if (!line.classList.contains("said")) this.#markLine(line);
  }

  /** A line leaves the page. */
  forget(line) {
    for (const range of this.#ranges.get(line) ?? []) this.#highlight?.delete(range);
    this.#ranges.delete(line);
  }

  #markLine(line) {
    const parts = textNodes(line);
    const text = parts.map((part) => part.data).join("");
    let hit = false;
    for (const match of text.matchAll(this.#pattern)) {
      if (!match[0]) continue;
      hit = true;
      this.#addRange(line, parts, match.index, match.index + match[0].length);
    }
    line.classList.toggle("hit", hit);
  }

  #addRange(line, parts, start, end) {
    if (!this.#highlight) return;
    const range = new Range();
    let offset = 0;
    for (const part of parts) {
      const stop = offset + part.length;
      if (start >= offset && start < stop) range.setStart(part, start - offset);
      if (end > offset && end <= stop) { range.setEnd(part, end - offset); break; }
      offset = stop;
    }
    this.#highlight.add(range);
    if (this.#ranges.has(line)) this.#ranges.get(line).push(range); else this.#ranges.set(line, [range]);
  }

  count() {
    if (!this.#pattern) { said.textContent = ""; return; }
    const hits = this.#hits();
    const at = this.#current ? hits.indexOf(this.#current) + 1 : 0;
    const count = this.#log.querySelectorAll(".line:not(.said)").length;
    // Of a long log only an end is here: nothing found in it is not nothing in the log.
    const rest = document.getElementById("older").hidden ? "" : "; older lines are not searched";
    said.textContent = `${at ? `${at.toLocaleString()} of ` : ""}${hits.length.toLocaleString()} matches in ${count.toLocaleString()} lines${rest}`;
  }

  #hits() {
    return [...this.#log.querySelectorAll(".line.hit")];
  }

  /** Go to the next line that matches (1), or to the one before (-1); first to the last one in sight. */
  step(by) {
    const hits = this.#hits();
    if (!hits.length) return;
    const bottom = this.#log.getBoundingClientRect().bottom;
    const before = hits.indexOf(this.#current);
    let next = before + by;
    if (before < 0) next = hits.findLastIndex((line) => line.getBoundingClientRect().bottom <= bottom + 2);
    this.#current?.classList.remove("current");
    this.#current = hits[(next + hits.length) % hits.length];
    this.#current.classList.add("current");
    this.#current.scrollIntoView({ block: "center" });
    this.count();
  }
}
