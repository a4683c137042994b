"""The page about Subscriptions holds what the server does, and its commands do what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fhirserver.subscriptions.topics import TOPICS
from tests.docs import pages

if TYPE_CHECKING:
    from tests.serving import Served

PAGE = "docs/subscriptions.md"


def test_the_page_names_each_topic() -> None:
    rows = [line for line in pages.text(PAGE).splitlines() if line.startswith("| `urn:fhirserver:topic:")]
    assert [row.split("`")[1] for row in rows] == list(TOPICS)
    for row, topic in zip(rows, TOPICS.values(), strict=True):
        assert all(type_ in row for type_, _ in topic.triggers)


def test_the_commands_of_the_page_hold(running: Served) -> None:
    said = pages.printed(pages.block(PAGE, "sh subscriptions"), running)
    told = '"events-since-subscription-start","valueString":"1"'
    assert said == ["PUT Observation True", told, "no search parameter 'colour'", "204"]
