"""One person's browser: pages, what they complain of, and whether all can use them."""

import json
from functools import cache

from tests.backend_client.server.support.running import PASSWORD
from tests.support.wait import PATIENCE

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
_SERIOUS = ("serious", "critical")
_SET_HIDDEN = """(hidden) => {
    Object.defineProperty(document, "hidden", {configurable: true, value: hidden});
    document.dispatchEvent(new Event("visibilitychange"));
}"""
_UNSEEN_FOCUS = """() => {
    const shown = (node) => node.checkVisibility() && !node.matches(":disabled") && node.tabIndex >= 0;
    const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
    const controls = [...document.querySelectorAll(kinds)].filter(shown);
    const wrong = document.activeElement === controls[0] ? [] : ["the first is not reached"];
    for (const node of controls) {
        node.focus();
        const {outlineStyle, outlineWidth} = getComputedStyle(node);
        const drawn = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
        if (!drawn || !node.matches(":focus-visible")) wrong.push(node.outerHTML.slice(0, 120));
    }
    return wrong;
}"""


class Browser:
    """A browser with cookies of its own. `expected`: parts of complaints that a test means to cause."""

    def __init__(self, context, server, expected):
        self.context, self.server, self.expected = context, server, expected
        self.complaints = []

    @classmethod
    async def open_for(cls, chromium, server, *, expected=(), **options):
        """Open a browser with one tab."""
        context = await chromium.new_context(
            base_url=server.url, timezone_id="Europe/Berlin", **{"viewport": DESK, **options}
        )
        context.set_default_timeout(PATIENCE * 1000)
        made = cls(context, server, expected)
        made.page = await made.new_page()
        return made

    async def new_page(self):
        """Open a tab, and listen to what it complains of."""
        page = await self.context.new_page()
        page.on(
            "console", lambda said: self._complain(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self._complain(str(error)))
        page.on("dialog", lambda dialog: self._complain(f"dialog: {dialog.message}"))
        page.on(
            "response",
            lambda answer: self._complain(f"{answer.status} {answer.url}") if answer.status == 404 else None,
        )
        return page

    def take_complaints(self):
        """Return what the pages have complained of since the last time."""
        taken, self.complaints = self.complaints, []
        return taken

    def _complain(self, text):
        if not any(part in text for part in self.expected):
            self.complaints.append(text)

    async def log_in(self, name, password=PASSWORD):
        """Log in by the form."""
        await self.page.goto("/login")
        await self.page.get_by_label("User").fill(name)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Log in").click()
        await self.page.wait_for_url("**/jobs")

    async def open(self, path):
        """Open a page of the server in the first tab."""
        await self.page.goto(path)
        return self.page

    async def ask(self, method, path, body=None):
        """Ask the API, as whoever is logged in, from the page that is open; return what it answers."""
        return await self.page.evaluate(
            """async ([method, path, body]) => {
                const headers = {"Content-Type": "application/json"};
                const sent = {method, headers, body: body && JSON.stringify(body)};
                const answer = await fetch(`/api${path}`, sent);
                const text = await answer.text();
                if (!answer.ok) throw new Error(text);
                return text ? JSON.parse(text) : null;
            }""",
            [method, path, body],
        )

    async def submit(self, script, **fields):
        """Submit a job of this machine; return it."""
        return await self.ask("POST", "/jobs", {"kind": "job", "command": ["sh", "-c", script], **fields})

    async def barriers(self, *rules):
        """Return what axe-core finds serious on the page, a line each; `rules`: only of these."""
        if not await self.page.evaluate("Boolean(window.axe)"):
            await self.page.evaluate(_axe())
        asked = {"resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}
        only = {"runOnly": rules} if rules else {}
        found = await self.page.evaluate("asked => axe.run(asked)", asked | only)
        return [
            f"{rule['id']}: {rule['help']}: {json.dumps([node['html'] for node in rule['nodes']][:3])}"
            for rule in found["violations"]
            if rule["impact"] in _SERIOUS
        ]

    async def overflow(self):
        """Return by how many pixels the page is wider than its window."""
        return await self.page.evaluate("document.documentElement.scrollWidth - innerWidth")

    async def unseen_focus(self):
        """Go to the page's first control by the keyboard; return those that do not show that they have it."""
        await self.page.keyboard.press("Tab")
        return await self.page.evaluate(_UNSEEN_FOCUS)

    async def close(self):
        """Close it. Raises AssertionError with what it complained of."""
        await self.context.close()
        assert not self.complaints, self.complaints


async def hide(page):
    """Let a tab be behind another one. A browser without a screen shows all of them; a page is told so."""
    await page.evaluate(_SET_HIDDEN, True)


async def show(page):
    """Let a tab that is behind others be in front again."""
    await page.evaluate(_SET_HIDDEN, False)


@cache
def _axe():
    from importlib.resources import files  # noqa: PLC0415  only where Playwright is

    return (files("axe_playwright_python") / "axe.min.js").read_text()
