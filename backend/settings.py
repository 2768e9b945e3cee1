"""The settings of a server: from flags, TRAINDECK_SERVER_… in the environment, a TOML file."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import TomlConfigSettingsSource as Toml

from backend.prometheus_setting import PrometheusTarget, check_bearer
from backend_client.errors import Invalid, Refused
from backend_client.models.names import closest_match
from backend_client.server.address import server_folder

FILE = "/etc/traindeck/server.toml"
PREFIX = "TRAINDECK_SERVER_"
_TEN_YEARS = 3650 * 86400
"""Seconds."""
_WORDS = {
    "root_path": "write a path like /traindeck, without a slash at its end",
    "socket_mode": "write three octal digits, like 0660",
}
"""Setting -> what is wrong with a text that does not fit its pattern."""
_SHAPES = {tuple: ("list", '["a.example.org", "b.example.org"]'), dict: ("table", '{"name": "value"}')}


def _check_bearer(token: SecretStr) -> SecretStr:
    """Refuse a token that is guessed soon, or that no header can carry."""
    if 0 < len(token.get_secret_value()) < 16:
        raise PydanticCustomError("bearer", "write at least 16 letters, digits and signs")
    return check_bearer(token)


class ServerSettings(BaseSettings):
    """All settings. Every one is TRAINDECK_SERVER_<NAME> too."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings' signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic-settings' signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, Toml(settings_cls, toml_file=settings_file())

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", hide_input_in_errors=True)

    folder: Path = Field(default_factory=server_folder)
    """SQLite's file, the key of the encryption, the set-up code; readable by the server alone."""
    database: SecretStr = SecretStr("")
    """postgresql://USER:PASSWORD@HOST/NAME; empty is SQLite in the folder."""
    listen: str = "127.0.0.1:8642"
    """HOST:PORT."""
    socket: Path | None = None
    """A unix socket instead of a port; with `local` and no `listen` it is `socket` in the folder."""
    socket_mode: str = Field("", pattern=r"^(0o?)?[0-7]{3}$|^$")
    """Its mode, as "0660"; empty is 0600, or 0660 with a group."""
    socket_group: str = ""
    """Its group, by name or number: whoever is in it may connect."""
    tls_cert: Path | None = None
    """PEM file of the certificate and its chain."""
    tls_key: Path | None = None
    """PEM file of its key."""
    behind_proxy: bool = False
    """A proxy in front speaks TLS."""
    proxies: tuple[str, ...] = ()
    """With `behind_proxy`: addresses, networks whose X-Forwarded-For and -Proto are believed, `unix` for who
    connects to the socket; empty is the socket alone. At 127.0.0.1 everybody on this machine is a proxy."""
    root_path: str = Field("", pattern=r"^(/[\w.~-]+)*$")
    """The path under which a proxy in front serves it, as /traindeck; the proxy may take it off or not."""
    hosts: tuple[str, ...] = ()
    """Names under which clients may reach the server, beside its own address."""
    local: bool = False
    """This machine takes jobs; for one person, on loopback."""

    registration: Literal["closed", "open"] = "closed"
    """closed: an admin makes the accounts."""
    show_others: bool = False
    """Why a job waits, the GPUs and the queues name other people's jobs too, not only their number."""
    exec: bool = False
    """People run commands and shells in their own jobs in clusters, and connect to ports there; the server's
    account needs deploy/kubernetes/exec.yaml for it."""
    admin_user: str = ""
    """The first admin, made at the first start; else one comes with the set-up code."""
    admin_password: SecretStr = SecretStr("")
    """Their password, until they change it."""
    argon2_memory: int = Field(19456, ge=8, le=4 * 2**20)
    """KiB for one hash of a password."""
    argon2_time: int = Field(2, ge=1, le=1000)
    """Rounds of one hash."""
    token_idle: int = Field(12 * 3600, ge=1, le=_TEN_YEARS)
    """Seconds that a login lasts unused."""
    token_life: int = Field(30 * 86400, ge=1, le=_TEN_YEARS)
    """Seconds that a login lasts."""

    max_body: int = Field(2**20, ge=1)
    """Bytes of a request."""
    rate: float = Field(50.0, gt=0)
    """Requests a second of one login, or of one address without any."""
    burst: int = Field(200, ge=1)
    """Requests of one login at once."""

    max_gpus: int | None = Field(None, ge=0)
    """GPUs of one person at a time; None is no limit."""
    max_jobs: int | None = Field(200, ge=0)
    """Jobs of one person at a time."""
    max_pods: int | None = Field(None, ge=0)
    """Pods of one person at a time: nodes of jobs, replicas of deployments."""
    max_cpus: int | None = Field(None, ge=0)
    """CPUs of one person's jobs at a time; each job then says how many it needs."""
    max_memory_gib: int | None = Field(None, ge=0)
    """GiB of memory of one person's jobs at a time; each job then says how much it needs."""
    max_code: int = Field(256, ge=20)
    """MiB of packed code (`--code`) that are kept of one person; a week after its last use it goes."""
    max_code_total: int = Field(1024, ge=20)
    """MiB of packed code that are kept of all people together, in the server's folder."""
    namespace: str = ""
    """The one namespace of all jobs; empty makes one for each person."""
    ingress_suffix: str = ""
    """Hosts of jobs must end with it, behind the person's namespace; empty allows no hosts."""
    images: tuple[str, ...] = ()
    """Registries or repositories that images may come from: ghcr.io/lab; empty allows all."""
    host_paths: tuple[str, ...] = ()
    """Folders of the nodes that jobs may mount, with all in them; empty allows none."""
    priorities: tuple[str, ...] = ()
    """Priority classes that jobs may name; empty allows none."""
    queue_priorities: tuple[str, ...] = ()
    """Priorities in a queue (Kueue WorkloadPriorityClasses) that jobs may name; empty allows none."""
    tolerations: tuple[str, ...] = ()
    """Keys of taints that jobs may ask to tolerate, beside those of nodes with GPUs; empty allows none."""
    annotations: tuple[str, ...] = ()
    """Prefixes (before the /) that annotations and labels of jobs may have, beside none at all."""
    kubernetes: dict[str, Any] = {}
    """As the table `kubernetes` of traindeck's own settings: gpu_resource, gpu_types, ingress, …"""
    datasets: dict[str, dict[str, str]] = {}
    """Folders of claims that jobs mount read-only as ~NAME: `claim`, in the job's namespace, `path`, where
    jobs find it, and `sub_path`, the folder of the claim; empty is all of it."""
    local_gpus: int = 0
    """With `local`: GPUs of this machine, where no driver says."""
    local_grace: float = 10.0
    """With `local`: seconds from SIGTERM to SIGKILL."""
    prometheus: dict[str, PrometheusTarget] = {}
    """Cluster ("" for all others) -> its Prometheus: `url`, with `token` or `token_file` and `ca_file`; or
    `service`, NAMESPACE/NAME:PORT within the cluster."""
    metrics_token: Annotated[SecretStr, AfterValidator(_check_bearer)] = SecretStr("")
    """Whoever shows it as a bearer may read /metrics, as admins may; 16 printable characters at least."""
    alert_rules: dict[str, str] = {}
    """Rule of alerts -> off, on or a threshold, for all who want nothing else: {"gpu-idle": "1h"}."""
    alert_hosts: tuple[str, ...] = ()
    """Hosts that webhooks of people may reach although they are private, exactly: chat.lab.example,
    HOST:PORT, or http://HOST:PORT; any public address is allowed at port 443."""
    alert_ca: Path | None = None
    """PEM file of certificates that webhooks trust beside the system's."""
    alert_targets: dict[str, SecretStr] = {}
    """Name -> URL of apprise, to which people may have their alerts sent; needs the extra `apprise`."""
    smtp_host: str = ""
    """The mail server that alerts are sent by; empty sends no mail."""
    smtp_port: int = Field(587, ge=1, le=65535)
    """Its port."""
    smtp_tls: Literal["starttls", "tls", "none"] = "starttls"
    """starttls, tls from the first byte (port 465), or none, for a mail server on this machine."""
    smtp_user: str = ""
    """Who logs in there; empty is nobody."""
    smtp_password: SecretStr = SecretStr("")
    """Their password."""
    smtp_from: str = ""
    """The sender of mail: traindeck@example.org."""
    smtp_domains: tuple[str, ...] = ()
    """Domains that mail may go to; empty is all."""
    secret_key: SecretStr = SecretStr("")
    """What credentials of clusters and addresses of alerts are encrypted with; empty is a key file in the
    folder."""


