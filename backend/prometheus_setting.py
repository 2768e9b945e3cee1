"""The setting `prometheus`: which Prometheus measures the jobs of which cluster."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from backend_client.server.address import is_this_machine

_EITHER = "name its url, or its service (NAMESPACE/NAME:PORT) in the cluster, and not both"
_ONE_TOKEN = "give the token, or the file that holds it, and not both"  # noqa: S105  words
_OF_URLS = "a token or a CA is for a url; a service is asked with the cluster's own login"
_PLAIN = "goes over https alone: http would show it to everyone on the way"


def check_bearer(token: SecretStr) -> SecretStr:
    """Return a token that a header can carry, or an empty one. Raises PydanticCustomError."""
    text = token.get_secret_value()
    if not text.isascii() or (text and not text.isprintable()) or " " in text:
        raise PydanticCustomError("bearer", "has characters that no token has")
    return token


def _check_url(text: str) -> str:
    try:
        url = urlsplit(text)
        valid = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        valid = False
    if text and (not valid or url.query or url.fragment):
        raise PydanticCustomError("url", "write https://HOST:PORT, or http://, and a path where it has one")
    if text and (url.username or url.password):
        raise PydanticCustomError("url", "write no password into the address: it has a token, or token_file")
    return text.rstrip("/")


class PrometheusTarget(BaseModel):
    """One Prometheus. Its queries are written by the server; nobody else's reach it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_check_url)] = ""
    service: str = ""
    """NAMESPACE/NAME:PORT, asked through the cluster's API server (`get services/proxy`)."""
    token: Annotated[SecretStr, AfterValidator(check_bearer)] = SecretStr("")
    token_file: str = ""
    """Read each time, as it may be renewed."""
    ca_file: str = ""

    @model_validator(mode="after")
    def _check_together(self) -> "PrometheusTarget":
        has_token = bool(self.token.get_secret_value() or self.token_file)
        url = urlsplit(self.url)
        if bool(self.url) == bool(self.service):
            raise PydanticCustomError("prometheus", _EITHER)
        if self.service and (has_token or self.ca_file):
            raise PydanticCustomError("prometheus", _OF_URLS)
        if self.token.get_secret_value() and self.token_file:
            raise PydanticCustomError("prometheus", _ONE_TOKEN)
        if has_token and url.scheme == "http" and not is_this_machine(url.hostname or ""):
            raise PydanticCustomError("prometheus", f"its token {_PLAIN}")
        return self
