"""The server's TLS certificate: checked at the start, and read again when it was renewed."""

import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from backend_client.errors import Refused

log = logging.getLogger("traindeck.tls")
LOOK_SECONDS = 10
"""Seconds between two looks at the files."""
_HINT = "--tls-cert FILE and --tls-key FILE, both PEM"


class Certificate:
    """A certificate and its key in files, and the context that shows them."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises Refused, in a sentence, where they cannot be used."""
        self.cert, self.key = cert, key
        self._seen = self._stamp()
        _load(_new_context(), cert, key)
        self.context = _new_context()
        _load(self.context, cert, key)

    def warning(self) -> str:
        """Return what is wrong with the certificate's time, "" for nothing."""
        try:
            first = x509.load_pem_x509_certificates(self.cert.read_bytes())[0]
        except (OSError, ValueError):
            return ""  # a moment of a renewal; the next look tells
        now, end = datetime.now(UTC), first.not_valid_after_utc
        if now > end:
            return f"The certificate {self.cert} has expired on {end:%Y-%m-%d}: clients will refuse it."
        if now < first.not_valid_before_utc:
            return f"The certificate {self.cert} holds only from {first.not_valid_before_utc:%Y-%m-%d} on."
        return ""

    def reload(self, *, anyhow: bool = False) -> None:
        """Read files that have changed; new connections see them. The old stays where they cannot be used.

        `anyhow`: whether they have changed or not.
        """
        stamp = self._stamp()
        if stamp == self._seen and not anyhow:
            return
        self._seen = stamp
        try:
            _load(
                _new_context(), self.cert, self.key
            )  # a pair that does not fit must not touch the one in use
            _load(self.context, self.cert, self.key)
        except Refused as error:
            log.warning("the renewed certificate cannot be used; the old one stays: %s", error.title)
            return
        log.info("the certificate was read again")
        if warning := self.warning():
            log.warning(warning)

    def _stamp(self) -> list[tuple[int, int, int]]:
        """Return what tells that a file was written or replaced."""
        try:
            files = [path.stat() for path in (self.cert, self.key)]
        except OSError:
            return []
        return [(one.st_mtime_ns, one.st_size, one.st_ino) for one in files]


def _new_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def _load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    for path, what in ((cert, "certificate"), (key, "key")):
        try:
            path.read_bytes()
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise Refused(f"The TLS {what} {path} cannot be read: {why}.", _HINT) from None
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        raise Refused(f"TLS cannot use {cert} with {key}: {_reason(error)}.", _HINT) from None
    except (_Encrypted, ValueError):
        raise Refused(
            f"The TLS key {key} is encrypted, and nobody is there to type its password.",
            f"Write one without: openssl pkey -in {key} -out FILE",
        ) from None


class _Encrypted(Exception):
    """OpenSSL asked for a password."""


def _no_password() -> str:
    raise _Encrypted


def _reason(error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return "the key does not belong to the certificate"
    if error.reason in (None, "NO_START_LINE", "PEM_LIB") or "PEM" in str(error):
        return "one of them is no PEM file of its kind"
    return error.reason.lower().replace("_", " ")
