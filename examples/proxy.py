#!/usr/bin/env python3
"""A small proxy that ends TLS before the server and tells it the client's certificate (RFC 9440): to try mutual TLS.

It takes away any `Client-Cert` that a client sends, and adds the one that the client proved in TLS. Not for production:
there a proxy such as nginx, HAProxy or Envoy does it, and looks at revocation too.

    python examples/proxy.py --to http://127.0.0.1:8080 --port 8443 --certificate server.pem --client-ca clients.pem
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = "Client-Cert"
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "host"}
SECONDS = 60


class Proxy(ThreadingHTTPServer):
    """Listens on the loopback. `certificate`: its own and the key, in PEM; `authorities`: who vouches for clients."""

    daemon_threads = True

    def __init__(self, port: int, to: str, certificate: str, authorities: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.to = urlsplit(to)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate)
        context.load_verify_locations(authorities)
        context.verify_mode = ssl.CERT_OPTIONAL
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, *_: Any) -> None:
        """A handshake that fails is the client's matter."""


class Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.request.settimeout(SECONDS)
        self.request.do_handshake()
        super().setup()

    def pass_on(self) -> None:
        sent = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        sent = {name: value for name, value in sent.items() if name.lower() != HEADER.lower()}
        certificate = self.request.getpeercert(binary_form=True)
        if certificate:
            sent[HEADER] = f":{base64.b64encode(certificate).decode()}:"
        sent["X-Forwarded-For"], sent["X-Forwarded-Proto"] = self.client_address[0], "https"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        connection = http.client.HTTPConnection(self.server.to.netloc, timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body, sent)
            answer = connection.getresponse()
            content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if self.command != "HEAD" else b"")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = pass_on  # noqa: N815 - http.server's

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def running(to: str, certificate: str, authorities: str, port: int = 0) -> Iterator[str]:
    """The proxy in a thread of this process; its URL."""
    with Proxy(port, to, certificate, authorities) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{proxy.server_port}"
        finally:
            proxy.shutdown()
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, help="the server, such as http://127.0.0.1:8080")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--certificate", required=True, help="certificate and key of the proxy, one PEM file")
    parser.add_argument("--client-ca", required=True, help="authorities of the clients' certificates, PEM")
    options = parser.parse_args()
    with Proxy(options.port, options.to, options.certificate, options.client_ca) as proxy:
        print(f"ready https://127.0.0.1:{proxy.server_port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            proxy.serve_forever()


if __name__ == "__main__":
    main()
