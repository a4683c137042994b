"""`python -m tools.conformance`: writes every TestScript into `conformance/`, and the page of what they cover."""

from __future__ import annotations

from pathlib import Path

from fhirserver.conformance import collect, coverage
from fhirserver.conformance.requirements import requirements
from fhirserver.spec import Definitions
from tools.conformance.writing import files

FOLDER = Path(__file__).parents[2] / "conformance"
PAGE = FOLDER.parent / "docs" / "conformance-coverage.md"


def main() -> None:
    for name, content in files().items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    PAGE.write_text(coverage.page(requirements(), collect([FOLDER], Definitions.core())), encoding="utf-8")
    print(f"{len(files())} files in {FOLDER}")


if __name__ == "__main__":
    main()
