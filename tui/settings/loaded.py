"""Settings together with what was wrong with them and where each comes from."""

from msgspec import Struct

from tui.settings.model import Settings


class Loaded(Struct, frozen=True):
    """Settings in force, what was wrong with them, and where each key comes from (dotted key -> words)."""

    settings: Settings = Settings()
    warnings: tuple[str, ...] = ()
    origins: dict[str, str] = {}
