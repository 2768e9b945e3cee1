"""What tests of the pages share: somebody with a browser's cookie, and what stands in a page."""

from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

from backend.auth.cookie import NAME
from tests.backend.conftest import logged_in

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Element:
    """One element of a page."""

    def __init__(self, tag, attributes, parent):
        self.tag, self.parent = tag, parent
        self.attributes = {name: value or "" for name, value in attributes}
        """Name -> value; of one that only stands there, ""."""
        self.parts = []
        """Texts and elements, in order."""

    def __getitem__(self, name):
        return self.attributes.get(name)

    @property
    def text(self):
        """The text as a reader sees it: all white space is one space."""
        return " ".join(self.raw_text.split())

    @property
    def raw_text(self):
        """The text as it stands there."""
        return "".join(part if isinstance(part, str) else part.raw_text for part in self.parts)

    def all(self, tag="", **attributes):
        """Return the elements below of this tag and with these attributes; `class_` is one of several."""
        found = []
        for part in self.parts:
            if isinstance(part, Element):
                if (not tag or part.tag == tag) and part._has(attributes):
                    found.append(part)
                found += part.all(tag, **attributes)
        return found

    def one(self, tag="", **attributes):
        """Return the only such element."""
        (found,) = self.all(tag, **attributes)
        return found

    def _has(self, attributes):
        for name, value in attributes.items():
            own = self.attributes.get(name.rstrip("_").replace("_", "-"))
            if own is None or (value not in own.split() if name == "class_" else own != value):
                return False
        return True


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = self.here = Element("", (), None)

    def handle_starttag(self, tag, attrs):
        made = Element(tag, attrs, self.here)
        self.here.parts.append(made)
        if tag not in VOID:
            self.here = made

    def handle_startendtag(self, tag, attrs):
        self.here.parts.append(Element(tag, attrs, self.here))

    def handle_endtag(self, tag):
        assert self.here.tag == tag, f"</{tag}> ends <{self.here.tag}>"
        self.here = self.here.parent

    def handle_data(self, data):
        self.here.parts.append(data)


def parse(html):
    """Parse a page, whose elements must be closed in order."""
    reader = _Reader()
    reader.feed(html)
    assert reader.here is reader.root, f"<{reader.here.tag}> is not closed"
    return reader.root


class Visitor:
    """One person with a browser, logged in by its cookie."""

    def __init__(self, app, token=""):
        transport = httpx.ASGITransport(app=app)
        headers = {"Cookie": f"{NAME}={token}"} if token else {}
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    @classmethod
    async def enter(cls, app, name, role="researcher"):
        """Log somebody in, who is added where there is none yet."""
        token, caller = await logged_in(app, name, role)
        visitor = cls(app, token)
        visitor.token, visitor.caller = token, caller
        return visitor

    async def get(self, path, status=200, **more):
        """Open a page; return what stands in it."""
        answer = self.last = await self.client.get(path, **more)
        assert answer.status_code == status, answer.text
        return parse(answer.text)

    async def send(self, path, status=303, **fields):
        """Send a form, as one of our own pages does; return the answer."""
        headers = {"Sec-Fetch-Site": "same-origin"}
        answer = self.last = await self.client.post(path, data=fields, headers=headers)
        assert answer.status_code == status, answer.text
        return answer

    async def submit(self, form, status=303, button=None, **fields):
        """Fill in a form of the page that was opened last, and send it by a button."""
        values = {}
        for field in (*form.all("input"), *form.all("textarea"), *form.all("select")):
            if not field["name"] or (field["type"] in ("checkbox", "radio") and field["checked"] is None):
                continue
            values[field["name"]] = _value(field)
        if button is not None and button["name"]:
            values[button["name"]] = button["value"]
        path = urljoin(str(self.last.url), form["action"] or "")
        if (form["method"] or "get") == "get":
            return await self.client.get(path, params=values | fields)
        return await self.send(path, status, **(values | fields))


def _value(field):
    if field.tag == "textarea":
        return field.raw_text.removeprefix("\n")
    if field.tag == "select":
        options = field.all("option")
        chosen = next(
            (one for one in options if one["selected"] is not None), options[0] if options else None
        )
        return (chosen["value"] if chosen["value"] is not None else chosen.text) if chosen else ""
    return field["value"] or ""
