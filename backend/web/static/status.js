// What is said by the way: one line for screen readers and eyes alike, and whether the page is live.
let last = 0;
let waiting = 0;
let heard = new Date();

/** Say a sentence in the page's status line, at most every five seconds: the newest counts. */
export function say(sentence) {
  const line = document.getElementById("said");
  if (!line) return;
  clearTimeout(waiting);
  const pause = Math.max(0, last + 5000 - Date.now());
  waiting = setTimeout(() => { last = Date.now(); line.textContent = sentence; }, pause);
}

/** Mark the page as not live, with the reason and the time of what it shows; "", said whenever something was
 * heard, takes the mark off. */
export function stale(why) {
  const line = document.getElementById("stale");
  if (!why) heard = new Date();
  if (!line) return;
  if (!why) { line.hidden = true; line.textContent = ""; return; }
  if (line.hidden) {
    line.textContent = `${why}; as of ${heard.toLocaleTimeString()}`;
    line.hidden = false;
  }
}
