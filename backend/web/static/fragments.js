// HTML that this server has rendered, escaped there once. The only place where text becomes HTML: the
// page's policy (require-trusted-types-for) refuses every other one.
const policy = window.trustedTypes?.createPolicy("traindeck", { createHTML: (html) => html });

/** Return the nodes of a fragment, as a DocumentFragment. */
export function nodes(html) {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  return template.content;
}

/** Fetch a page of this server; return its document, or null where a login is needed (and go there). */
export async function fetchPage(address, options = {}) {
  const answer = await fetch(address, { credentials: "same-origin", ...options });
  if (answer.redirected && new URL(answer.url).pathname.endsWith("/login")) {
    location.assign(answer.url);
    return null;
  }
  if (!answer.ok) throw new Error(`${answer.status}`);
  const holder = document.createElement("template");
  const html = await answer.text();
  holder.innerHTML = policy ? policy.createHTML(html) : html;
  return holder.content;
}
