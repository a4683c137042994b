"""`python -m examples.providers --port 9090`: runs both providers, and prints the settings that a server needs."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from examples.providers.provider import CLIENTS
from examples.providers.serve import Server


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.providers", allow_abbrev=False)
    parser.add_argument("--port", type=int, default=9090, help="port on the loopback; 0: any free one")
    parser.add_argument("--folder", help="where the file with the client's secret is put; default: a new one")
    options = parser.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="providers-"))
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(CLIENTS["fhirserver"], encoding="utf-8")
    with Server(options.port) as server:
        for name in server.providers:
            print(f"export FHIRSERVER_{name.upper()}_ISSUER={server.providers[name].issuer}")
            print(f"export FHIRSERVER_{name.upper()}_CLIENT_ID=fhirserver")
            print(f"export FHIRSERVER_{name.upper()}_SECRET_FILE={secret}")
        print(
            "# ready: people are " + ", ".join(n for each in server.providers.values() for n in each.people), flush=True
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
