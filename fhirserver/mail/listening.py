"""The SMTP gateway's other way (RFC 5321): a listener for the relays of secure e-mail, and for nobody else.

One recipient a transaction, so that each gets an answer of its own; a letter is acknowledged (250) when it is stored.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from aiosmtpd.smtp import SMTP

from fhirserver.mail.gateway import Handed, NotTaken
from fhirserver.mail.incoming import MOST_BYTES

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from aiosmtpd.smtp import Envelope, Session

SECONDS: Final = 60.0
_log = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class SmtpIncoming:
    """Listens on an address. `relays`: networks that may hand over; `tls`: with it STARTTLS is offered, and needed."""

    def __init__(self, host: str, port: int, relays: Sequence[Network], tls: ssl.SSLContext | None = None) -> None:
        self._host, self.port, self._relays, self._tls = host, port, relays, tls
        self._end: Callable[[], object] = bool

    def start(self, take: Callable[[Handed], None]) -> None:
        """Raises OSError where the address is taken."""
        handler, loop = _Handler(take, self._relays), asyncio.new_event_loop()

        def protocol() -> SMTP:
            return SMTP(
                handler, data_size_limit=MOST_BYTES, ident="fhirserver", hostname="fhirserver", timeout=SECONDS,
                tls_context=self._tls, require_starttls=self._tls is not None, loop=loop,
            )  # fmt: skip

        try:
            server = loop.run_until_complete(loop.create_server(protocol, self._host, self.port))
        except OSError:
            loop.close()
            raise
        self.port = int(server.sockets[0].getsockname()[1])
        thread = threading.Thread(target=_serve, args=(loop, server), name="letters", daemon=True)
        thread.start()

        def end() -> None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(SECONDS)

        self._end = end

    def stop(self) -> None:
        self._end()


def _serve(loop: asyncio.AbstractEventLoop, server: asyncio.Server) -> None:
    """Until the loop is stopped; then what is under way is broken off, and will be sent again."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    server.close()
    tasks = asyncio.all_tasks(loop)
    for each in tasks:
        each.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(server.wait_closed())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


class _Handler:
    """What aiosmtpd asks at each step; the names are its own."""

    def __init__(self, take: Callable[[Handed], None], relays: Sequence[Network]) -> None:
        self._take, self._relays = take, relays

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self._is_relay(session.peer):
            return "550 5.7.1 This host hands over nothing here."
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time."
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.original_content or b""
        handed = Handed(envelope.mail_from or "", envelope.rcpt_tos[0], content)
        try:
            await server.loop.run_in_executor(None, self._take, handed)
        except NotTaken as error:
            return f"{'550' if error.lasting else '451'} {_plain(error)}"
        except Exception:
            _log.exception("unexpected fault in taking a letter")
            return "451 4.3.0 Try again later."
        return "250 2.0.0 OK"

    def _is_relay(self, peer: Any) -> bool:
        try:
            address = ipaddress.ip_address(str(peer[0]))
        except (ValueError, TypeError, IndexError):
            return False
        return any(address in each for each in self._relays)


def _plain(error: NotTaken) -> str:
    return "".join(each for each in str(error) if each.isascii() and each.isprintable())[:400]
