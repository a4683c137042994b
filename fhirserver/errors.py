"""What can go wrong, as one small tree, mapped once at the edge to HTTP and an OperationOutcome.

    FhirError
    ├── BadRequest 400          the request itself is wrong
    │   ├── InvalidJson         not FHIR JSON
    │   ├── InvalidXml          not FHIR XML
    │   └── UnknownParameter    a search parameter or modifier that the server does not offer
    ├── Unauthenticated 401
    ├── Forbidden 403
    ├── NotFound 404            also whatever the requester may not see
    ├── MethodNotAllowed 405
    ├── NotAcceptable 406
    ├── TooSlow 408             the body did not arrive in time
    ├── Conflict 409
    ├── Gone 410
    ├── PreconditionFailed 412
    ├── TooLarge 413
    ├── UnsupportedMediaType 415
    ├── Unprocessable 422       well formed, but refused by validation
    ├── TooMany 429             more at once than one requester may have
    └── Unavailable 503         the database is away, or capacity is exhausted

Every text is safe to show to whoever asked: it repeats what the request said and nothing that the store holds.
Issue codes: https://hl7.org/fhir/R4/valueset-issue-type.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fhirserver.outcome import Issue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FhirError(Exception):
    """An answer other than success; `issues` become the OperationOutcome."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"

    def __init__(
        self,
        text: str,
        *,
        code: str | None = None,
        expression: str | None = None,
        issues: Sequence[Issue] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.issues: tuple[Issue, ...] = tuple(issues) or (
            Issue("error", code or self.code, text, (expression,) if expression else ()),
        )
        self.headers: dict[str, str] = dict(headers or {})


class BadRequest(FhirError):
    status, code = 400, "invalid"


class InvalidJson(BadRequest):
    status, code = 400, "structure"


class InvalidXml(BadRequest):
    status, code = 400, "structure"


class UnknownParameter(BadRequest):
    status, code = 400, "not-supported"


class Unauthenticated(FhirError):
    status, code = 401, "login"


class Forbidden(FhirError):
    status, code = 403, "forbidden"


class NotFound(FhirError):
    status, code = 404, "not-found"


class MethodNotAllowed(FhirError):
    status, code = 405, "not-supported"


class NotAcceptable(FhirError):
    status, code = 406, "not-supported"


class TooSlow(FhirError):
    status, code = 408, "timeout"


class Conflict(FhirError):
    status, code = 409, "conflict"


class Gone(FhirError):
    status, code = 410, "deleted"


class PreconditionFailed(FhirError):
    status, code = 412, "conflict"


class TooLarge(FhirError):
    status, code = 413, "too-long"


class UnsupportedMediaType(FhirError):
    status, code = 415, "not-supported"


class Unprocessable(FhirError):
    status, code = 422, "processing"


class TooMany(FhirError):
    status, code = 429, "throttled"


class Unavailable(FhirError):
    status, code = 503, "transient"
