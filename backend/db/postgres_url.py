"""PostgreSQL's URL as libpq reads it: what the driver (asyncpg) honours goes to it, the rest is refused.

https://www.postgresql.org/docs/current/libpq-connect.html; several hosts, a socket's folder as host, %XX.
"""

import re
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from msgspec import Struct

from backend_client.errors import Refused
from backend_client.models.names import closest_match
from backend_client.models.secret import Secret

DRIVERS_OWN = frozenset(
    "host port user password passfile dbname sslmode sslcert sslkey sslrootcert sslcrl sslpassword "
    "sslnegotiation ssl_min_protocol_version ssl_max_protocol_version target_session_attrs service "
    "krbsrvname gsslib".split()
)
SERVERS_OWN = frozenset({"application_name", "options"})
"""Sent to PostgreSQL, which reads them."""
SAYS_NOTHING = {
    "channel_binding": ("prefer", "disable"),
    "client_encoding": ("utf8", "utf-8", "auto"),
    "gssencmode": ("prefer", "disable"),
    "load_balance_hosts": ("disable",),
    "replication": ("false", "off", "no", "0"),
    "sslcertmode": ("allow",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
}
"""Parameter -> the values that ask for no more than the driver does anyway."""
LIBPQS_OTHERS = frozenset(
    "hostaddr keepalives keepalives_count keepalives_idle keepalives_interval max_protocol_version "
    "min_protocol_version oauth_client_id oauth_client_secret oauth_issuer oauth_scope require_auth "
    "requirepeer requiressl scram_client_key scram_server_key servicefile sslcrldir sslkeylogfile "
    "tcp_user_timeout".split()
)
CHOICES = {
    "sslmode": "disable allow prefer require verify-ca verify-full".split(),
    "target_session_attrs": "any primary standby read-write read-only prefer-standby".split(),
    "sslnegotiation": ["postgres", "direct"],
    "ssl_min_protocol_version": ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
    "ssl_max_protocol_version": ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"],
}
FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile")
APPLICATION = "traindeck"
CONNECT_SECONDS = 10.0
_SHAPE = "Write postgresql://USER:PASSWORD@HOST/NAME."
_RAW = "In a user or a password write %40 for @, %23 for #, %2F for /, %3A for :, %3F for ?, %25 for %."
_HOST = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[^:\[\]\s]*)(?::(\d*))?")


class PostgresUrl(Struct, frozen=True):
    """Where a PostgreSQL is, and how to connect to it."""

    dsn: Secret
    """For the driver."""
    timeout: float
    """Seconds to connect in."""
    where: str
    """Its hosts, for messages."""
    database: str
    user: str
    """Empty: the driver finds one, in a service file or the environment."""


def parse_postgres_url(text: str) -> PostgresUrl:
    """Parse a URL of a PostgreSQL. Raises Refused, without a word of its password."""
    if not text.isprintable() or " " in text:
        raise Refused(
            "The database's URL has a blank or a control character in it.", f"{_SHAPE} %20 is a blank."
        )
    authority, _, query = text.partition("://")[2].partition("?")
    login, at, place = authority.rpartition("@")
    hosts, _, database = place.partition("/")
    user, _, _password = login.partition(":")
    _check_raw(text, login, database, query)
    parameters = _parameters(query)
    listed = _hosts(hosts)
    timeout = _seconds(parameters.pop("connect_timeout", ""))
    name = parameters.pop("fallback_application_name", APPLICATION)
    parameters.setdefault("application_name", name)
    parameters = {key: value for key, value in parameters.items() if key not in SAYS_NOTHING}
    path = f"/{quote(unquote(database), safe='')}" if database else ""
    dsn = f"postgresql://{login}{at}{hosts}{path}?{urlencode(parameters, quote_via=quote)}"
    where = parameters.get("host") or ", ".join(listed) or "the local socket"
    name = unquote(database) or parameters.get("dbname", "")
    return PostgresUrl(Secret(dsn), timeout, where, name, unquote(user) or parameters.get("user", ""))


def _check_raw(text: str, login: str, database: str, query: str) -> None:
    """Refuse characters that only a forgotten %XX can have brought there: they would move the host."""
    if "#" in text or "@" in login or "/" in login or login.count(":") > 1 or "/" in database or "@" in query:
        raise Refused("The database's URL has a character in it that must be written as %XX.", _RAW)
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise Refused("The database's URL has a % in it that begins no %XX.", _RAW)


def _parameters(query: str) -> dict[str, str]:
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise Refused(
            "The parameters in the database's URL cannot be read.", "Write them as ?NAME=VALUE&NAME=VALUE."
        ) from None
    for name, value in given:
        _check_parameter(name, value)
    return dict(given)


def _check_parameter(name: str, value: str) -> None:
    """Refuse by name what would not do what it says."""
    known = DRIVERS_OWN | SERVERS_OWN | {"connect_timeout", "fallback_application_name"}
    if name in SAYS_NOTHING and value.lower() not in SAYS_NOTHING[name]:
        raise Refused(
            f"{name}={value} in the database's URL cannot be kept: the driver has nothing of the kind.",
            f"Leave {name} out, or at {SAYS_NOTHING[name][0]}.",
        )
    if name in LIBPQS_OTHERS:
        raise Refused(
            f"{name} in the database's URL cannot be kept: the driver has nothing of the kind.",
            f"Leave {name} out.",
        )
    if name not in known and name not in SAYS_NOTHING:
        likely = closest_match(name, sorted(known | {*SAYS_NOTHING}))
        meant = f"Did you mean {likely}? " if likely else ""
        raise Refused(
            f"The database's URL has a parameter {name}, which there is none of.",
            f"{meant}Settings of PostgreSQL: options=-c%20NAME%3DVALUE",
        )
    if name in CHOICES and value not in CHOICES[name]:
        raise Refused(
            f"{name} in the database's URL cannot be {value!r}.", f"One of {', '.join(CHOICES[name])}."
        )
    if name in FILES and not Path(value).is_file():
        raise Refused(
            f"{name} in the database's URL names a file that is not there: {value}.", "Write the path of one."
        )
    if name == "port":
        _check_ports(value.split(","))


def _hosts(text: str) -> list[str]:
    """Return the hosts of a URL, with their ports, as they are shown."""
    hosts = []
    for word in text.split(",") if text else ():
        found = _HOST.fullmatch(unquote(word) if word.startswith("%2") else word)
        if not found:
            raise Refused("The host in the database's URL cannot be read.", f"{_SHAPE} {_RAW}")
        if found[2]:
            _check_ports([found[2]])
        hosts.append(word if not word.startswith("%2") else unquote(word))
    return hosts


def _check_ports(ports: list[str]) -> None:
    for port in ports:
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise Refused("The port in the database's URL is no number from 1 to 65535.", f"{_SHAPE} {_RAW}")


def _seconds(value: str) -> float:
    """Read connect_timeout; in libpq 0 waits for ever, and nothing of ours does."""
    if not value:
        return CONNECT_SECONDS
    if not re.fullmatch(r"\d{1,6}", value):
        raise Refused(
            f"The parameter connect_timeout in the database's URL is no number of seconds: {value!r}."
        )
    return float(value) or CONNECT_SECONDS
