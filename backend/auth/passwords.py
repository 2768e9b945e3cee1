"""Password hashes: argon2id, at most two at a time, in threads."""

import asyncio
import secrets
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backend_client.errors import Invalid, Unreachable

T = TypeVar("T")
MIN_LENGTH = 8
"""Characters."""
MAX_BYTES = 1024
"""Bytes."""
TOO_LONG = f"at most {MAX_BYTES} bytes"
MAX_CONCURRENT = 2
MAX_WAITING = 100
"""Logins in the queue at most: about three seconds of work."""
COMMON = frozenset(
    "password passw0rd password1 password12 password123 password1234 12345678 123456789 1234567890 87654321 "
    "qwertyui qwertyuiop qwerty123 1q2w3e4r 1qaz2wsx zaq12wsx asdfghjkl iloveyou sunshine princess football "
    "baseball superman trustno1 starwars whatever computer internet michelle jennifer changeme changeit "
    "letmein1 letmein123 welcome1 welcome123 admin123 administrator adminadmin rootroot 11111111 00000000 "
    "88888888 12341234 abcd1234 abc12345 abcdefgh a1b2c3d4 traindeck kubernetes".split()
)


def check_new_password(password: str, user: str) -> None:
    """Check that a text may become the password of a user. Raises Invalid."""
    if wrong := _weakness(password, user):
        raise Invalid({"password": wrong})


def _weakness(password: str, user: str) -> str:
    if len(password) < MIN_LENGTH:
        return f"at least {MIN_LENGTH} characters"
    if is_too_long(password):
        return TOO_LONG
    plain = password.casefold()
    if plain in COMMON or plain == user.casefold() or len(set(plain)) < 3:
        return "this one is among the first that anybody would try; choose another"
    return ""


def is_too_long(password: str) -> bool:
    """Tell whether a password is too long to be hashed at all."""
    return len(password.encode(errors="surrogatepass")) > MAX_BYTES


class Passwords:
    """Hashes and verifies with these costs: `memory` KiB, `time` rounds, one lane."""

    def __init__(self, memory: int, time: int) -> None:
        self._hasher = PasswordHasher(time_cost=time, memory_cost=memory, parallelism=1)
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._waiting = 0
        self._dummy_hash = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Hash a password with a new salt. Raises Unreachable where too many wait for theirs."""
        return await self._run_in_thread(self._hasher.hash, _encode(password))

    async def hash_new(self, password: str, user: str) -> str:
        """Check and hash the new password of a user. Raises Invalid, before anything is hashed."""
        check_new_password(password, user)
        return await self.hash(password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Verify a password. `stored` None, an unknown user, takes as long. Raises Invalid: too long."""
        if is_too_long(password):
            raise Invalid({"password": TOO_LONG})
        right = await self._run_in_thread(self._verify, stored or self._dummy_hash, password)
        return right and stored is not None

    async def _run_in_thread(self, work: Callable[..., T], *args: object) -> T:
        """Run in a thread: argon2 takes tens of milliseconds, and releases the GIL."""
        if self._waiting >= MAX_WAITING:
            raise Unreachable("Too many people log in at once.", "Try again in a moment.", retry_after=1)
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work, *args)
        finally:
            self._waiting -= 1

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether a hash was made with other costs."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _encode(password))
        except (VerificationError, InvalidHashError):
            return False


def _encode(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
