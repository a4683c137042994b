"""The authorisation server: OAuth 2.0, SMART App Launch 2.2 and OpenID Connect over plain data.

`server.register_grant(cls)` adds a grant type (`granting.Granting` is what it is made of), and
`server.register_client_auth_method(name, function)` a way in which clients prove who they are.
"""

from fhirserver.auth.server.code import Consent
from fhirserver.auth.server.granting import Granting
from fhirserver.auth.server.issuing import Login
from fhirserver.auth.server.party import Party
from fhirserver.auth.server.request import Request, Response
from fhirserver.auth.server.server import AuthorizationServer
from fhirserver.auth.tokens import thumbprint

__all__ = ["AuthorizationServer", "Consent", "Granting", "Login", "Party", "Request", "Response", "thumbprint"]
