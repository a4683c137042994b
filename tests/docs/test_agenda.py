"""The commands of the page about the agenda hold, and it tells each rule."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import fhirserver.espace.agenda
from tests.docs import pages
from tests.records import patient, practitioner

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/agenda.md"
RPPS = "10000000018"
WHO = {"person": "holder representative", "professional": "professional organization"}


def rows_of(name: str) -> list[dict[str, str]]:
    text = (Path(fhirserver.espace.agenda.__path__[0]) / name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_the_commands_of_the_page_about_the_agenda_hold(running: Served) -> None:
    operator = running.token("--operator")
    person, doctor = (
        running.call("POST", each["resourceType"], operator, each).json["id"]
        for each in (patient(), practitioner(RPPS))
    )
    told = {"PERSON": person, "DOCTOR": doctor, "MINE": running.token("--patient", person)}
    told["THEIRS"] = running.token("--practitioner", RPPS, "--profession", "G15_10")
    printed = pages.printed(pages.block(PAGE, "sh agenda"), running, **told)
    assert printed == ["is not free", '"status":"busy"', "200", '"status":"free"']


def test_the_page_tells_each_rule() -> None:
    told = [line.split(" | ") for line in pages.text(PAGE).splitlines() if line.startswith("| `") and "→" in line]
    rows = rows_of("rules.csv")
    assert len(told) == len(rows)
    for line, row in zip(told, rows, strict=True):
        origin, to = line[2].split(" → ")
        assert line[0] == f"| `{row['act']}`"
        assert WHO[line[1]] == row["who"]
        assert origin.replace(", ", " ") == row["from"]
        assert to == ("the same" if row["act"] == "amend" else row["to"].replace(" ", ", "))
        for name, word in (("opens", "from"), ("closes", "before")):
            assert (f"{word} {row[name]}" in line[4]) == bool(row[name]), row
        assert ("reason" in line[3]) == (row["reason"] == "yes")
        assert line[5] == ("all" if row["fields"] == "*" else ", ".join(f"`{each}`" for each in row["fields"].split()))


def test_the_page_tells_each_limit() -> None:
    said = {
        "appointment": "one appointment names",
        "schedule": "to come, of one schedule",
        "all": "to come, of all schedules",
    }
    names = {value: name for name, value in WHO.items()}
    rows = [(said[row["limit"]], names[row["who"]], row["most"], row["source"]) for row in rows_of("limits.csv")]
    table = pages.text(PAGE).partition("| limit | for whom |")[2].partition("\n\n")[0].splitlines()[2:]
    assert [tuple(line.strip("| ").split(" | ")) for line in table] == rows
