"""Search: what a resource can be found by, and what a query string asks for (https://hl7.org/fhir/R4/search.html).

`Indexer` makes the envelope's entries of a resource, `parse` makes a Query of a query string, `pipeline` makes MongoDB
stages of a Query. Decimals among them are plain `Decimal`s: the store converts them, both ways.
"""

from fhirserver.search import pipeline
from fhirserver.search.index import Index, Indexer
from fhirserver.search.parse import parse
from fhirserver.search.query import Query, SortKey

__all__ = ["Index", "Indexer", "Query", "SortKey", "parse", "pipeline"]
