"""Smooths a series by an exponential moving average (pure)."""

from collections.abc import Sequence


def smoothed(points: Sequence[tuple[float, float]], weight: float) -> list[tuple[float, float]]:
    """Return the (place, figure) points, each with the average of the figures up to it.

    `weight`, 0 up to 1, is that of the average so far against the next figure; 0 changes nothing. The first
    figures are not drawn towards 0: the sum of all weights divides each average.
    """
    if not weight:
        return list(points)
    average, weights = 0.0, 0.0
    drawn = []
    for place, figure in points:
        weights = weights * weight + (1 - weight)
        average += (figure * ((1 - weight) / weights)) - average * ((1 - weight) / weights)
        drawn.append((place, average))
    return drawn
