from __future__ import annotations

import pytest

from fhirserver.spec import Definitions
from fhirserver.validation import Validator


@pytest.fixture(scope="session")
def core() -> Validator:
    """R4 alone."""
    return Validator(Definitions.core())


@pytest.fixture(scope="session")
def french() -> Validator:
    """The built-in French packages."""
    return Validator()
