"""The app as a web server whose pages need no script; tokens stay in it and never reach the browser.

python -m examples.app --base http://127.0.0.1:8080/fhir --port 9000
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import sys
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from examples.app.smart import Access, Attempt, Ended, Refused, Smart

COOKIE = "carnet"
STYLE = (
    "body{font:1rem/1.6 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}"
    "td,th{padding:.3rem 1rem .3rem 0;text-align:left}button{font:inherit;padding:.5rem 1rem}"
)


class App(ThreadingHTTPServer):
    """Listens on the loopback at once. What it keeps of each browser, it keeps in memory."""

    daemon_threads = True

    def __init__(self, port: int, base: str, client: str | None = None) -> None:
        super().__init__(("127.0.0.1", port), Page)
        self.home = f"http://127.0.0.1:{self.server_port}"
        self.smart = Smart(base, self.home, client)
        self.attempts: dict[str, Attempt] = {}
        self.accesses: dict[str, Access] = {}


class Page(BaseHTTPRequestHandler):
    """One request: `/` shows, `/lancer` begins, `/retour` is where the consent ends, `POST /fin` gives it back."""

    server: App

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        args = dict(parse_qsl(parts.query))
        if parts.path == "/":
            self._show(200, *self._notebook(args))
        elif parts.path == "/lancer":
            self._begin(args)
        elif parts.path == "/retour":
            self._finish(args)
        elif parts.path == "/favicon.ico":
            self._send(204, {})
        else:
            self._show(404, "Page introuvable", "")

    def do_POST(self) -> None:
        access = self.server.accesses.pop(self._browser, None)
        if self.path == "/fin" and self.headers.get("Origin") in (None, self.server.home) and access is not None:
            self.server.smart.revoke(access)
        self._go("/?etat=fini")

    def log_message(self, *_: object) -> None:
        """Nothing: the lines would hold codes."""

    @property
    def _browser(self) -> str:
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        return morsel.value if morsel else ""

    def _begin(self, args: dict[str, str]) -> None:
        """`iss` and `launch` come from other software that opens the app; it is opened at its own server only."""
        if args.get("iss", self.server.smart.base).rstrip("/") != self.server.smart.base:
            self._show(400, "Serveur inconnu", "<p>L’application n’est pas reliée à ce serveur.</p>")
            return
        url, attempt = self.server.smart.begin(args.get("launch"))
        browser = secrets.token_urlsafe(24)
        self.server.attempts[browser] = attempt
        self._go(url, f"{COOKIE}={browser}; Path=/; HttpOnly; SameSite=Lax")

    def _finish(self, args: dict[str, str]) -> None:
        try:
            attempt = self.server.attempts.pop(self._browser, None)
            self.server.accesses[self._browser] = self.server.smart.finish(attempt, args)
        except Refused as refused:
            self._go("/?etat=refus" if refused.error == "access_denied" else "/?etat=erreur")
        else:
            self._go("/")

    def _notebook(self, args: dict[str, str]) -> tuple[str, str]:
        access = self.server.accesses.get(self._browser)
        if access is None:
            said = {"refus": "Vous avez refusé.", "erreur": "La connexion a échoué.", "fini": "L’accès est rendu."}
            return (
                "Carnet de mesures",
                f"<p>{said.get(args.get('etat', ''), 'Vos mesures, jour après jour.')}</p>{_START}",
            )
        try:
            return "Carnet de mesures", self._record(access)
        except Ended:
            del self.server.accesses[self._browser]
            return "L’accès a pris fin", f"<p>L’autorisation a été retirée, ou elle est échue.</p>{_START}"

    def _record(self, access: Access) -> str:
        smart = self.server.smart
        people = smart.search(access, "Patient", _id=access.patient) if access.may_read("Patient") else []
        name = " ".join(people[0]["name"][0].get("given", [])[:1]) if people else ""
        parts = [f"<p>Bonjour {escape(name)}.</p>" if name else "<p>Votre nom n’est pas partagé.</p>"]
        if access.may_read("Observation"):
            parts.append(_table(smart.search(access, "Observation", _sort="-date", _count="20")))
        else:
            parts.append("<p>Vos mesures ne sont pas partagées.</p>")
        if access.may_read("DocumentReference"):
            parts.append(f"<p>Documents : {len(smart.search(access, 'DocumentReference', _count='20'))}</p>")
        else:
            parts.append("<p>Vos documents ne sont pas partagés.</p>")
        return "".join(parts) + '<form method="post" action="/fin"><button>Rendre l’accès</button></form>'

    def _go(self, url: str, cookie: str = "") -> None:
        self._send(303, {"Location": url, **({"Set-Cookie": cookie} if cookie else {})})

    def _show(self, status: int, title: str, body: str) -> None:
        page = (
            f'<!doctype html><html lang="fr"><head><meta charset="utf-8"><title>{title}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
            f"<body><main><h1>{title}</h1>{body}</main></body></html>"
        )
        self._send(status, _HEADERS, page.encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_SAID = {"refus": "Vous avez refusé.", "erreur": "La connexion a échoué.", "fini": "L’accès est rendu."}
_START = '<p><a href="/lancer">Relier mon dossier</a></p>'


def _table(found: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(each.get('effectiveDateTime', '')[:10])}</td><td>{escape(_code(each))}</td>"
        f"<td>{escape(_value(each))}</td></tr>"
        for each in found
    )
    head = '<tr><th scope="col">Jour</th><th scope="col">Mesure</th><th scope="col">Valeur</th></tr>'
    return f"<table><caption>{len(found)} mesures</caption><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _code(found: dict[str, Any]) -> str:
    codings = found["code"].get("coding") or [{}]
    return str(found["code"].get("text") or codings[0].get("display") or codings[0].get("code", ""))


def _value(found: dict[str, Any]) -> str:
    value = found.get("valueQuantity", {})
    return f"{value.get('value', '')} {value.get('unit', '')}".strip()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.app", allow_abbrev=False)
    parser.add_argument("--base", required=True, help="FHIR base, such as http://127.0.0.1:8080/fhir")
    parser.add_argument("--port", type=int, default=9000, help="port on the loopback; 0: any free one")
    parser.add_argument("--client", help="the client id, where the app is registered already")
    options = parser.parse_args()
    try:
        app = App(options.port, options.base, options.client)
    except OSError as error:
        print(f"{options.base} cannot be asked, or the port is taken: {error}", file=sys.stderr)
        return 1
    with app, contextlib.suppress(KeyboardInterrupt):
        print(f"ready {app.home}/ client {app.smart.client}", flush=True)
        app.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
