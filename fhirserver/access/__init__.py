"""Who may see and do what: the law, the matrix and the person's Consents as pure functions (docs/access.md)."""

from fhirserver.access.acl import acl, author_references
from fhirserver.access.compile import Compiled, Part, compiled, compose, part, predicate, reach, settled
from fhirserver.access.consent import Departments
from fhirserver.access.policy import Policy, build, problems
from fhirserver.access.requester import Access, Delegate, Requester
from fhirserver.access.rules import DOCUMENT, UNDERIVED, feeding
from fhirserver.access.scopes import permits, require
from fhirserver.access.spaces import STATES as SPACES
from fhirserver.access.spaces import united
from fhirserver.access.writes import NOTICE, Decision, judge_feeding, judge_write

__all__ = [
    "DOCUMENT",
    "NOTICE",
    "SPACES",
    "UNDERIVED",
    "Access",
    "Compiled",
    "Decision",
    "Delegate",
    "Departments",
    "Part",
    "Policy",
    "Requester",
    "acl",
    "author_references",
    "build",
    "compiled",
    "compose",
    "feeding",
    "judge_feeding",
    "judge_write",
    "part",
    "permits",
    "predicate",
    "problems",
    "reach",
    "require",
    "settled",
    "united",
]
