"""A backend service of SMART: makes its keys, and asks for a token with a JWT that it signs.

python examples/backend.py keys lab.key          # writes the private key, prints the public ones (JWK Set)
python examples/backend.py token lab.key --base http://127.0.0.1:8080/fhir --client ID --scope 'system/*.rs'
"""

from __future__ import annotations

import argparse
import json
import os
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey

ALGORITHM = "ES384"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("keys").add_argument("key", type=Path)
    token = actions.add_parser("token")
    token.add_argument("key", type=Path)
    for name in ("--base", "--client", "--scope"):
        token.add_argument(name, required=True)
    options = parser.parse_args()
    if options.action == "keys":
        print(json.dumps({"keys": [make(options.key)]}))
    else:
        print(ask(options.base, options.client, options.scope, ECKey.import_key(json.loads(options.key.read_text()))))


def make(path: Path) -> dict[str, Any]:
    """A new key, which only its owner reads; its public half."""
    key = ECKey.generate_key("P-384", {"kid": uuid.uuid4().hex, "alg": ALGORITHM, "use": "sig"})
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(key.as_dict(private=True), file)
    return dict(key.as_dict(private=False))


def ask(base: str, client: str, scope: str, key: ECKey) -> str:
    """An access token, which lasts five minutes."""
    with urllib.request.urlopen(f"{base}/.well-known/smart-configuration") as answer:
        endpoint = json.load(answer)["token_endpoint"]
    claims = {"iss": client, "sub": client, "aud": endpoint, "exp": int(time.time()) + 60, "jti": uuid.uuid4().hex}
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION,
        "client_assertion": jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM]),
    }
    with urllib.request.urlopen(endpoint, urlencode(form).encode()) as answer:
        return str(json.load(answer)["access_token"])


if __name__ == "__main__":
    main()
