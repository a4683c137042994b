"""FHIR XML to the JSON value and back (https://hl7.org/fhir/R4/xml.html), by the element tree of the definitions.

Decimals keep their digits by the conventions of `jsontext`; a narrative keeps every character.
"""

from fhirserver.xmltext.reading import parse
from fhirserver.xmltext.source import Source
from fhirserver.xmltext.writing import dump

__all__ = ["Source", "dump", "parse"]
