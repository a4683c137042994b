"""Backend services: tokens by a signed assertion (RFC 7523, SMART App Launch 2.2). The role is `system`."""

from __future__ import annotations

from typing import Final

from tools.conformance.building import Text, ask, case, check, header, says, status
from tools.conformance.smart.common import ASSERTION, error, form, member, sends, smart

_SCOPE: Final = "system/*.rs"
_GIVEN_BACK: Final = {"Authorization": "Bearer ${given}"}
_OURS: Final = "Condition?identifier=urn:fhirserver:conformance|${run}"


def _credentials(assertion: str = "assertion", **changes: str) -> Text:
    said = {
        "grant_type": "client_credentials",
        "scope": _SCOPE,
        "client_assertion_type": ASSERTION,
        "client_assertion": f"${{{assertion}}}",
    }
    return form(**{name: value for name, value in {**said, **changes}.items() if value})


_WRONG: Final = {
    "Expired": "one that is over",
    "Long": "one that lasts a day",
    "OtherAudience": "one for another server",
    "OtherIssuer": "one that somebody else says",
    "OtherSubject": "one about somebody else",
    "WithoutId": "one without an id",
    "WithoutEnd": "one without an end",
    "OtherKey": "one signed by another key",
    "UnknownKey": "one signed by a key that it does not have",
    "Hmac": "one signed with the public key as a secret",
    "Unsigned": "one that nobody signed",
}
_GIVEN: Final = smart(
    "backend",
    "A token for a system",
    case("it is given", "SMART-backend", sends("good"), status(200), member("access_token"),
         member("token_type", "bearer,Bearer", operator="in")),
    case("it lasts five minutes at most", "SMART-backend", sends("good"),
         member("expires_in", "301", operator="lessThan")),
    case("it says its scope", "SMART-backend", sends("good"), member("scope", "system/", operator="contains")),
    case("there is no refresh token", "SMART-backend", sends("good"),
         check("no refresh token", path="$.refresh_token", operator="empty")),
    case("no answer is kept", "OAUTH-no-store", sends("good"), header("Cache-Control", "no-store", "contains")),
    case("it is used", "SMART-backend", sends("good", response="token"), status(200),
         ask("", url="Observation?_count=1", origin=2, headers=_GIVEN_BACK), status(200)),
    case("within its scope alone", "SMART-scopes", ask("", url="Basic", method="post", source="basic"),
         status(401, 403)),
    case("and sees nothing of others", "ACCESS-systems", ask("", url="Patient/${patientId}"), status(403, 404)),
    case("a narrower scope", "SMART-scopes", sends("narrow"), status(200), member("scope", "system/Observation.rs")),
    case("a narrower scope is kept to", "SMART-scopes",
         ask("create", "Condition", source="condition", origin=3), status(201),
         sends("good", response="token"), ask("", url=_OURS, origin=2, headers=_GIVEN_BACK), status(200),
         says("Bundle.entry.resource.ofType(Condition).count()", "1"),
         sends("narrow", response="token"), ask("", url=_OURS, origin=2, headers=_GIVEN_BACK), status(200, 403),
         says("$this.ofType(Bundle).entry.resource.ofType(Condition).empty()", text="nothing of another type")),
    case("it is known to be good", "OAUTH-introspection", sends("good", response="token"),
         sends("introspect", "${introspection_endpoint}"), status(200), member("active", "true")),
    case("revoked, it is over at once", "OAUTH-revocation", sends("good", response="token"),
         sends("revoke", "${revocation_endpoint}"), status(200),
         ask("", url="Observation?_count=1", origin=2, headers=_GIVEN_BACK), status(401)),
    roles=("system", "anonymous", "hospital"),
    fixtures={
        "condition": {
            "resourceType": "Condition",
            "identifier": [{"system": "urn:fhirserver:conformance", "value": "${run}"}],
            "code": {"text": "essai"},
            "subject": {"reference": "Patient/${patientId}"},
        },
        "good": _credentials(),
        "narrow": _credentials(scope="system/Observation.rs"),
        "basic": {"resourceType": "Basic", "code": {"text": "essai"}},
        "introspect": form(token="${given}", client_assertion_type=ASSERTION, client_assertion="${assertion}"),
        "revoke": form(token="${given}", client_assertion_type=ASSERTION, client_assertion="${assertion}"),
    },
    variables=({"name": "given", "sourceId": "token", "path": "$.access_token"},),
)  # fmt: skip
_REFUSED: Final = smart(
    "backend-refused",
    "Assertions that do not hold",
    *(
        case(text, "SMART-assertion", sends(key.lower()), *error("invalid_client", "invalid_grant", codes=(400, 401)))
        for key, text in _WRONG.items()
    ),
    case("the same one again", "SMART-assertion", sends("good", requestId="once"), status(200), sends("once"),
         *error("invalid_client", "invalid_grant", codes=(400, 401))),
    case("of no type", "SMART-assertion", sends("untyped"),
         *error("invalid_client", "invalid_request", codes=(400, 401))),
    case("none", "SMART-assertion", sends("none"), *error("invalid_client", "invalid_request", codes=(400, 401))),
    case("no scope", "SMART-scopes", sends("unscoped"), *error("invalid_scope", "invalid_request")),
    case("scopes of persons", "SMART-scopes", sends("personal"), *error("invalid_scope")),
    case("scopes that it is not registered for", "SMART-scopes", sends("writing"), *error("invalid_scope")),
    case("nobody asks about a token", "OAUTH-introspection", sends("nobody", "${introspection_endpoint}"),
         status(400, 401)),
    case("a token that is none", "OAUTH-introspection", sends("unknown", "${introspection_endpoint}"), status(200),
         member("active", "false")),
    case("nothing is told of it", "OAUTH-introspection", sends("unknown", "${introspection_endpoint}"),
         check("nothing else", path="$.scope", operator="empty")),
    case("revoking what is none", "OAUTH-revocation", sends("unknown", "${revocation_endpoint}"), status(200)),
    case("nobody revokes", "OAUTH-revocation", sends("nobody", "${revocation_endpoint}"), status(400, 401)),
    roles=("system",),
    fixtures={
        **{key.lower(): _credentials(f"assertion{key}") for key in _WRONG},
        "good": _credentials(),
        "untyped": _credentials(client_assertion_type=""),
        "none": _credentials(client_assertion="", client_assertion_type="", client_id="${client}"),
        "unscoped": _credentials(scope=""),
        "personal": _credentials(scope="patient/Observation.rs"),
        "writing": _credentials(scope="system/Observation.cud"),
        "nobody": form(token="nonsense"),
        "unknown": form(token="nonsense", client_assertion_type=ASSERTION, client_assertion="${assertion}"),
    },
)  # fmt: skip
BACKEND: Final = (_GIVEN, _REFUSED)
