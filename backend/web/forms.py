"""The fields of a form that a browser has sent. Files are not taken: no page has any."""

from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request

from backend_client.errors import Invalid

MAX_FIELDS = 1_010
_TYPE = "application/x-www-form-urlencoded"


class Form(Mapping[str, str]):
    """Field -> its text, of several of one name the last; `all` has every one of them."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs
        self._fields = dict(pairs)

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def text(self, name: str) -> str:
        """Return a field, "" where it was not sent."""
        return self._fields.get(name, "")

    def all(self, name: str) -> list[str]:
        """Return every value of a field: of check boxes."""
        return [value for key, value in self._pairs if key == name]


def typed_twice(form: Form, name: str = "password") -> str:
    """Return a new password, which stands in the field `again` too. Raises Invalid."""
    if form.text(name) != form.text("again"):
        raise Invalid({"again": "is another one"})
    return form.text(name)


async def read_form(request: Request) -> Form:
    """Read the body of a request that is a form. Raises Invalid, HTTPException.

    Line breaks are those of a file: browsers send every one as CRLF (HTML, "constructing the entry list").
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise HTTPException(415)
    try:
        pairs = parse_qsl(
            (await request.body()).decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise Invalid({"form": f"is none in UTF-8, of at most {MAX_FIELDS} fields"}) from None
    if any("\0" in text for pair in pairs for text in pair):
        raise Invalid({"form": "has a character that cannot be kept (NUL)"})
    return Form([(name, value.replace("\r\n", "\n")) for name, value in pairs])
