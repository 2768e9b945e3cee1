"""The version of traindeck: written here and in pyproject.toml, which a test compares."""

__version__ = "0.1.0"
