"""The settings as text: the commented file of `config --init`, what is in force, and the README's table."""

import msgspec

from tui.settings.loaded import Loaded
from tui.settings.model import Key, keys, section_words, template_paths


def toml(value: object) -> str:
    """A value as TOML writes it (whose strings, numbers and yes or no are JSON's)."""
    return msgspec.json.encode(value).decode()


def commented() -> str:
    """A settings file in which every key stands, explained, commented out, at its default."""
    lines = [
        "# traindeck's settings. Take the # away from what you change; `traindeck config` shows the result."
    ]
    section: tuple[str, ...] = ()
    for key in keys():
        if key.path[:-1] != section:
            section = key.path[:-1]
            header = f"[{'.'.join(section)}]"
            lines += ["", f"# {section_words(section[0])}", f"# {header}" if section == ("site",) else header]
        lines += ["", f"# {key.words}"] if section != ("keys",) else []
        after = f"  # {key.words}" if section == ("keys",) else ""
        lines.append(f"# {key.path[-1]} = {toml(key.default)}{after}")
    return "\n".join(lines) + "\n"


def in_force(loaded: Loaded) -> dict[str, tuple[object, str]]:
    """Dotted key -> its value and where that comes from."""
    values = msgspec.to_builtins(loaded.settings)
    shown = [Key((*path,), None, "") for path in template_paths(loaded.settings)]
    shown += [key for key in keys() if key.name != "templates" or not shown]
    return {key.name: (_value(values, key), loaded.origins.get(key.name, "default")) for key in shown}


def _value(values: dict[str, object], key: Key) -> object:
    here: object = values
    for part in key.path:
        here = here.get(part, key.default) if isinstance(here, dict) else key.default
    return here


def table() -> str:
    """Every key as a row of Markdown; those of [keys] in one."""
    rows = ["| key | default | what it is |", "|---|---|---|"]
    plain = [key for key in keys() if key.path[0] != "keys"]
    rows += [f"| `{key.name}` | `{toml(key.default)}` | {key.words} |" for key in plain]
    return "\n".join([*rows, f"| `keys.<action>` | | {section_words('keys')} |"])
