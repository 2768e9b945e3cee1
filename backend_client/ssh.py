"""Whether this program runs in an SSH session. Standard library alone."""

import os


def over_ssh() -> bool:
    """Return True in an SSH session: every byte to the screen crosses a network."""
    return "SSH_CONNECTION" in os.environ
