"""What is said of the loss of a job: where it stands, how low it was, since when it is no number. Pure."""

from collections.abc import Sequence

from backend_client.progress.loss_curve import LossCurve
from backend_client.text.figures import loss_text, short

NO_LOSS = "No line of its log tells a step and a loss."


def loss_summary(points: Sequence[tuple[int, float]]) -> str:
    """Say where the loss stands and where it was lowest; "" without points."""
    if not points:
        return ""
    lowest = min(points, key=lambda point: point[1])
    return f"loss {_at_step(points[-1])}, lowest {_at_step(lowest)}"


def loss_alarm(curve: LossCurve) -> str:
    """Say since when the loss is no number; "" where it is one."""
    not_finite = curve.not_finite
    return f"loss {not_finite[1]} since step {short(not_finite[0])}" if not_finite else ""


def _at_step(point: tuple[int, float]) -> str:
    step, loss = point
    return f"{loss_text(loss)} at step {short(step)}"
