// A question before something is done: its page in a dialog; where that fails, the page itself.
import { fetchPage } from "./fragments.js";

/** Ask what the page at an address asks. `from`: what gets the focus back. */
export async function ask(address, from) {
  try {
    const page = await fetchPage(address);
    const question = page?.querySelector("#question");
    if (!question) { if (page) location.assign(address); return; }
    const dialog = document.createElement("dialog");
    dialog.setAttribute("aria-labelledby", "question-title");
    dialog.append(document.importNode(question, true));
    document.body.append(dialog);
    dialog.addEventListener("close", () => { dialog.remove(); from?.focus(); });
    dialog.addEventListener("click", (inside) => {
      if (inside.target.closest("[data-cancel]")) { inside.preventDefault(); dialog.close(); }
    });
    dialog.showModal();
    dialog.querySelector("[data-cancel]")?.focus();
  } catch {
    location.assign(address);
  }
}
