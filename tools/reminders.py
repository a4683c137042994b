"""Writes the tables of docs/reminders.md from those of the server: `python -m tools.reminders`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fhirserver.espace.reminders.tables import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reminders.md"
_RULES: Final = (
    "key", "title", "sex", "zone", "opens", "due", "late", "ends", "interval", "repeat", "born", "in_force", "duty",
    "source", "note",
)  # fmt: skip
_HEADS: Final = {"in_force": "in force", "duty": "obligatory"}


def main() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def written(page: str) -> str:
    """The page with its tables made anew, between `<!-- table: NAME -->` and `<!-- end -->`."""
    return re.sub(
        r"<!-- table: (\w+) -->\n.*?<!-- end -->",
        lambda found: f"<!-- table: {found[1]} -->\n{_tables()[found[1]]}<!-- end -->",
        page,
        flags=re.DOTALL,
    )


def _tables() -> dict[str, str]:
    rules = rows("rules.csv")
    by_kind = {
        kind: _table(_RULES, (row for row in rules if row["kind"] == kind)) for kind in {r["kind"] for r in rules}
    }
    acts: dict[str, dict[str, list[str]]] = {}
    for row in rows("codes.csv"):
        acts.setdefault(row["act"], {}).setdefault(row["system"], []).append(
            row["code"] + ("…" if row["prefix"] else "")
        )
    systems = list(dict.fromkeys(row["system"] for row in rows("systems.csv")))
    coded = [{"act": act, **{name: " ".join(codes) for name, codes in found.items()}} for act, found in acts.items()]
    return {
        **by_kind,
        "sources": _table(("source", "name", "version", "text"), rows("sources.csv")),
        "seasons": _table(("zone", "begins", "ends", "source", "note"), rows("seasons.csv")),
        "codes": _table(("act", *systems), coded),
    }


def _table(names: Sequence[str], found: Iterable[dict[str, str]]) -> str:
    lines = [" | ".join(_HEADS.get(name, name) for name in names), " | ".join("---" for _ in names)]
    lines += [" | ".join(row.get(name, "").replace("|", "\\|") for name in names) for row in found]
    return "".join(f"| {line} |\n" for line in lines)


if __name__ == "__main__":
    main()
