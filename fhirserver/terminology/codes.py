"""$validate-code, $lookup and $subsumes (https://hl7.org/fhir/R4/terminology-service.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.errors import BadRequest, NotFound, Unprocessable
from fhirserver.outcome import Issue, outcome
from fhirserver.terminology.answers import group, parameter, parameters
from fhirserver.terminology.errors import NotHere
from fhirserver.terminology.grammars import GRAMMARS
from fhirserver.terminology.wording import same, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from fhirserver.terminology.concepts import Concept, Value
    from fhirserver.terminology.grammars import Grammar
    from fhirserver.terminology.sources import System
    from fhirserver.terminology.valuesets import Definition, Membership

_NOT_SUBSUMPTION: Final = frozenset({"grouped-by", "part-of"})


class Verdict(NamedTuple):
    """Whether a code is valid. `unknown` names what had to be here to tell, in which case `result` says nothing."""

    result: bool
    message: str | None = None
    display: str | None = None
    unknown: str | None = None

    def as_fhir(self) -> dict[str, Any]:
        """Parameters; when nobody can tell, with a warning and `x-unknown-system`, by which clients know it."""
        parts = [parameter("result", "Boolean", self.result)]
        if self.message:
            parts.append(parameter("message", "String", self.message))
        if self.display:
            parts.append(parameter("display", "String", self.display))
        if self.unknown:
            parts.append(parameter("x-unknown-system", "Canonical", self.unknown))
            issue = Issue("warning", "not-found", self.message or "")
            parts.append({"name": "issues", "resource": outcome([issue])})
        return parameters(parts)


def in_value_set(
    membership: Membership,
    definition: Definition,
    given: Mapping[str, Any],
    *,
    abstract: bool | None = None,
    language: str | None = None,
) -> Verdict:
    """Whether a Coding is in a value set, with a display that it has."""
    system, code = given.get("system"), given["code"]
    if not system:
        return Verdict(False, f"The code {code!r} has no system: without one it is in no value set.")
    version = given.get("version")
    try:
        member = membership.holds(definition, system, code)
    except NotHere as error:
        return _untold(definition.canonical, code, error)
    if member is None:
        known = _known(membership, system, code)
        return Verdict(False, f"{code!r} of {system} is not in {definition.canonical}.{known}")
    if version and member.version and version != member.version:
        return Verdict(False, f"{definition.canonical} holds {code!r} of version {member.version}, not {version}.")
    if abstract is False and member.abstract:
        return Verdict(False, f"{code!r} of {system} is abstract: it is not for use in records.", member.display)
    display = shown(member.display, member.designations, language)
    displays = [member.display, member.concept and member.concept.display, *_values(member.designations)]
    return _with_display(given, system, display, displays)


def in_code_system(
    membership: Membership,
    given: Mapping[str, Any],
    *,
    concepts: System | None = None,
    abstract: bool | None = None,
    language: str | None = None,
) -> Verdict:
    """Whether a Coding is of its code system (or of `concepts`), with a display that it has."""
    system, code = given.get("system"), given["code"]
    if not system and concepts is None:
        return Verdict(False, f"The code {code!r} has no system.")
    version = given.get("version")
    found = concepts or membership.concepts(str(system), version)
    if found is None and system in GRAMMARS:
        return _by_form(GRAMMARS[str(system)], code)
    if found is None or (version and found.version != version):
        wanted = _versioned(str(system), version)
        told = membership.told(str(system), version, code) if found is None else None
        if told is not None:
            message = None if told.result else f"{code!r} is no code of {wanted}, says the remote terminology server."
            return Verdict(told.result, message, told.display)
        return Verdict(False, f"{code!r} cannot be checked: the code system {wanted} is not known here.", None, wanted)
    concept = found.find(code)
    if concept is None and not found.complete:
        text = f"{code!r} cannot be checked: only a part of the code system {found.url} is here."
        return Verdict(False, text, None, found.url)
    if concept is None:
        return Verdict(False, f"{code!r} is no code of {found.url}.")
    if abstract is False and concept.abstract:
        return Verdict(False, f"{code!r} of {found.url} is abstract: it is not for use in records.", concept.display)
    display = shown(concept.display, concept.designations, language)
    return _with_display(given, found.url, display, [concept.display, *_values(concept.designations)])


def any_of(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a CodeableConcept: one valid coding is enough; what cannot be told is not called wrong."""
    for each in verdicts:
        if each.result:
            return each
    if not verdicts:
        return Verdict(False, "The CodeableConcept has no coding with a code.")
    message = " ".join(each.message for each in verdicts if each.message)
    unknown = next((each.unknown for each in verdicts if each.unknown), None)
    display = next((each.display for each in verdicts if each.display), None)
    return Verdict(False, message, display, unknown)


def _with_display(
    given: Mapping[str, Any], system: str, display: str | None, displays: Iterable[str | None]
) -> Verdict:
    wanted = given.get("display")
    known = [each for each in displays if each]
    if wanted and known and not any(same(wanted, each) for each in known):
        text = f"{wanted!r} is no display of {given['code']!r} of {system}; it is {display or known[0]!r}."
        return Verdict(False, text, display or known[0])
    grammar = GRAMMARS.get(system)
    form = (
        f"The form is that of {grammar.name}; its list of codes is not here." if grammar and not grammar.sure else None
    )
    return Verdict(True, None if known else form, display)


