"""Who may do what with messages, by the table; and the person's address."""

from __future__ import annotations

from typing import Any

import pytest

from fhirserver.espace.messages import message, rules
from fhirserver.espace.messages.address import address_of, number_in

INS = "urn:oid:1.2.250.1.213.1.4.8"
NUMBER = "284027505600134"
ALL = {"wanted", "writes", "part", "open", "addressed", "sender"}


@pytest.mark.parametrize(
    ("act", "who", "missing", "reason"),
    [
        ("open", "professional", "", None),
        ("open", "organization", "", None),
        ("open", "holder", "", "who"),
        ("open", "representative", "", "who"),
        ("open", "", "", "who"),
        ("open", "professional", "wanted", "wanted"),
        ("answer", "holder", "wanted", None),
        ("answer", "professional", "wanted", "wanted"),
        ("answer", "representative", "open", "open"),
        ("answer", "professional", "part", "part"),
        ("close", "holder", "", None),
        ("close", "representative", "writes", "writes"),
        ("receive", "holder", "writes", "writes"),
        ("reopen", "holder", "", "closed"),
        ("receive", "professional", "addressed", "addressed"),
        ("file", "professional", "sender", "sender"),
        ("file", "holder", "sender", None),
        ("nonsense", "holder", "", "who"),
    ],
)
def test_each_act_is_judged_by_the_table(act: str, who: str, missing: str, reason: str | None) -> None:
    assert rules.refusal(act, who, ALL - {missing}) == reason
    assert reason is None or rules.words()[reason]


def test_only_the_side_that_closed_a_thread_opens_it() -> None:
    assert rules.refusal("reopen", "holder", {"part", "writes", "closed", "closer"}) is None
    assert rules.refusal("reopen", "holder", {"part", "writes", "closed"}) == "closer"


@pytest.mark.parametrize(
    ("identifiers", "address"),
    [
        ([{"system": INS, "value": NUMBER}], f"{NUMBER}@patient.mssante.fr"),
        ([{"system": INS, "value": "2A4027505600134"}], None),
        ([{"system": INS, "value": NUMBER, "use": "old"}], None),
        ([{"system": "urn:x", "value": NUMBER}], None),
        ([{"system": INS, "value": "12"}], None),
        ([{"system": INS, "value": f"{NUMBER}\r\nBcc: x@y.fr"}], None),
        ([{"system": INS, "value": NUMBER}, {"system": INS, "value": "184027505600134"}], None),
        ([], None),
    ],
)
def test_the_address_is_the_number_that_is_in_use(identifiers: list[dict[str, Any]], address: str | None) -> None:
    assert address_of({"identifier": identifiers}, "patient.mssante.fr") == address
    assert address_of({"identifier": identifiers}, "") is None


def test_a_number_is_read_from_an_address_of_the_domain_alone() -> None:
    assert number_in(f"{NUMBER}@Patient.MSSANTE.fr", "patient.mssante.fr") == NUMBER
    for other in (f"{NUMBER}@mssante.fr", f"x{NUMBER}@patient.mssante.fr", NUMBER, f"{NUMBER}@", ""):
        assert number_in(other, "patient.mssante.fr") is None


def test_text_and_titles_hold_nothing_that_commands() -> None:
    assert message.is_text("ligne\r\n\tligne")
    assert not message.is_text("  ")
    assert not message.is_text("a\x1b[2J")
    assert not message.is_title("a\nb")
    assert message.title({"topic": "x"}) == ""
