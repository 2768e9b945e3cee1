// Times in the reader's own zone, and ages that stay true. Without a script they are in UTC.
const units = [[86400, "d", 172800], [3600, "h", 3600], [60, "m", 60]];

function age(seconds) {
  for (const [size, letter, from] of units) if (seconds >= from) return `${Math.floor(seconds / size)}${letter}`;
  return "<1m";
}

function clock(when) {
  const today = when.toDateString() === new Date().toDateString();
  return when.toLocaleString([], today ? { timeStyle: "medium" } : { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" });
}

/** Show every time below `root` (a document or a fragment) for this reader. */
export function localize(root = document) {
  for (const node of root.querySelectorAll("time[datetime]")) {
    const when = new Date(node.dateTime);
    if (Number.isNaN(when.getTime())) continue;
    if (node.classList.contains("age")) {
      const text = age((Date.now() - when) / 1000);
      if (node.textContent !== text) node.textContent = text;
    } else if (!node.dataset.local) {
      node.dataset.local = "1";
      node.title = node.textContent;
      node.textContent = node.classList.contains("clock") ? clock(when) : when.toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
    }
  }
}
setInterval(() => { if (!document.hidden) localize(); }, 30_000);
