"""The settings of a server: from flags, TRAINDECK_SERVER_… in the environment, a TOML file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import TomlConfigSettingsSource as Toml

from backend_client.errors import Invalid, Refused
from backend_client.models.names import closest_match
from backend_client.paths import user_state_dir

FILE = "/etc/traindeck/server.toml"
PREFIX = "TRAINDECK_SERVER_"


def state_folder() -> Path:
    """Return the folder of a server's own files where no setting names one."""
    return user_state_dir() / "server"


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
        file = os.environ.get("TRAINDECK_SERVER_CONFIG", FILE)
        return init_settings, env_settings, Toml(settings_cls, toml_file=file)

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", hide_input_in_errors=True)

    folder: Path = Field(default_factory=state_folder)
    """SQLite's file, the key of the encryption, the set-up code; readable by the server alone."""
    database: SecretStr = SecretStr("")
    """postgresql://USER:PASSWORD@HOST/NAME; empty is SQLite in the folder."""
    listen: str = "127.0.0.1:8642"
    """HOST:PORT."""
    socket: Path | None = None
    """A unix socket instead of a port."""
    tls_cert: Path | None = None
    """PEM file of the certificate and its chain."""
    tls_key: Path | None = None
    """PEM file of its key."""
    behind_proxy: bool = False
    """A proxy in front speaks TLS."""
    proxies: tuple[str, ...] = ()
    """With `behind_proxy`: addresses, networks whose X-Forwarded-For is believed; empty is this machine."""
    hosts: tuple[str, ...] = ()
    """Names under which clients may reach the server, beside its own address."""
    local: bool = False
    """This machine takes jobs; for one person, on loopback."""

    registration: Literal["closed", "open"] = "closed"
    """closed: an admin makes the accounts."""
    admin_user: str = ""
    """The first admin, made at the first start; else one comes with the set-up code."""
    admin_password: SecretStr = SecretStr("")
    """Their password, until they change it."""
    argon2_memory: int = 19456
    """KiB for one hash of a password."""
    argon2_time: int = 2
    """Rounds of one hash."""
    token_idle: int = 12 * 3600
    """Seconds that a login lasts unused."""
    token_life: int = 30 * 86400
    """Seconds that a login lasts."""

    max_body: int = 2**20
    """Bytes of a request."""
    rate: float = 50.0
    """Requests a second of one login, or of one address without any."""
    burst: int = 200
    """Requests of one login at once."""

    max_gpus: int | None = None
    """GPUs of one person at a time; None is no limit."""
    max_jobs: int | None = 200
    """Jobs of one person at a time."""
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
    annotations: tuple[str, ...] = ()
    """Prefixes (before the /) that annotations and labels of jobs may have, beside none at all."""
    kubernetes: dict[str, Any] = {}
    """As the table `kubernetes` of traindeck's own settings: gpu_resource, gpu_types, ingress, …"""
    local_gpus: int = 0
    """With `local`: GPUs of this machine, where no driver says."""
    local_grace: float = 10.0
    """With `local`: seconds from SIGTERM to SIGKILL."""
    secret_key: SecretStr = SecretStr("")
    """What credentials of clusters are encrypted with; empty is a key file in the folder."""


def _message(part: ErrorDetails) -> str:
    """Say what is wrong with one setting."""
    if part["type"] != "extra_forbidden":
        return part["msg"]
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
    if ":" in str(flags.get("database", "")).partition("://")[2].rpartition("@")[0]:
        raise Refused(
            "A password in --database can be read by everybody on this machine.",
            "Put the URL into TRAINDECK_SERVER_DATABASE, or the password into PGPASSFILE.",
        )
    try:
        return ServerSettings(**flags)
    except ValidationError as error:
        wrong = {
            ".".join(map(str, part["loc"])): _message(part) for part in error.errors(include_input=False)
        }
        raise Invalid(wrong, hint="Settings stand in TRAINDECK_SERVER_… and in the server's file.") from None
    except (OSError, ValueError) as error:
        raise Refused(f"The server's settings file cannot be read: {error}.", "") from None
