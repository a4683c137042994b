"""The functions, by family; importing a family registers it."""

from fhirserver.fhirpath.functions import (  # noqa: F401 - each registers its functions
    aggregation,
    boundaries,
    combining,
    conversion,
    existence,
    filtering,
    maths,
    references,
    resources,
    strings,
    subsetting,
    tree,
    types,
    utility,
)
from fhirserver.fhirpath.functions.registry import BUILDERS

__all__ = ["BUILDERS"]