def _message(part: ErrorDetails) -> str:
    """Say what is wrong with one setting."""
    if part["type"] == "string_pattern_mismatch":
        return _WORDS[str(part["loc"][0])]
    if part["type"] != "extra_forbidden":
        return part["msg"]
    if len(part["loc"]) > 1:
        return f"there is no such word; there are {', '.join(PrometheusTarget.model_fields)}"
    return _unknown_setting(str(part["loc"][0]))


def _unknown_setting(name: str) -> str:
    likely = closest_match(name, list(ServerSettings.model_fields))
    return f"there is no such setting{f'; did you mean {likely}?' if likely else ''}"


def unknown_variables() -> list[str]:
    """Return a warning for each variable that looks like a setting and is none.

    They are not refused: somebody else may have set them.
    """
    names = {f"{PREFIX}{name}".upper() for name in (*ServerSettings.model_fields, "config")}
    unknown = [name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in names]
    return [f"{name} is ignored: {_unknown_setting(name[len(PREFIX) :])}" for name in unknown]


def server_settings(flags: Mapping[str, Any]) -> ServerSettings:
    """Return the settings in force. Raises Invalid, or Refused for a password in argv."""
    given = str(flags.get("database", "")).partition("://")[2]
    if ":" in given.rpartition("@")[0] or "password=" in given:
        raise Refused(
            "A password in --database can be read by everybody on this machine.",
            "Put the URL into TRAINDECK_SERVER_DATABASE, or the password into PGPASSFILE.",
        )
    _check_file(settings_file())
    _check_environment()
    try:
        return ServerSettings(**flags)
    except ValidationError as error:
        wrong = {
            ".".join(map(str, part["loc"])): _message(part) for part in error.errors(include_input=False)
        }
        raise Invalid(wrong, hint="Settings stand in TRAINDECK_SERVER_… and in the server's file.") from None


