"""The order of the list that was chosen last: it holds for the next context, and for the next start."""

import contextlib
from pathlib import Path

from backend_client.job_order import Order
from backend_client.paths import user_state_dir
from backend_client.private_files import write_private


def order_path() -> Path:
    """Return the path of the state file (0600): the name of an `Order`."""
    return user_state_dir() / "order"


def last_order() -> Order:
    """Return the order that was kept last. Reads a few bytes, once for a screen."""
    try:
        return Order[order_path().read_text("ascii").strip()]
    except (OSError, ValueError, KeyError):
        return Order.ATTENTION


def keep_order(order: Order) -> None:
    """Keep an order. Ignores a disk that refuses; call it in a thread."""
    with contextlib.suppress(OSError):
        write_private(order_path(), f"{order.name}\n".encode())
