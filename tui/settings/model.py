"""The model of all settings: plain frozen structs, and the only place that names them.

Validation, `config --init`, docs/reference/settings.md and the nearest right key all come from these fields.
Imports no pydantic: an unchanged start reads its settings without it.
"""

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from backend_client.kubernetes.settings import KubernetesSettings
from backend_client.models.alert_thresholds import THRESHOLDS
from backend_client.models.datasets import Datasets
from tui.actions import ACTIONS

Template = dict[str, Any]
"""Fields of a JobSpec, as a spec file writes them."""

ColumnName = Literal[
    "name",
    "state",
    "gpus",
    "age",
    "progress",
    "loss",
    "owner",
    "node",
    "kind",
    "namespace",
    "command",
    "util",
    "mem",
]
"""The columns of the screen. `jobs.columns.COLUMN_TABLE` says how wide each is; a test compares the names."""
COLUMNS: tuple[ColumnName, ...] = get_args(ColumnName)
"""Their order where none is set."""
GroupName = Literal["none", "state", "owner", "sweep"]


AlertRule = Literal[
    "failed", "finished", "pending", "gpu-idle", "rank-idle", "silent", "loss", "restarts", "max-runtime",
    "xid", "node", "memory",
]  # fmt: skip
"""The alerts. `alert_thresholds.THRESHOLDS` has them; a test compares the names."""
AlertRules = dict[AlertRule, str]


class LocalSettings(Struct, frozen=True, kw_only=True):
    """Jobs on this machine (the context local)."""

    enabled: Annotated[bool, Meta(description="Offer the context local at all.")] = True
    gpus: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            description="Number of GPU slots where no NVIDIA driver says how many GPUs there are.",
        ),
    ] = 0
    grace: Annotated[
        float, Meta(ge=0, description="Seconds between SIGTERM and SIGKILL when a job is stopped.")
    ] = 10.0
    log_cap: Annotated[
        int, Meta(ge=1, description="MiB kept of what one attempt prints; on the disk 40 bytes a line more.")
    ] = 256


class ListSettings(Struct, frozen=True, kw_only=True):
    """The job list."""

    columns: Annotated[
        tuple[ColumnName, ...], Meta(description="Columns from left to right, as far as there is room.")
    ] = COLUMNS
    group: Annotated[
        GroupName,
        Meta(description='Jobs under headings by "state", "owner" or "sweep", or "none"; O changes it.'),
    ] = "none"


class LogSettings(Struct, frozen=True, kw_only=True):
    """The log pane."""

    buffer: Annotated[
        int, Meta(ge=1, description="MiB of log kept in memory; the oldest lines go first.")
    ] = 64


class AlertSettings(Struct, frozen=True, kw_only=True):
    """Alerts while traindeck is open; a job's own `alerts` weigh more."""

    bell: Annotated[bool, Meta(description="Ring the terminal's bell, and notify it, at an alert.")] = True
    rules: Annotated[
        AlertRules, Meta(description='Alert = "on", "off" or its threshold: "30m", "3", "95%".')
    ] = {}


class SiteSettings(Struct, frozen=True, kw_only=True):
    """What a site imposes: counts in /etc/traindeck/config.toml only, and weighs more than all else."""

    hide_local: Annotated[bool, Meta(description="Take the context local away (login nodes).")] = False
    read_only: Annotated[bool, Meta(description="Make every traindeck here read-only.")] = False
    server: Annotated[str, Meta(description="URL of the site's traindeck server.")] = ""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set."""

    read_only: Annotated[bool, Meta(description="Look, but never submit, stop or delete.")] = False
    theme: Annotated[str, Meta(description="Name of the colour theme; empty is traindeck's own.")] = ""
    templates: Annotated[
        dict[str, Template],
        Meta(description="Jobs to begin with: [templates.NAME] has the fields of a spec file."),
    ] = {}
    datasets: Annotated[
        Datasets,
        Meta(
            description="Folders of claims that jobs in clusters mount read-only as ~NAME: [datasets.NAME]"
            " has claim, path (where jobs find it) and sub_path (a folder of the claim; empty is all of it)."
        ),
    ] = {}
    keys: Annotated[
        dict[str, str], Meta(description="Keys by action, as Textual writes them: x, f2, ctrl+s.")
    ] = {}
    local: LocalSettings = LocalSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    list: ListSettings = ListSettings()
    log: LogSettings = LogSettings()
    alerts: AlertSettings = AlertSettings()
    site: SiteSettings = SiteSettings()


class SettingKey(Struct, frozen=True):
    """One thing that can be set, as documentation shows it."""

    path: tuple[str, ...]
    default: Any
    description: str

    @property
    def name(self) -> str:
        return ".".join(self.path)


def split_annotation(annotation: Any) -> tuple[Any, Meta]:
    """Split a field's annotation into its plain type and its metadata."""
    if not hasattr(annotation, "__metadata__"):
        return annotation, Meta()
    return annotation.__origin__, annotation.__metadata__[0]


def setting_keys(struct: type[Struct] = Settings, path: tuple[str, ...] = ()) -> list[SettingKey]:
    """List all keys in the order of the model; those of [keys] come from the table of actions."""
    settings_keys: list[SettingKey] = []
    for field in msgspec.structs.fields(struct):
        kind, meta = split_annotation(field.type)
        key_path = (*path, field.name)
        if kind == dict[str, str]:
            settings_keys += [
                SettingKey((*key_path, action.id), action.key, action.help) for action in ACTIONS
            ]
        elif kind == AlertRules:
            settings_keys += [
                SettingKey((*key_path, name), rule.default, rule.when()) for name, rule in THRESHOLDS.items()
            ]
        elif isinstance(kind, type) and issubclass(kind, Struct):
            settings_keys += setting_keys(kind, key_path)
        else:
            default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
            settings_keys.append(SettingKey(key_path, default, meta.description or ""))
    return settings_keys


def template_paths(settings: Settings) -> list[tuple[str, str, str]]:
    """List the path of each field of each template."""
    return [("templates", name, field) for name, fields in settings.templates.items() for field in fields]


def section_description(name: str) -> str:
    """Return what a [section] is about."""
    field = next(f for f in msgspec.structs.fields(Settings) if f.name == name)
    kind, meta = split_annotation(field.type)
    return meta.description or (kind.__doc__ or "")


def apply_site(settings: Settings) -> Settings:
    """Return the settings with what the site imposes."""
    site = settings.site
    local = msgspec.structs.replace(settings.local, enabled=settings.local.enabled and not site.hide_local)
    return msgspec.structs.replace(settings, read_only=settings.read_only or site.read_only, local=local)
