"""Who is asking: a bearer token becomes a `Requester`."""

from fhirserver.auth.keys import SigningKey
from fhirserver.auth.tokens import DEVELOPMENT_ISSUER, TokenVerifier, development_claims, sign

__all__ = ["DEVELOPMENT_ISSUER", "SigningKey", "TokenVerifier", "development_claims", "sign"]
