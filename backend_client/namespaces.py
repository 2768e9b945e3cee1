"""Namespaces that can be listed: what a backend has that offers them by name."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class HasNamespaces(Protocol):
    """A backend that knows the names of the context's namespaces."""

    async def list_namespaces(self) -> Sequence[str]:
        """List the namespaces by name. Raises Forbidden where the caller may not see them."""
        ...
