"""Who is asking: a bearer token becomes a `Requester`."""

from fhirserver.auth.keys import SigningKey
from fhirserver.auth.ring import KeyRing, sign
from fhirserver.auth.tokens import DEVELOPMENT_ISSUER, TokenVerifier, development_claims

__all__ = ["DEVELOPMENT_ISSUER", "KeyRing", "SigningKey", "TokenVerifier", "development_claims", "sign"]
