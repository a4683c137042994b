"""Snapshots generated here against those that were published with the same differentials.

FHIR leaves some of the algorithm open, and its publisher changed over the years: what differs is listed with its
reason. The publisher of FR Core also pins canonicals without version to the version it had; pins are not compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from fhirserver.spec import Definitions, Package, snapshot
from tests import corpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.no_cover


class Difference(NamedTuple):
    """`what` is `missing` or `surplus` for an element, otherwise the member that differs."""

    structure: str
    element: str
    what: str


FAMILY: Final = (
    *("relationship", "sex", "born[x]", "age[x]", "deceased[x]", "condition", "condition.id", "condition.extension"),
    *("condition.modifierExtension", "condition.code", "condition.outcome", "condition.contributedToDeath"),
    *("condition.onset[x]", "condition.note"),
)
QUANTITY: Final = ("id", "extension", "value", "comparator", "unit", "system", "code")
PRESSURES: Final = tuple(f"Observation.component:{name}.value[x]" for name in ("SystolicBP", "DiastolicBP"))
VITAL_SIGNS: Final = (
    *("bmi", "body-height", "body-temperature", "body-weight", "bp", "head-circum", "heartrate", "resp-rate"),
    "saturation-oxygen",
)

R4: Final[dict[Difference, str]] = {
    **{
        Difference("familymemberhistory-genetic", f"FamilyMemberHistory.{name}", "surplus"): (
            "slices without slicing, which the publisher put in the place of what they slice"
        )
        for name in FAMILY
    },
    Difference("catalog", "Composition.date", "surplus"): "likewise",
    **{
        Difference("elementdefinition-de", f"ElementDefinition.extension:{name}.{below}", "missing"): (
            "the extension's own elements, unfolded though the differential does not walk into them"
        )
        for name in ("Question", "AllowedUnits")
        for below in ("id", "extension", "url", "value[x]")
    },
    **{
        Difference("bp", f"{pressure}{below}", what): "`valueQuantity` within a slice, published without a slice"
        for pressure in PRESSURES
        for below, what in (
            ("", "slicing"),
            (":valueQuantity", "surplus"),
            *((f":valueQuantity.{name}", "surplus") for name in QUANTITY),
            *((f".{name}", "missing") for name in QUANTITY),
        )
    },
    **{
        Difference(name, f"Observation.referenceRange.{limit}", "constraint"): (
            "constraints of SimpleQuantity, repeated on the element of that type"
        )
        for name, limit in (("cholesterol", "high"), ("hdlcholesterol", "low"), ("ldlcholesterol", "high"))
    },
    Difference("provenance-relevant-history", "Provenance.agent:Author.type", "binding"): (
        "the slice has what the same differential says below the element it slices, as in later publishers"
    ),
    Difference("provenance-relevant-history", "Provenance.entity.agent", "contentReference"): (
        "R4 says #Provenance.agent, the publisher made a slice of it"
    ),
}

FR_CORE: Final[dict[Difference, str]] = {
    **{
        Difference("fr-core-patient-ins", f"Patient.identifier.{name}", "surplus"): (
            "elements of the base that the publisher lost where the differential restates the sliced element"
        )
        for name in ("id", "extension", "use", "type", "system", "value", "period", "assigner")
    },
    **{
        Difference("fr-core-patient-ins", f"Patient.identifier:{name}.type", "binding"): "a consequence of the former"
        for name in ("INS-NIR", "INS-NIR-TEST", "INS-NIR-DEMO", "INS-NIA")
    },
    **{
        Difference(f"fr-core-observation-{name}", "Observation.component.value[x]", "binding"): (
            "required in R4 4.0.1 as published, extensible in what the publisher took for it"
        )
        for name in VITAL_SIGNS
    },
    **{
        Difference("fr-core-observation-bp", f"Observation.component:{name}.value[x]", "binding"): "likewise"
        for name in ("SystolicBP", "DiastolicBP", "MeanBP")
    },
}

SAME: Final = ("path", "min", "max", "sliceName", "maxLength", "mustSupport", "isModifier", "isSummary", "base")
VALUES: Final = ("fixed", "pattern", "minValue", "maxValue", "defaultValue")


def _facts(element: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: element.get(name) or None for name in SAME}
    facts |= {name: value for name, value in element.items() if name.startswith(VALUES)}
    facts["contentReference"] = element.get("contentReference", "").rpartition("#")[2]
    facts["constraint"] = {item["key"] for item in element.get("constraint", ())}
    facts["type"] = [
        (item["code"], item.get("profile", []), item.get("targetProfile", [])) for item in element.get("type", ())
    ]
    binding = element.get("binding", {})
    facts["binding"] = (binding.get("strength"), binding.get("valueSet"))
    slicing = element.get("slicing", {})
    by = [(item["type"], item["path"]) for item in slicing.get("discriminator", ())]
    facts["slicing"] = (by, slicing.get("ordered", False), slicing.get("rules"))
    return facts


def _agree(ours: Any, published: Any) -> bool:
    """Whether two facts are the same, but for a version that only the published canonical has."""
    if isinstance(ours, str) and isinstance(published, str):
        return ours == published or ("|" not in ours and ours == published.partition("|")[0])
    if isinstance(ours, list | tuple) and isinstance(published, list | tuple):
        return len(ours) == len(published) and all(map(_agree, ours, published))
    return bool(ours == published)


def _differences(name: str, ours: list[Any], published: list[Any]) -> Iterator[Difference]:
    own = {element["id"]: _facts(element) for element in ours}
    other = {element["id"]: _facts(element) for element in published}
    for identity in other.keys() - own.keys():
        yield Difference(name, identity, "missing")
    for identity in own.keys() - other.keys():
        yield Difference(name, identity, "surplus")
    for identity in own.keys() & other.keys():
        for what in own[identity].keys() | other[identity].keys():
            if not _agree(own[identity].get(what), other[identity].get(what)):
                yield Difference(name, identity, what)
    if own.keys() == other.keys() and list(own) != list(other):
        yield Difference(name, "", "order")


def _compare(package: Package, definitions: Definitions) -> tuple[int, set[Difference]]:
    count, found = 0, set()
    for entry in package.entries("StructureDefinition"):
        published = package.load(entry)
        if entry.derivation == "constraint" and {"snapshot", "differential"} <= published.keys():
            bare = {name: value for name, value in published.items() if name != "snapshot"}
            generated = snapshot.generate(bare, definitions)
            found |= set(
                _differences(published["id"], generated["snapshot"]["element"], published["snapshot"]["element"])
            )
            count += 1
    return count, found


@pytest.mark.corpus("r4-core")
def test_the_profiles_of_r4_are_generated_as_published() -> None:
    package = Package.from_tgz(corpus.path("r4-core"))
    count, found = _compare(package, Definitions([package, Package.core()]))
    assert count == 439
    assert found == set(R4)


@pytest.mark.corpus("fr-core", "fr-core-combined")
def test_the_profiles_of_fr_core_are_generated_as_published() -> None:
    package = Package.from_tgz(corpus.path("fr-core"))
    further = Package.from_tgz(corpus.path("fr-core-combined"))
    count, found = _compare(package, Definitions([package, further, Package.core()]))
    assert count == 64
    assert found == set(FR_CORE)


@pytest.mark.corpus("fr-core")
def test_the_french_profiles_of_this_project_have_the_snapshots_of_fr_core() -> None:
    french, found = Definitions.french(), set()
    for entry in (package := Package.from_tgz(corpus.path("fr-core"))).entries("StructureDefinition"):
        generated = french.structure(f"{entry.url}|{entry.version}")
        assert generated is not None
        published = package.load(entry)
        found |= set(_differences(published["id"], generated["snapshot"]["element"], published["snapshot"]["element"]))
    assert found == set(FR_CORE)
