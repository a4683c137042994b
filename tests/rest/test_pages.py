from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from cryptography.fernet import Fernet

from fhirserver.access import Requester
from fhirserver.errors import BadRequest
from fhirserver.rest.pages import PageKey, PageSeal

SEAL = PageSeal(Fernet.generate_key())
PHYSICIAN = Requester(kind="practitioner", id="practitioner/10000000018", rpps="10000000018")
AT = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
KEY = PageKey(
    "Patient", (("identifier", "urn:oid:1.2.250.1.213.1.4.8|185057800608491"),), (AT, Decimal("1.50"), 5, None, "a")
)


def test_a_page_key_comes_back_as_it_was_sealed() -> None:
    assert SEAL.open(SEAL.seal(KEY, PHYSICIAN), "Patient", PHYSICIAN) == KEY


def test_a_link_tells_nothing() -> None:
    sealed = SEAL.seal(KEY, PHYSICIAN)
    assert "185057800608491" not in sealed
    assert sealed.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other",
    [
        Requester(kind="practitioner", id="practitioner/10000000019", rpps="10000000019"),
        Requester(kind="practitioner", id="practitioner/10000000018", rpps="10000000018", organization="750000001"),
        Requester(kind="operator", id="practitioner/10000000018"),
    ],
)
def test_another_requester_cannot_use_it(other: Requester) -> None:
    with pytest.raises(BadRequest):
        SEAL.open(SEAL.seal(KEY, PHYSICIAN), "Patient", other)


def test_it_serves_one_path_only() -> None:
    with pytest.raises(BadRequest):
        SEAL.open(SEAL.seal(KEY, PHYSICIAN), "Observation", PHYSICIAN)


@pytest.mark.parametrize("text", ["", "abc", "é", "gAAAAA", "A" * 500])
def test_a_made_up_link_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        SEAL.open(text, "Patient", PHYSICIAN)


def test_a_changed_link_is_refused() -> None:
    sealed = SEAL.seal(KEY, PHYSICIAN)
    middle = len(sealed) // 2
    changed = sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :]
    with pytest.raises(BadRequest):
        SEAL.open(changed, "Patient", PHYSICIAN)


def test_another_server_s_link_is_refused() -> None:
    foreign = PageSeal(Fernet.generate_key()).seal(KEY, PHYSICIAN)
    with pytest.raises(BadRequest):
        SEAL.open(foreign, "Patient", PHYSICIAN)
