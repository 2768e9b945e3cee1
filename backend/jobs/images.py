"""Which images may run: an allow-list over the whole reference, with the registry that is not written."""

from collections.abc import Iterable

HOME, LIBRARY = "docker.io", "library"


def whole(image: str) -> str:
    """nginx -> docker.io/library/nginx; lab/train:1 -> docker.io/lab/train:1."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return image.replace(f"index.{HOME}/", f"{HOME}/", 1) if first == f"index.{HOME}" else image
    return f"{HOME}/{image}" if slash else f"{HOME}/{LIBRARY}/{image}"


def allowed(image: str, listed: Iterable[str]) -> bool:
    """Whether it is one of these, or lies in one of these registries or folders. An empty list allows all."""
    meant = whole(image)
    places = [place.rstrip("/") for place in listed]
    return not places or any(meant == place or meant.startswith(_ends(place)) for place in places)


def _ends(place: str) -> tuple[str, ...]:
    return tuple(f"{place}{end}" for end in ("/", ":", "@"))
