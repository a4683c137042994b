from __future__ import annotations

import re
from typing import TYPE_CHECKING

from examples import proxy
from examples.certificates import authority, issued
from examples.providers.provider import CLIENTS
from examples.providers.serve import running
from fhirserver.settings import Settings
from tests.docs import pages
from tests.serving import free_port, serve

if TYPE_CHECKING:
    from pathlib import Path

PAGE = "docs/pro-sante-connect.md"


def test_the_commands_of_the_page_hold(tmp_path: Path) -> None:
    trusted = str(authority().stored(tmp_path / "authority.pem"))
    issued().stored(tmp_path / "own.pem")
    certificate = str(issued("CN=127.0.0.1", server=True).stored(tmp_path / "server.pem"))
    (tmp_path / "secret").write_text(CLIENTS["fhirserver"])
    port, outside = free_port(), free_port()
    with running() as providers:
        environ = {
            "BASE_URL": f"https://127.0.0.1:{outside}/fhir",
            "PSC_ISSUER": providers.psc.issuer,
            "PSC_CLIENT_ID": "fhirserver",
            "PSC_SECRET_FILE": str(tmp_path / "secret"),
            "TRUSTED_PROXIES": "127.0.0.1",
            "CLIENT_CERT_HEADER": "Client-Cert",
            "CLIENT_CERT_AUTHORITIES": trusted,
        }
        named = {f"FHIRSERVER_{name}": value for name, value in environ.items()}
        with (
            serve(tmp_path / "data", "--workers", "1", environ=named, port=port),
            proxy.running(f"http://127.0.0.1:{port}", certificate, trusted, outside) as root,
        ):
            said = pages.printed(
                pages.block(PAGE, "sh exchange"), cwd=tmp_path, ROOT=root, PROVIDER=providers.psc.issuer
            )
    assert said == ['"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"', "200", "401"]


def test_every_setting_of_the_page_is_one_and_all_are_there() -> None:
    table = pages.text(PAGE).partition("| setting")[2].partition("\n\n")[0]
    told = {name.lower() for name in re.findall(r"`([A-Z_]+)`", table)}
    mine = {
        name for name in Settings.__dataclass_fields__ if name.startswith(("psc_", "franceconnect_", "client_cert"))
    }
    assert told - {"trusted_proxies"} == mine - {"psc_discovery"}
