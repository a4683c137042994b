"""The definitions that a command works by: the French ones, and those of packages that are named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.cli import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fhirserver.spec import Definitions


def french_and(packages: Sequence[str]) -> Definitions:
    """The French definitions, with those of package files (`.tgz`) between them and FHIR's own. Raises Problem."""
    from fhirserver.spec import Definitions, Package

    definitions = Definitions.french()
    if not packages:
        return definitions
    try:
        added = [Package.from_tgz(each) for each in packages]
    except (OSError, ValueError) as error:
        raise Problem(f"cannot read a package: {error}") from None
    *french, core = definitions.packages
    return Definitions([*french, *added, core])
