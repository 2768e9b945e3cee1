"""Renders pages: one Jinja environment that escapes everything, the links, and the headers of a page."""

import base64
import gzip
import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from markupsafe import Markup, escape

from backend.auth.caller import Caller
from backend.auth.passwords import MIN_LENGTH
from backend.web.assets import assets
from backend_client.models import JobRef
from backend_client.text.figures import span
from backend_client.text.sanitize import clean, clean_block

POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types traindeck",
    )
)
"""The Content-Security-Policy of a page: nothing from elsewhere, nothing inline, and of scripts no HTML but
what `static/fragments.js` lets through, which this server has rendered."""
_ELSEWHERE = {"none", "same-site", "cross-site"}
"""`Sec-Fetch-Site` of who follows a link from elsewhere, or types an address."""
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC")
"""As `figures.utc_time` writes it."""
_WORTH_COMPRESSING = 1_000


class Site:
    """The pages of one server. `root_path`: where a proxy in front has them, without a slash at its end."""

    def __init__(self, root_path: str) -> None:
        self.root_path = root_path
        self._environment = _environment()
        self._environment.globals |= {"url": self.url, "asset": self.asset, "job_url": self.job_url}

    def url(self, path: str, **query: object) -> str:
        """Return the address of a page of this server, with what of the query is not empty."""
        words = urlencode({name: value for name, value in query.items() if value not in ("", None, False)})
        return f"{self.root_path}{path}" + (f"?{words}" if words else "")

    def asset(self, name: str) -> str:
        """Return the address of a file that pages load."""
        return self.root_path + assets()[name].path

    def job_url(self, ref: JobRef, part: str = "", **query: object) -> str:
        """Return the address of a job's page, or of a part of it ("log"); it outlives the job."""
        path = f"/jobs/{quote(ref.name, '')}" + (f"/{part}" if part else "")
        return self.url(path, cluster=ref.context, uid=ref.uid, **query)

    def fragment(self, template: str, **context: Any) -> str:
        """Render a template that is a part of a page."""
        return self._environment.get_template(template).render(context)

    def page(
        self,
        request: Request,
        template: str,
        *,
        caller: Caller | None = None,
        status: int = 200,
        secret: bool = False,
        **context: Any,
    ) -> Response:
        """Render a whole page. `secret`: it shows one, so that it is not compressed beside what was typed."""
        now = datetime.now(UTC)
        style = _style() if _arrives(request) else Markup()
        text = self.fragment(
            template,
            caller=caller,
            style=style,
            here=request.url.path,
            query=request.query_params,
            firing=getattr(request.state, "firing", 0),
            now=now,
            **context,
        )
        policy = _policy_with_style() if style else POLICY
        headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
        content = text.encode()
        wanted = "gzip" in request.headers.get("accept-encoding", "")
        if wanted and not secret and len(content) > _WORTH_COMPRESSING:
            content = gzip.compress(content, 1, mtime=0)
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(content, status, headers, "text/html; charset=utf-8")

    def redirect(self, path: str, **query: object) -> Response:
        """Answer a form that was done: go to a page of this server, by GET."""
        return RedirectResponse(self.url(path, **query), 303)


def site_of(request: Request) -> Site:
    """Return the pages of the app that a request came to."""
    site: Site = request.app.state.site
    return site


def _arrives(request: Request) -> bool:
    """Tell whether a page is a visit's first: it has its style in it, which saves the way there and back."""
    headers = request.headers
    return headers.get("sec-fetch-dest") == "document" and headers.get("sec-fetch-site") in _ELSEWHERE


@cache
def _style() -> Markup:
    return Markup(assets()["traindeck.css"].content.decode())  # noqa: S704  ours


@cache
def _policy_with_style() -> str:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return POLICY.replace("style-src 'self'", f"style-src 'self' 'sha256-{digest}'")


@cache
def _loader() -> jinja2.BaseLoader:
    return jinja2.FileSystemLoader(Path(__file__).parent / "templates")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        loader=_loader(),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["shortest_password"] = MIN_LENGTH
    environment.filters |= {
        "clean": clean,
        "clean_block": clean_block,
        "moment": moment,
        "ago": ago,
        "timed": timed,
    }
    return environment


def moment(when: datetime | None) -> Markup:
    """Mark up a point in time, in UTC; the script shows it in the reader's time zone. Empty for None."""
    if when is None:
        return Markup()
    utc = when.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S}"
    )


def timed(text: str) -> Markup:
    """Escape a text, and mark up the points in time that it names as `figures.utc_time` does."""
    marked = _MOMENT.sub(r'<time datetime="\1T\2Z">\1 \2 UTC</time>', str(escape(text)))
    return Markup(marked)  # noqa: S704  escaped, and only digits marked up


def ago(when: datetime | None, now: datetime) -> Markup:
    """Mark up how long ago something was: 3h; the script keeps it true. Empty for None."""
    if when is None:
        return Markup()
    utc = when.astimezone(UTC)
    return Markup('<time datetime="{}" class="age" title="{} UTC">{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S}", span((now - when).total_seconds())
    )
