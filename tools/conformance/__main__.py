"""`python -m tools.conformance`: writes every TestScript into `conformance/`."""

from __future__ import annotations

from pathlib import Path

from tools.conformance.writing import files

FOLDER = Path(__file__).parents[2] / "conformance"


def main() -> None:
    for name, content in files().items():
        file = FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    print(f"{len(files())} files in {FOLDER}")


if __name__ == "__main__":
    main()
