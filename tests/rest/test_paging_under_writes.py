"""What is written while somebody pages neither repeats a match nor hides one."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.records import observation, patient

if TYPE_CHECKING:
    from tests.application import Application, Caller

NUMBERS = count()


class Writer:
    """Writes into one record, at random, between two pages; `kept` are those that were there and stay."""

    def __init__(self, operator: Caller, who: str, random: Random) -> None:
        self.operator, self.who, self.random = operator, who, random
        self.kept = {self.create() for _ in range(12)}

    def create(self) -> str:
        # ids at both ends of the order, so that what is new comes before and after the page
        id = f"{self.random.choice('amz')}{next(NUMBERS):04}{self.random.randint(0, 9)}"
        date = {"effectiveDateTime": f"2024-0{self.random.randint(1, 9)}-01"} if self.random.random() < 0.8 else {}
        self.operator.store(observation(self.who, id=id, note=[{"text": "x"}], **date))
        return id

    def write(self) -> None:
        self.create()
        self.create()
        gone, changed = self.random.sample(sorted(self.kept), 2)
        self.operator.delete(f"Observation/{gone}")
        self.kept.discard(gone)
        resource: dict[str, Any] = self.operator.get(f"Observation/{changed}").json
        self.operator.put(f"Observation/{changed}", resource | {"note": [{"text": "y"}]})


@pytest.mark.parametrize("sort", ["", "-_id", "-date,_id", "code,date"])
@pytest.mark.parametrize("path", ["Observation?patient=", "?_type=Observation,DiagnosticReport&patient="])
def test_pages_neither_repeat_nor_leave_out_what_stays(application: Application, path: str, sort: str) -> None:
    operator, who = application.operator(), f"p{next(NUMBERS)}"
    operator.store(patient(id=who))
    writer = Writer(operator, who, Random(f"{path}{sort}"))
    answer = operator.get(f"{path}{who}&_count=3{f'&_sort={sort}' if sort else ''}")
    walked = answer.ids
    while (link := answer.link("next")) is not None:
        writer.write()
        answer = operator.get(link.removeprefix("http://127.0.0.1:8080/fhir"))
        walked += answer.ids
    assert len(walked) == len(set(walked))
    assert writer.kept <= set(walked)
