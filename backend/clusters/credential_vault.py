"""Credentials of clusters at rest: AES-256-GCM, each bound to the cluster that it belongs to."""

import hmac
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.settings import ServerSettings
from backend_client.errors import Refused
from backend_client.private_files import write_private

KEY_FILE = "credentials.key"
_NONCE = 12
HINT = "Set TRAINDECK_SERVER_SECRET_KEY as it was, or register the cluster again."


class CredentialVault:
    """Seals and opens with one key."""

    def __init__(self, key: bytes) -> None:
        """`key`: 32 bytes."""
        self._cipher = AESGCM(key)
        self._key = key

    def seal(self, plain: bytes, about: str) -> bytes:
        """Encrypt bytes, so that they can be opened only as being about the same subject."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, plain, about.encode())

    def digest(self, plain: bytes) -> str:
        """Return a keyed digest (HMAC-SHA256), which tells only whether two texts are the same."""
        return hmac.new(self._key, plain, "sha256").hexdigest()

    def open(self, sealed: bytes, about: str) -> bytes:
        """Decrypt bytes. Raises Refused where they were sealed with another key, or about something else."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode())
        except (InvalidTag, ValueError):
            raise Refused(f"The credentials of {about} cannot be decrypted.", HINT) from None


def open_vault(settings: ServerSettings) -> CredentialVault:
    """Open the vault with the key of the settings, else of a file in the folder, made at the first start."""
    given = settings.secret_key.get_secret_value()
    if not given:
        return CredentialVault(_key_of(settings.folder / KEY_FILE))
    if len(given) < 16:
        raise Refused(
            "TRAINDECK_SERVER_SECRET_KEY is too short.", "At least 16 characters, better 32 random ones."
        )
    return CredentialVault(HKDF(SHA256(), 32, None, b"traindeck credentials").derive(given.encode()))


def _key_of(path: Path) -> bytes:
    if not path.exists():
        write_private(path, os.urandom(32), sync=True)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(fd, "rb") as file:
        if os.fstat(fd).st_mode & 0o077:
            raise Refused(f"Others can read {path}, the key of the credentials.", f"chmod 600 {path}")
        key = file.read()
    if len(key) != 32:
        raise Refused(f"{path} is no key.", HINT)
    return key
