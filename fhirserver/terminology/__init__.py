"""Code systems, value sets and concept maps: what is in them, and how codes relate."""

from fhirserver.terminology.codes import Verdict
from fhirserver.terminology.engine import Terminology
from fhirserver.terminology.errors import NotHere, TooCostly
from fhirserver.terminology.expansion import Wish
from fhirserver.terminology.remote import Remote
from fhirserver.terminology.sources import Finder, Found, Kept
from fhirserver.terminology.translation import Question

__all__ = ["Finder", "Found", "Kept", "NotHere", "Question", "Remote", "Terminology", "TooCostly", "Verdict", "Wish"]
