from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver import settings
from fhirserver.mail import TextGateway, Undelivered, gateway_of, phone_number
from tests.mail.gateway import Gateway, sms_gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with sms_gateway() as server:
        yield server


def test_a_text_message_is_posted_to_the_gateway(gateway: Gateway, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    found = gateway_of(settings.load(environ={}, sms_url=gateway.url, sms_token_file=str(tmp_path / "token")))
    assert found is not None
    found.send("+33612345678", "Votre code : 123456 — à bientôt")
    assert gateway.sent == [("Bearer secret", {"to": "+33612345678", "text": "Votre code : 123456 — à bientôt"})]


@pytest.mark.parametrize("status", [302, 400, 401, 500])
def test_what_the_gateway_does_not_take_is_not_delivered(gateway: Gateway, status: int) -> None:
    gateway.status = status
    with pytest.raises(Undelivered, match=str(status)) as refused:
        TextGateway(gateway.url).send("+33612345678", "123456")
    assert "+33612345678" not in str(refused.value)
    assert len(gateway.sent) == 1


def test_a_gateway_that_is_away_delivers_nothing() -> None:
    with pytest.raises(Undelivered, match="cannot be reached"):
        TextGateway("http://127.0.0.1:1/send", seconds=2).send("+33612345678", "123456")


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("06 12 34 56 78", "+33612345678"),
        ("06.12.34.56.78", "+33612345678"),
        ("+33 6 12 34 56 78", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("+32 470 12 34 56", "+32470123456"),
        ("0612", None),
        ("", None),
        ("+33612345678;+33600000000", None),
        ("six", None),
    ],
)
def test_numbers_are_taken_as_they_are_written(typed: str, number: str | None) -> None:
    assert phone_number(typed) == number
