"""Password hashes: argon2id, a few at a time, of the password in one Unicode form."""

import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backend.auth.hash_queue import HashQueue
from backend_client.errors import Invalid

MIN_LENGTH = 8
"""Characters."""
MAX_BYTES = 1024
"""Bytes."""
TOO_LONG = f"at most {MAX_BYTES} bytes"
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
    if len(_normal(password)) < MIN_LENGTH:
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
        self._queue = HashQueue()
        self._dummy_hash = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str, origin: str = "") -> str:
        """Hash a password with a new salt. Raises Unreachable where too many of this origin wait."""
        return await self._queue.run(origin, self._hasher.hash, _encode(_normal(password)))

    async def hash_new(self, password: str, user: str, origin: str = "") -> str:
        """Check and hash the new password of a user. Raises Invalid, before anything is hashed."""
        check_new_password(password, user)
        return await self.hash(password, origin)

    async def verify(self, stored: str | None, password: str, origin: str = "") -> bool:
        """Verify a password. `stored` None, an unknown user, takes as long.

        Raises Invalid: too long; Unreachable where too many of this origin wait for theirs.
        """
        if is_too_long(password):
            raise Invalid({"password": TOO_LONG})
        right = await self._queue.run(origin, self._verify, stored or self._dummy_hash, password)
        return right and stored is not None

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether a hash was made with other costs."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, password: str) -> bool:
        return any(self._verify_form(stored, form) for form in _forms(password))

    def _verify_form(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, _encode(password))
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> str:
    """Return the one form of a password: ü is one character on one keyboard, u and two dots on another."""
    return unicodedata.normalize("NFKC", password)


def _forms(password: str) -> list[str]:
    """Return the forms that a password may be hashed in: its normal one; in older hashes, as typed."""
    decompositions = (unicodedata.normalize(form, password) for form in ("NFC", "NFD"))
    return [*dict.fromkeys((_normal(password), password, *decompositions))]


def _encode(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
