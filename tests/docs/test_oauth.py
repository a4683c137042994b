from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/oauth.md"


def test_the_commands_of_the_page_about_the_authorisation_server_hold(demo: Served) -> None:
    issuer = demo.base.removesuffix("/fhir").replace(":", "%3A").replace("/", "%2F")
    assert pages.printed(pages.block(PAGE, "sh oauth"), demo) == [
        "Consulter\u00a0: résultats et mesures",
        f"state=s1&iss={issuer}",
        '"scope":"launch/patient patient/Observation.rs offline_access"',
        '"total":2',
        '"total":0',
        "200",
        "invalid_grant",
        "401",
        '"code_challenge_methods_supported":["S256"]',
        '"alg":"RS256"',
    ]
