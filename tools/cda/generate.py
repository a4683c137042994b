"""Write the corpus: `python -m tools.cda.generate [FOLDER]` (by default `examples/cda`; wrong ones in `wrong`)."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.cda import corpus, wrong

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "cda"


def main(folder: Path = FOLDER) -> None:
    """Write each document to its file; files that no document has any more are removed."""
    _write(folder, corpus.documents())
    _write(folder / "wrong", wrong.documents())


def _write(folder: Path, made: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.xml"):
        if file.stem not in made:
            file.unlink()
    for name, data in made.items():
        (folder / f"{name}.xml").write_bytes(data)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
