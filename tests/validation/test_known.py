"""What is known to be sound is not looked at again; what was found wrong is told each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fhirserver.validation import known
from fhirserver.validation.context import Context

if TYPE_CHECKING:
    from fhirserver.validation.context import At

AT: At = (None, "Observation", -1, "Observation")
FAULT = "null"


class Looked:
    """A check that counts, and tells of values that say `wrong`."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def __call__(self, value: Any, at: At, ctx: Context) -> None:
        self.values.append(value)
        if "wrong" in value:
            ctx.report(FAULT, at)


def _issues(check: known.Check, *values: Any) -> list[int]:
    found = []
    for value in values:
        ctx = Context({"resourceType": "Observation"})
        check(value, AT, ctx)
        found.append(len(ctx.issues))
    return found


def test_a_sound_value_is_looked_at_once() -> None:
    looked = Looked()
    assert _issues(known.recalled(looked), {"code": "a"}, {"code": "a"}, {"code": "b"}) == [0, 0, 0]
    assert len(looked.values) == 2


def test_a_fault_is_told_each_time() -> None:
    assert _issues(known.recalled(Looked()), {"wrong": 1}, {"wrong": 1}) == [1, 1]


def test_values_that_differ_in_type_only_are_not_the_same() -> None:
    looked = Looked()
    _issues(known.recalled(looked), {"code": 1}, {"code": True}, {"code": 1.0}, {"code": "1"})
    assert len(looked.values) == 4


def test_what_an_extension_says_is_looked_at_where_it_stands() -> None:
    looked = Looked()
    _issues(known.recalled(looked), *[{"text": "a", "extension": [{"url": "b"}]}] * 2)
    _issues(known.recalled(looked), *[{"text": "a", "modifierExtension": [{"url": "b"}]}] * 2)
    assert len(looked.values) == 4


def test_a_value_is_not_sound_because_its_faults_were_too_many_to_be_kept() -> None:
    check = known.recalled(Looked())
    full = Context({"resourceType": "Observation"})
    for _ in range(3000):
        check({"wrong": 1}, AT, full)
    assert _issues(check, {"wrong": 1}) == [1]


def test_what_is_remembered_is_bounded() -> None:
    looked = Looked()
    check = known.recalled(looked)
    _issues(check, *({"code": str(number)} for number in range(known.HELD + 1)), {"code": "0"})
    _issues(check, *[{"text": "x" * known.LONGEST}] * 2)
    assert len(looked.values) == known.HELD + 4
