from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fhirserver.terminology import NotHere, Wish
from tests.terminology.build import ANIMALS, NOW, Json, codes_of, concept, system, terminology, value_set

if TYPE_CHECKING:
    from fhirserver.terminology import Terminology

NAMED = {"url": "http://hl7.org/fhir/StructureDefinition/valueset-supplement", "valueCanonical": "urn:test:french"}


@pytest.fixture(name="made")
def made_() -> Terminology:
    cat = concept("cat", "Chat", concept("owl"))
    cat["designation"] = [{"language": "br", "value": "Kazh"}]
    french = system("urn:test:french", cat, content="supplement", supplements=f"{ANIMALS}|1.0", language="fr")
    other = system("urn:test:other", concept("cat", "Gatto"), content="supplement", supplements="urn:test:else")
    return terminology(french, other)


def all_animals(*extensions: Json) -> Json:
    return value_set("urn:test:vs", {"system": ANIMALS}, extension=list(extensions))


def displays(made: Terminology, of: Json, language: str) -> dict[str, str]:
    expanded = made.expand(of, Wish(display_language=language), now=NOW)
    return {each["code"]: each["display"] for each in expanded["expansion"]["contains"]}


def test_a_value_set_that_names_a_supplement_shows_what_it_adds(made: Terminology) -> None:
    shown = displays(made, all_animals(NAMED), "fr")
    assert (shown["cat"], shown["dog"], shown["owl"]) == ("Chat", "Chien", "Owl")
    assert displays(made, all_animals(NAMED), "br")["cat"] == "Kazh"
    assert codes_of(made, all_animals(NAMED), filter="kaz") == ["cat"]
    given = {"system": ANIMALS, "code": "cat", "display": "chat"}
    assert made.in_value_set(all_animals(NAMED), [given]).result


def test_other_value_sets_do_not(made: Terminology) -> None:
    assert displays(made, all_animals(), "fr")["cat"] == "Cat"
    assert not made.in_value_set(all_animals(), [{"system": ANIMALS, "code": "cat", "display": "chat"}]).result
    for other in (NAMED | {"valueCanonical": "urn:test:other"}, {"url": "urn:test:extension"}):
        assert displays(made, all_animals(other), "fr")["cat"] == "Cat"


def test_a_supplement_that_is_not_here_is_named(made: Terminology) -> None:
    for absent in ("urn:test:absent", ANIMALS):
        with pytest.raises(NotHere, match=absent):
            made.expand(all_animals(NAMED | {"valueCanonical": absent}), now=NOW)
