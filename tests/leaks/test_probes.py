"""The 44 leaks that were seen in the wild: each probe over JSON and XML, GET and POST, by itself and in a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.leaks import probes_of_reads, probes_of_writes
from tests.leaks.forms import FORMS
from tests.leaks.probing import Probing
from tests.leaks.test_twin import twins

if TYPE_CHECKING:
    from tests.leaks.forms import Form
    from tests.leaks.probing import Probe
    from tests.leaks.test_twin import Twins

__all__ = ["twins"]

PROBES = sorted((*probes_of_reads.PROBES, *probes_of_writes.PROBES), key=lambda each: each.number)


def test_all_44_are_there_and_each_form_left_out_says_why() -> None:
    assert sorted({each.number for each in PROBES}) == list(range(1, 45))
    names = {form.name for form in FORMS}
    for each in PROBES:
        assert set(each.without) < names, each
        assert all(each.without.values()), each


@pytest.mark.parametrize(
    ("probe", "form"),
    [
        pytest.param(probe, form, id=f"{probe.number} {probe.about} {form.name}")
        for probe in PROBES
        for form in FORMS
        if form.name not in probe.without
    ],
)
def test_nothing_hidden_is_told(twins: Twins, probe: Probe, form: Form) -> None:
    probe.check(Probing(form, twins))
