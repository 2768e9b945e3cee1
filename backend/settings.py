"""What a server is told: TRAINDECK_SERVER_… in the environment, or a TOML file; flags weigh more."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def state_folder() -> Path:
    """Where a server keeps its own things, where nobody says."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(home) / "traindeck" / "server"


class ServerSettings(BaseSettings):
    """All settings. Every one is TRAINDECK_SERVER_<NAME> too."""

    model_config = SettingsConfigDict(
        env_prefix="TRAINDECK_SERVER_", extra="ignore", hide_input_in_errors=True
    )

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
    """A proxy in front speaks TLS; the address that it names is believed."""
    hosts: tuple[str, ...] = ()
    """Names under which clients may reach the server, beside its own address."""
    local: bool = False
    """This machine takes jobs; for one person, on loopback."""

    registration: Literal["closed", "open"] = "closed"
    """closed: an admin makes the accounts."""
    admin_user: str = ""
    """The first admin, made at the first start; else one comes with the set-up code."""
    admin_password: SecretStr = SecretStr("")
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
    """Hosts of jobs must end with it; empty allows no hosts."""
    secret_key: SecretStr = SecretStr("")
    """What credentials of clusters are encrypted with; empty is a key file in the folder."""
