"""The counts of requests since the start: by route and status, and how long their answers took to begin."""

from bisect import bisect_left
from collections import Counter

BOUNDS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0)
"""Seconds: the upper bounds of the buckets; what took longer is in one more."""
_METHODS = frozenset("GET HEAD POST PATCH PUT DELETE OPTIONS".split())
OTHER = "other"


class RequestCounts:
    """Counts, which only grow. Whatever clients send, there are as many of them as routes and statuses."""

    def __init__(self) -> None:
        self.by_route: Counter[tuple[str, str, int]] = Counter()
        """(method, path of the route with its {names}, status) -> requests."""
        self.seconds = 0.0
        self.buckets = [0] * (len(BOUNDS) + 1)

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is "" where none has the path, `seconds` those until its answer began."""
        known = method if method in _METHODS else OTHER
        self.by_route[known, route or OTHER, status] += 1
        self.seconds += seconds
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
