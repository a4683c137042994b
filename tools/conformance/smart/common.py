"""What the scripts of this suite share: the server's own word of where things are, forms, errors of OAuth."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from tools.conformance.building import Part, Text, ask, check, script, status, variable

FORM: Final = "application/x-www-form-urlencoded"
ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REDIRECT: Final = "https://app.example/cb"
CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
"""The example of RFC 7636, appendix B."""
VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
DISCOVER: Final = (ask("", url=".well-known/smart-configuration", response="smart", accept="application/json"),)
_WHERE: Final = tuple(
    variable(name, "smart", path=f"$.{name}")
    for name in (
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "jwks_uri",
    )
)
_APP: Final = (
    variable("app", "app", path="$.client_id"),
    variable("place", "app", path="$.registration_client_uri"),
    variable("right", "app", path="$.registration_access_token"),
)
APP: Final = {
    "client_name": "Essai ${run}",
    "redirect_uris": [REDIRECT],
    "grant_types": ["authorization_code", "refresh_token"],
    "scope": "launch/patient offline_access patient/Observation.rs",
}
"""A public app that registers itself."""


def smart(name: str, title: str, *tests: Part, roles: tuple[str, ...] = ("anonymous",), **more: Any) -> Part:
    """A script that knows where the endpoints are, and `${app}` once one registered."""
    fixtures = {f"-{key}": each for key, each in more.pop("fixtures", {}).items()}
    setup = (*DISCOVER, status(200), *more.pop("setup", ()))
    variables = (*_WHERE, *_APP, *more.pop("variables", ()))
    return script(
        f"smart-{name}",
        title,
        *tests,
        roles=roles,
        fixtures=fixtures,
        auto=False,
        setup=setup,
        variables=variables,
        **more,
    )


def form(**fields: str) -> Text:
    """A form; what is between `${` and `}` stays a variable."""
    return Text("&".join(f"{name}={quote(value, safe='${}:/*.-_')}" for name, value in fields.items()))


def described(**changes: Any) -> Text:
    """What an app says of itself as it registers; what is None is left out."""
    return Text(json.dumps({name: value for name, value in {**APP, **changes}.items() if value is not None}))


def registers(source: str = "app-said") -> tuple[Part, Part]:
    return (
        ask("", url="${registration_endpoint}", method="post", source=source, response="app",
            content="application/json", accept="application/json"),
        status(201),
    )  # fmt: skip


def sends(source: str, url: str = "${token_endpoint}", **more: Any) -> Part:
    """Posts a form."""
    return ask("", url=url, method="post", source=source, content=FORM, accept="application/json", **more)


def member(path: str, value: str | None = None, text: str = "", operator: str = "equals") -> Part:
    """A member of the JSON of an answer is there, or has a value."""
    if value is None:
        return check(text or f"{path} is there", path=f"$.{path}", operator="notEmpty")
    return check(text or f"{path} {operator} {value}", path=f"$.{path}", operator=operator, value=value)


def error(*names: str, codes: tuple[int, ...] = (400,)) -> tuple[Part, Part]:
    """An error of OAuth."""
    return status(*codes), member("error", ",".join(names), operator="in")
