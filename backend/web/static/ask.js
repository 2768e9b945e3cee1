// A question before something is done: its page in a dialog; where that fails, the page itself.
import { fetchPage } from "./fragments.js";

/** Ask what the page at an address asks. What had the focus gets it back (HTML, "dialog focusing steps"). */
export async function ask(address) {
  try {
    const page = await fetchPage(address);
    const question = page?.querySelector("#question");
    if (!question) { if (page) location.assign(address); return; }
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "question-title");
    dialog.append(document.importNode(question, true));
    document.body.append(dialog);
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (inside) => {
      if (inside.target.closest("[data-cancel]")) { inside.preventDefault(); dialog.close(); }
    });
    dialog.showModal();
    dialog.querySelector("[data-cancel]")?.focus();
  } catch {
    location.assign(address);
  }
}
