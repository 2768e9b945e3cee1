"""Settings together with what was wrong with them and where each comes from."""

from msgspec import Struct

from tui.settings.model import Settings


class LoadedSettings(Struct, frozen=True):
    """Settings in force, what was wrong with them, and the origin of each key (dotted key -> text)."""

    settings: Settings = Settings()
    warnings: tuple[str, ...] = ()
    origins: dict[str, str] = {}
