"""Mail, by the server that the settings name: smtplib, in threads of its own."""

import asyncio
import re
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import cached_property

from msgspec import Struct

from backend.settings import ServerSettings
from backend_client.errors import Invalid, Refused, Unreachable

LIMIT_SECONDS = 12.0
"""For one mail, however slowly the mail server speaks."""
_STEP_SECONDS = 8.0
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,188}[A-Za-z0-9])?")
_threads = ThreadPoolExecutor(4, thread_name_prefix="mail")


class Letter(Struct, frozen=True):
    """What a mail says."""

    to: str
    subject: str
    text: str
    message_id: str
    """The same each time it is tried: whoever gets it twice sees that it is one."""
    date: datetime


class Mailer:
    """Sends mail."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self.sender = settings.smtp_from

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made for the first mail: reading the system's certificates takes longer than most starts do."""
        return ssl.create_default_context()

    @property
    def domain(self) -> str:
        """The domain of the sender."""
        return parseaddr(self.sender)[1].rpartition("@")[2] or "traindeck.invalid"

    def check(self, address: str) -> None:
        """Check that mail can be sent to an address. Raises Invalid; Refused where the server sends none."""
        if not self._settings.smtp_host or not self.sender:
            raise Refused(
                "This server sends no mail.", "Its admin names a mail server: smtp_host and smtp_from."
            )
        if not _ADDRESS.fullmatch(address) or ".." in address:
            raise Invalid({"address": "write a mail address as ann@example.org"})
        domain, allowed = address.rpartition("@")[2].lower(), self._settings.smtp_domains
        if allowed and domain not in {name.lower() for name in allowed}:
            raise Invalid({"address": f"this server sends mail to {', '.join(allowed)} alone"})

    async def send(self, letter: Letter) -> None:
        """Send a mail. Raises Refused, Unreachable, neither of which names the address."""
        self.check(letter.to)
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, letter.to, _header(letter.subject)
        message["Date"], message["Message-ID"] = format_datetime(letter.date), letter.message_id
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await loop.run_in_executor(_threads, self._deliver, message, letter.to)
        except TimeoutError:
            raise Unreachable(f"The mail server has not answered within {LIMIT_SECONDS:g} s.") from None

    def _deliver(self, message: EmailMessage, to: str) -> None:
        settings = self._settings
        try:
            with self._connect() as smtp:
                if settings.smtp_tls == "starttls":
                    smtp.starttls(context=self._tls)
                if settings.smtp_user:
                    smtp.login(settings.smtp_user, settings.smtp_password.get_secret_value())
                smtp.send_message(message, parseaddr(self.sender)[1], [to])
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise Refused(f"The mail server refuses the address ({', '.join(map(str, codes))}).") from None
        except smtplib.SMTPResponseException as error:
            raise Unreachable(f"The mail server answers {error.smtp_code}.") from None
        except smtplib.SMTPNotSupportedError:
            raise Refused(
                "The mail server knows no STARTTLS, or no log in, as smtp_tls and smtp_user ask."
            ) from None
        except ssl.SSLError:
            raise Unreachable("The mail server's certificate is not one to trust.") from None
        except (smtplib.SMTPException, OSError):
            raise Unreachable("The mail server cannot be reached.") from None

    def _connect(self) -> smtplib.SMTP:
        host, port, name = self._settings.smtp_host, self._settings.smtp_port, socket.gethostname()
        if self._settings.smtp_tls == "tls":
            return smtplib.SMTP_SSL(host, port, name, timeout=_STEP_SECONDS, context=self._tls)
        return smtplib.SMTP(host, port, name, timeout=_STEP_SECONDS)


def _header(text: str) -> str:
    """Return a text that can stand in a header: one line, of a bearable length."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]
