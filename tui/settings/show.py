"""The settings as text: the commented file of `config --init`, what is in force, the reference's table."""

import msgspec

from tui.settings.loaded import LoadedSettings
from tui.settings.model import SettingKey, section_description, setting_keys, template_paths


def toml(value: object) -> str:
    """Format a value as TOML (whose strings, numbers and booleans are JSON's)."""
    return msgspec.json.encode(value).decode()


def commented_file() -> str:
    """Return a settings file in which every key is explained and commented out, at its default."""
    lines = [
        "# traindeck's settings. Take the # away from what you change; `traindeck config` shows the result."
    ]
    section: tuple[str, ...] = ()
    for key in setting_keys():
        if key.path[:-1] != section:
            section = key.path[:-1]
            header = f"[{'.'.join(section)}]"
            lines += [
                "",
                f"# {section_description(section[0])}",
                f"# {header}" if section == ("site",) else header,
            ]
        lines += ["", f"# {key.description}"] if section != ("keys",) else []
        after = f"  # {key.description}" if section == ("keys",) else ""
        lines.append(f"# {key.path[-1]} = {toml(key.default)}{after}")
    return "\n".join(lines) + "\n"


def effective_settings(loaded: LoadedSettings) -> dict[str, tuple[object, str]]:
    """Return dotted key -> (value, origin) of all settings in force."""
    values = msgspec.to_builtins(loaded.settings)
    shown = [SettingKey((*path,), None, "") for path in template_paths(loaded.settings)]
    shown += [key for key in setting_keys() if key.name != "templates" or not shown]
    return {key.name: (_value(values, key), loaded.origins.get(key.name, "default")) for key in shown}


def _value(values: dict[str, object], key: SettingKey) -> object:
    node: object = values
    for part in key.path:
        node = node.get(part, key.default) if isinstance(node, dict) else key.default
    return node


def markdown_table() -> str:
    """Format every key as a row of Markdown; those of [keys] in one."""
    rows = ["| key | default | what it is |", "|---|---|---|"]
    plain = [key for key in setting_keys() if key.path[0] != "keys"]
    rows += [f"| `{key.name}` | `{toml(key.default)}` | {key.description} |" for key in plain]
    return "\n".join([*rows, f"| `keys.<action>` | | {section_description('keys')} |"])
