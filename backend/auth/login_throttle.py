"""The throttle of logins: slow down who guesses passwords, without locking out who knows theirs.

Five failures are free; then each one doubles the wait, from 1 s to 300 s, for this account from this network
(/24, or /64). An account takes 100 failures an hour in all from networks that never logged in to it. Many
people share a login node, so whoever shows an earlier login of the account counts apart from its network:
nobody there can lock them out.

Counted by account alone, anybody could lock anybody out; by address alone, a botnet would go unseen (OWASP
Authentication Cheat Sheet, "Login Throttling"; Grafana's brute force protection; docs/FACTS.md, "Server").
"""

import ipaddress
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Any

FREE_FAILURES = 5
MAX_WAIT = 300.0
HOUR = 3600.0
MAX_FAILURES_PER_HOUR = 100
MAX_ENTRIES = 10_000
"""Entries of each table at most; the oldest is dropped first."""


class LoginThrottle:
    """The failed logins by account and network, in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.refused: Counter[str] = Counter({"password": 0, "throttled": 0, "token": 0})
        """Logins that were refused, by reason; `token`: one that was shown and does not count (any more)."""
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()
        self._failures_in_hour: OrderedDict[str, deque[float]] = OrderedDict()
        self._trusted: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, account: str, address: str) -> float:
        """Return the seconds until an account may be tried again from an address; 0 for now."""
        now, key = self._clock(), (account, network(address))
        count, last = self._failures.get(key, (0, 0.0))
        pause = min(MAX_WAIT, 2.0 ** (count - FREE_FAILURES)) if count > FREE_FAILURES - 1 else 0.0
        left = max(0.0, last + pause - now)
        hour = self._failures_in_hour.get(account)
        if hour and len(hour) >= MAX_FAILURES_PER_HOUR and key not in self._trusted:
            left = max(left, hour[0] + HOUR - now)
        return max(0.0, left)

    def failed(self, account: str, address: str) -> None:
        """Record a failed login: a wrong password, or no such account."""
        now, key = self._clock(), (account, network(address))
        count, last = self._failures.pop(key, (0, now))
        self._failures[key] = (count + 1 if now - last < HOUR else 1, now)
        hour = self._failures_in_hour.pop(account, deque(maxlen=MAX_FAILURES_PER_HOUR))
        while hour and hour[0] < now - HOUR:
            hour.popleft()
        hour.append(now)
        self._failures_in_hour[account] = hour
        _evict_oldest(self._failures, self._failures_in_hour)

    def succeeded(self, account: str, address: str) -> None:
        """Record a login: its network is trusted from now on."""
        self._failures.pop((account, network(address)), None)
        self.trust(account, address)

    def trust(self, account: str, address: str) -> None:
        """Let failures from elsewhere not count against an account from here."""
        key = (account, network(address))
        self._trusted[key] = None
        self._trusted.move_to_end(key)
        _evict_oldest(self._trusted)


def _evict_oldest(*tables: OrderedDict[Any, Any]) -> None:
    for entries in tables:
        while len(entries) > MAX_ENTRIES:
            entries.popitem(last=False)


def network(address: str) -> str:
    """Return the /24 or /64 that an address lies in; what is no address (a unix socket) is its own."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    bits = 24 if mapped or ip.version == 4 else 64
    return str(ipaddress.ip_network(f"{mapped or ip}/{bits}", strict=False))
