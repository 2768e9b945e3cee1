"""Where a browser goes after its login: a path of this server, whatever the link said."""


def safe_next(text: str) -> str:
    """Return the path that `?next=` names, "/" for all that may lead to another server.

    A browser drops tabs and line ends, takes `\\` for `/`, and what begins with two of them for a host.
    """
    is_path = text.startswith("/") and not text.startswith("//")
    return text if is_path and "\\" not in text and text.isprintable() else "/"
