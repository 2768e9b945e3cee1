"""The allow-list of images, over the full reference: with the registry, even if it is not written."""

from collections.abc import Iterable

DEFAULT_REGISTRY, DEFAULT_REPOSITORY = "docker.io", "library"


def full_reference(image: str) -> str:
    """Complete an image reference: nginx -> docker.io/library/nginx; lab/train:1 -> docker.io/lab/train:1."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return (
            image.replace(f"index.{DEFAULT_REGISTRY}/", f"{DEFAULT_REGISTRY}/", 1)
            if first == f"index.{DEFAULT_REGISTRY}"
            else image
        )
    return f"{DEFAULT_REGISTRY}/{image}" if slash else f"{DEFAULT_REGISTRY}/{DEFAULT_REPOSITORY}/{image}"


def is_allowed(image: str, listed: Iterable[str]) -> bool:
    """Tell whether an image is listed, or in a listed registry or repository. An empty list allows all."""
    reference = full_reference(image)
    prefixes = [prefix.rstrip("/") for prefix in listed]
    return not prefixes or any(
        reference == prefix or reference.startswith(_separated(prefix)) for prefix in prefixes
    )


def _separated(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{end}" for end in ("/", ":", "@"))