def _by_form(grammar: Grammar, code: str) -> Verdict:
    if not grammar.form(code):
        return Verdict(False, f"{code!r} does not have the form of a code of {grammar.name}.")
    note = None if grammar.sure else f"The form is that of {grammar.name}; its list of codes is not here."
    return Verdict(True, note, code if grammar.sure else None)


def _versioned(system: str, version: str | None) -> str:
    return f"{system}|{version}" if version else system


def _untold(value_set: str, code: str, error: NotHere) -> Verdict:
    text = f"Whether {code!r} is in {value_set} cannot be told: {error.text}"
    return Verdict(False, text, None, error.canonical)


def _known(membership: Membership, system: str, code: str) -> str:
    concepts = membership.concepts(system)
    if concepts is None or not concepts.complete or concepts.find(code) is not None:
        return ""
    return f" It is no code of {system} at all."


def _values(designations: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(item["value"]) for item in designations if "value" in item]


def lookup(
    membership: Membership,
    system: str,
    code: str,
    version: str | None = None,
    properties: Collection[str] = (),
    language: str | None = None,
) -> dict[str, Any]:
    """What is known of a code, as Parameters. Raises NotFound for an unknown code, version or system."""
    found = membership.concepts(system, version)
    if found is None and system in GRAMMARS:
        return _grammatical(GRAMMARS[system], code)
    if found is None or (version and found.version != version):
        raise NotFound(f"The code system {_versioned(system, version)} is not known here.")
    concept = found.find(code)
    if concept is None:
        part = "" if found.complete else " Only a part of it is here."
        raise NotFound(f"{code!r} is no code of {system}.{part}")
    display = shown(concept.display, concept.designations, language) or concept.code
    parts = [parameter("name", "String", found.name)]
    if found.version:
        parts.append(parameter("version", "String", found.version))
    parts.append(parameter("display", "String", display))
    if _asked("designation", properties):
        parts += [_designation(item) for item in concept.designations]
    parts += _properties(found, concept, properties)
    return parameters(parts)


def _grammatical(grammar: Grammar, code: str) -> dict[str, Any]:
    if not grammar.form(code):
        raise NotFound(f"{code!r} does not have the form of a code of {grammar.name}.")
    return parameters([parameter("name", "String", grammar.name), parameter("display", "String", code)])


def _asked(name: str, properties: Collection[str]) -> bool:
    return not properties or name in properties


def _designation(item: Mapping[str, Any]) -> dict[str, Any]:
    parts = []
    if "language" in item:
        parts.append(parameter("language", "Code", item["language"]))
    if "use" in item:
        parts.append(parameter("use", "Coding", item["use"]))
    return group("designation", [*parts, parameter("value", "String", item["value"])])


def _properties(concepts: System, concept: Concept, wanted: Collection[str]) -> list[dict[str, Any]]:
    hierarchy = concepts.hierarchy
    found = []
    if concept.definition and _asked("definition", wanted):
        found.append(_property("definition", "valueString", concept.definition))
    if _asked("inactive", wanted):
        found.append(_property("inactive", "valueBoolean", concept.inactive))
    if _asked("parent", wanted):
        found += [_property("parent", "valueCode", each) for each in hierarchy.parents.get(concept.code, ())]
    if _asked("child", wanted):
        found += [_property("child", "valueCode", each) for each in hierarchy.children.get(concept.code, ())]
    for name, values in concept.properties.items():
        if _asked(name, wanted) and name != "inactive":
            found += [_valued(name, value) for value in values]
    return found


def _valued(name: str, value: Value) -> dict[str, Any]:
    return _property(name, value.member, value.value)


def _property(name: str, member: str, value: Any) -> dict[str, Any]:
    return group("property", [parameter("code", "Code", name), {"name": "value", member: value}])


def subsumes(membership: Membership, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """`equivalent`, `subsumes` (the first is above), `subsumed-by` or `not-subsumed`, of two Codings of one system.

    Raises BadRequest for two systems, NotFound for an unknown code or system, and Unprocessable where the hierarchy
    means something else.
    """
    system = one.get("system")
    if not system or system != other.get("system"):
        raise BadRequest("Both codes must be of one code system.")
    concepts = membership.concepts(system, one.get("version") or other.get("version"))
    if concepts is None:
        told = membership.related(system, one.get("version") or other.get("version"), one["code"], other["code"])
        if told is None:
            raise NotFound(f"The code system {system} is not known here.")
        return told
    if concepts.resource.get("hierarchyMeaning") in _NOT_SUBSUMPTION:
        meaning = concepts.resource["hierarchyMeaning"]
        raise Unprocessable(f"The hierarchy of {system} is {meaning}: it says nothing of subsumption.")
    first, second = _concept(concepts, one["code"]), _concept(concepts, other["code"])
    if first.code == second.code:
        return "equivalent"
    if concepts.hierarchy.is_below(second.code, first.code):
        return "subsumes"
    return "subsumed-by" if concepts.hierarchy.is_below(first.code, second.code) else "not-subsumed"


def _concept(concepts: System, code: str) -> Concept:
    found = concepts.find(code)
    if found is None:
        raise NotFound(f"{code!r} is no code of {concepts.url}.")
    return found