def settings_file() -> Path:
    """Return the server's settings file, which need not be there unless the environment names it."""
    return Path(os.environ.get(f"{PREFIX}CONFIG") or FILE)


def _check_file(path: Path) -> None:
    """Refuse a settings file that cannot be read, or was named and is not there. Raises Refused."""
    try:
        tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        if f"{PREFIX}CONFIG" not in os.environ:
            return
        why = "it is not there"
    except OSError as error:
        why = (error.strerror or str(error)).lower()
    except UnicodeDecodeError:
        why = "it is no text in UTF-8"
    except tomllib.TOMLDecodeError as error:
        why = f"it is no TOML: {str(error)[:1].lower()}{str(error)[1:]}"
    else:
        return
    raise Refused(
        f"The server's settings file {path} cannot be read: {why}.", f"Name another by {PREFIX}CONFIG=FILE."
    )


def _check_environment() -> None:
    """Refuse a list or a table in the environment that is no JSON, by the variable's name. Raises Invalid."""
    for name, field in ServerSettings.model_fields.items():
        kind = get_origin(field.annotation)
        text = os.environ.get(f"{PREFIX}{name.upper()}")
        if text is None or kind not in (tuple, dict):
            continue
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, list if kind is tuple else dict):
            shape, example = _SHAPES[kind]
            variable = f"{PREFIX}{name.upper()}"
            raise Invalid({variable: f"is no JSON {shape}"}, hint=f"Write {variable}='{example}'.")
