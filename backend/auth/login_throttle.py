"""Slow down who guesses passwords, without locking out who knows theirs (facts of OWASP and Grafana).

Five failures are free; then each one doubles the wait, from 1 s to 300 s, for this account from this network
(/24, or /64). An account takes 100 failures an hour in all from networks that never logged in to it.
"""

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

FREE = 5
LONGEST = 300.0
HOUR = 3600.0
CEILING = 100
KEPT = 10_000
"""Entries at most: what is oldest is forgotten first."""


class LoginThrottle:
    """Failures by account and network, in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._hour: OrderedDict[str, deque[float]] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, account: str, address: str) -> float:
        """Seconds until the next try; 0 where it may be now."""
        now, place = self._clock(), (account, network(address))
        count, last = self._failures.get(place, (0, 0.0))
        pause = min(LONGEST, 2.0 ** (count - FREE)) if count > FREE - 1 else 0.0
        left = max(0.0, last + pause - now)
        hour = self._hour.get(account)
        if hour and len(hour) >= CEILING and place not in self._known:
            left = max(left, hour[0] + HOUR - now)
        return max(0.0, left)

    def failed(self, account: str, address: str) -> None:
        """A wrong password, or no such account."""
        now, place = self._clock(), (account, network(address))
        count, last = self._failures.pop(place, (0, now))
        self._failures[place] = (count + 1 if now - last < HOUR else 1, now)
        hour = self._hour.pop(account, deque(maxlen=CEILING))
        while hour and hour[0] < now - HOUR:
            hour.popleft()
        hour.append(now)
        self._hour[account] = hour
        _forget(self._failures, self._hour)

    def succeeded(self, account: str, address: str) -> None:
        """The right password: this network is known from now on."""
        place = (account, network(address))
        self._failures.pop(place, None)
        self._known[place] = None
        self._known.move_to_end(place)
        _forget(self._known)


def _forget(*kept: OrderedDict[Any, Any]) -> None:
    for entries in kept:
        while len(entries) > KEPT:
            entries.popitem(last=False)


def network(address: str) -> str:
    """The /24 or /64 that an address lies in; what is no address (a unix socket) is its own."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    bits = 24 if mapped or ip.version == 4 else 64
    return str(ipaddress.ip_network(f"{mapped or ip}/{bits}", strict=False))
