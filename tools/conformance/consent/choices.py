"""What a person chooses, and that it is in force at once: blocking, permitting, masking, closing; emergencies."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import Part, Wrong, ask, case, refused, says, status
from tools.conformance.consent.common import (
    CARE,
    MASKED,
    OPERATOR,
    OTHER,
    OURS,
    PERSON,
    PHYSICIAN,
    SYSTEM,
    consent,
    finds,
    hidden,
    observation,
    record,
    reference,
    search,
    shown,
)

HIM, OTHER_HIM = "Practitioner/${physicianId}", "Practitioner/${otherPhysicianId}"
EMERGENCY: Final = 4
_REASON: Final = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_LABEL: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_BOTH: Final = {**CARE, "participant": [{"member": reference(HIM)}, {"member": reference(OTHER_HIM)}]}
_CONDITION: Final = {
    "resourceType": "Condition",
    "clinicalStatus": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
    },
    "code": {"text": "c"},
    "subject": reference("Patient/${person}"),
}


def _labelled(code: str) -> Part:
    return {"meta": {"security": [{"system": _LABEL, "code": code}]}}


def _type(code: str) -> list[Part]:
    return [{"system": "http://hl7.org/fhir/resource-types", "code": code}]


def _no_label(source: str) -> Part:
    return ask("", url="Observation/${a}", method="put", source=source)


def _permits(name: str, title: str, provision: Part, letters: str, *tests: Part, **fixtures: Any) -> Part:
    """A record that the other physician sees by a Consent alone; of a, b (older, another code) and x (masked) these."""
    return record(
        f"permit-{name}",
        title,
        search("what is seen", "ACCESS-consent", "_sort=_id", letters, origin=OTHER),
        case(
            "the total is of that",
            "ACCESS-consent ACCESS-total",
            ask("search", "Observation", f"?{OURS}&_summary=count", origin=OTHER),
            says("Bundle.total", str(len(letters))),
        ),
        case(
            "each by its id",
            "ACCESS-consent",
            *(
                part
                for each in "abx"
                for part in (shown if each in letters else hidden)(f"Observation/${{{each}}}", origin=OTHER)
            ),
        ),
        *tests,
        fixtures={
            "a": observation("a"),
            "b": observation("b", "2160-0", effectiveDateTime="2020-01-15"),
            "x": observation("x", **MASKED),
            **fixtures,
            "consent": {**consent("permit", OTHER_HIM), **provision},
        },
        cared=False,
    )


def _provision(**more: Any) -> Part:
    return {"provision": consent("permit", OTHER_HIM, **more)["provision"]}


_PERMITS: Final = (
    _permits(
        "all",
        "A Consent that permits, and what it does not",
        {},
        "ab",
        case("nobody but whom it names", "ACCESS-consent", *hidden("Observation/${a}")),
        case(
            "taken back, it is over at once",
            "ACCESS-at-once",
            *shown("Observation/${a}", origin=OTHER),
            ask("", url="Consent/${consent}", method="put", source="over"),
            status(200),
            *hidden("Observation/${a}", origin=OTHER),
            *hidden("Patient/${person}", origin=OTHER),
        ),
        **{"-over": {**consent("permit", OTHER_HIM), "id": "${consent}", "status": "inactive"}},
    ),
    _permits("over", "A Consent whose period is over", _provision(period={"end": "2025-12-31"}), ""),
    _permits("to-come", "A Consent whose period is to come", _provision(period={"start": "2090-01-01"}), ""),
    _permits("proposed", "A Consent that is only proposed", {"status": "proposed"}, ""),
    _permits(
        "type",
        "A Consent for a type of resource",
        _provision(**{"class": _type("Condition")}),
        "",
        case("what it names", "ACCESS-consent", *shown("Condition/${c}", origin=OTHER)),
        c=_CONDITION,
    ),
    _permits(
        "but",
        "A Consent with an exception",
        _provision(provision=[{"type": "deny", "class": _type("Condition")}]),
        "ab",
        case("the exception", "ACCESS-consent", *hidden("Condition/${c}", origin=OTHER)),
        c=_CONDITION,
    ),
    _permits(
        "code",
        "A Consent for a code",
        _provision(code=[{"coding": [{"system": "http://loinc.org", "code": "2160-0"}]}]),
        "b",
    ),
    _permits(
        "data-period", "A Consent for what was made in a period", _provision(dataPeriod={"start": "2026-01-01"}), "a"
    ),
    _permits(
        "purpose",
        "A Consent for another purpose",
        _provision(purpose=[{"system": _REASON, "code": "HRESCH"}]),
        "",
    ),
)
_BLOCKED: Final = record(
    "blocked",
    "Whom the person blocked sees nothing of the record",
    case("the person", "ACCESS-blocked ACCESS-absent", *hidden("Patient/${person}")),
    case("a result", "ACCESS-blocked ACCESS-absent", *hidden("Observation/${a}")),
    search("a search", "ACCESS-blocked ACCESS-search", "_sort=_id", ""),
    case("$everything", "ACCESS-blocked ACCESS-everything", *hidden("Patient/${person}/$everything")),
    case("the block itself", "ACCESS-blocked", *hidden("Consent/${consent}")),
    case("nobody else is blocked", "ACCESS-blocked", *shown("Observation/${a}", origin=OTHER)),
    case(
        "taken back, it is over at once",
        "ACCESS-at-once",
        *hidden("Observation/${a}"),
        ask("", url="Consent/${consent}", method="put", source="over"),
        status(200),
        *shown("Observation/${a}"),
    ),
    fixtures={
        "care": _BOTH,
        "a": observation("a"),
        "consent": consent("deny", HIM),
        "-over": {**consent("deny", HIM), "id": "${consent}", "status": "inactive"},
    },
)
_REJECTED: Final = record(
    "rejected",
    "A person who denies everyone",
    case("the care team", "ACCESS-consent", *hidden("Observation/${a}")),
    search("a search of the care team", "ACCESS-consent ACCESS-search", "_sort=_id", ""),
    case("whom a Consent names all the same", "ACCESS-consent", *shown("Observation/${a}", origin=OTHER)),
    fixtures={
        "a": observation("a"),
        "consent": consent("deny"),
        "but": consent("permit", OTHER_HIM),
    },
)
_MASKING: Final = record(
    "masking",
    "Masking, and showing again",
    case(
        "masked, it is gone at once",
        "ACCESS-masked ACCESS-at-once",
        *shown("Observation/${a}"),
        _no_label("masked"),
        status(200),
        *hidden("Observation/${a}"),
        ask("search", "Observation", f"?{OURS}", origin=PHYSICIAN),
        *finds(""),
    ),
    case(
        "the version that was seen is gone too",
        "ACCESS-masked",
        _no_label("masked"),
        status(200),
        *hidden("Observation/${a}/_history/1"),
    ),
    case(
        "shown again, it is there at once",
        "ACCESS-masked ACCESS-at-once",
        _no_label("masked"),
        status(200),
        _no_label("plain"),
        status(200),
        *shown("Observation/${a}"),
        ask("search", "Observation", f"?{OURS}", origin=PHYSICIAN),
        *finds("a"),
    ),
    fixtures={
        "a": observation("a"),
        "-masked": {**observation("a", **MASKED), "id": "${a}"},
        "-plain": {**observation("a"), "id": "${a}"},
    },
)
_LABELS: Final = record(
    "labels",
    "Confidentiality",
    case("normal is seen by the care team", "ACCESS-labels", *shown("Observation/${n}")),
    case("restricted too", "ACCESS-labels", *shown("Observation/${r}")),
    case("very restricted is not", "ACCESS-labels", *hidden("Observation/${v}")),
    case("restricted is not seen by a Consent for everything", "ACCESS-labels",
         *hidden("Observation/${v}", origin=OTHER)),
    search("a search leaves it out", "ACCESS-labels ACCESS-search", "_sort=_id", "nr"),
    fixtures={
        "n": observation("n", **_labelled("N")),
        "r": observation("r", **_labelled("R")),
        "v": observation("v", **_labelled("V")),
        "consent": consent("permit", OTHER_HIM),
    },
)  # fmt: skip
_TRAITANT: Final = record(
    "traitant",
    "The médecin traitant sees what is masked",
    search("all of it", "ACCESS-traitant", "_sort=_id", "ax"),
    case("what is masked", "ACCESS-traitant", *shown("Observation/${x}")),
    case(
        "no longer, when he is it no more",
        "ACCESS-traitant ACCESS-at-once",
        ask("", url="Patient/${person}", method="put", source="without"),
        status(200),
        *hidden("Observation/${a}"),
    ),
    fixtures={
        "person": {**PERSON, "generalPractitioner": [reference(HIM)]},
        "a": observation("a"),
        "x": observation("x", **MASKED),
        "-without": {**PERSON, "id": "${person}"},
    },
    cared=False,
)
_TEAM: Final = record(
    "team",
    "A care team that ends",
    case("as long as it lasts", "ACCESS-team", *shown("Observation/${a}")),
    case(
        "ended, it is over at once",
        "ACCESS-team ACCESS-at-once",
        ask("", url="CareTeam/${care}", method="put", source="ended"),
        status(200),
        *hidden("Observation/${a}"),
        *hidden("Patient/${person}"),
    ),
    fixtures={"a": observation("a"), "-ended": {**CARE, "id": "${care}", "status": "inactive"}},
)
_CLOSED: Final = record(
    "closed",
    "A space that is closed, and opened again",
    case(
        "closed, nobody else sees it, in an emergency neither",
        "ACCESS-closed ACCESS-at-once",
        *shown("Observation/${a}"),
        ask("", url="Patient/${person}", method="put", source="closed"),
        status(200),
        *hidden("Observation/${a}"),
        *hidden("Patient/${person}"),
        *hidden("Observation/${a}", origin=EMERGENCY),
        ask("search", "Observation", f"?{OURS}&_summary=count", origin=PHYSICIAN),
        says("Bundle.total", "0"),
    ),
    case(
        "closed, nobody feeds it",
        "ACCESS-closed",
        ask("", url="Patient/${person}", method="put", source="closed"),
        status(200),
        ask("", url="Observation", method="post", source="a", origin=PHYSICIAN),
        status(403, 404, 409, 422),
    ),
    case(
        "opened again, it is as before",
        "ACCESS-closed ACCESS-at-once",
        ask("", url="Patient/${person}", method="put", source="open"),
        status(200),
        *shown("Observation/${a}"),
    ),
    roles=("emergency",),
    fixtures={
        "a": observation("a"),
        "-closed": {**PERSON, "id": "${person}", "active": False},
        "-open": {**PERSON, "id": "${person}"},
    },
)
_EMERGENCIES: Final = record(
    "emergency",
    "Breaking the glass",
    case("without an emergency he sees nothing", "ACCESS-none", *hidden("Observation/${a}", origin=OTHER)),
    case(
        "in one he sees the record of the patient whom he names",
        "ACCESS-emergency",
        ask("search", "Observation", f"?patient=Patient/${{person}}&{OURS}", origin=EMERGENCY),
        *finds("a"),
    ),
    case(
        "what is masked stays so",
        "ACCESS-emergency ACCESS-masked",
        *hidden("Observation/${x}", origin=EMERGENCY),
    ),
    case(
        "no patient named, nothing found",
        "ACCESS-emergency",
        ask("search", "Observation", f"?identifier={SYSTEM}|${{run}}-a&_total=accurate", origin=EMERGENCY),
        says("Bundle.total", "0"),
    ),
    case(
        "whom the person blocked sees nothing in an emergency either",
        "ACCESS-emergency ACCESS-blocked",
        ask("", url="Consent", method="post", source="block", response="made"),
        status(201),
        ask("search", "Observation", f"?patient=Patient/${{person}}&{OURS}", origin=EMERGENCY),
        *finds(""),
    ),
    roles=("emergency",),
    fixtures={"a": observation("a"), "x": observation("x", **MASKED), "-block": consent("deny", OTHER_HIM)},
    cared=False,
)
_CONSENTS: Final = record(
    "consents",
    "Consents that cannot be carried out are refused",
    *(
        case(
            name,
            "ACCESS-consent-refused R4-outcome",
            ask("", url="Consent", method="post", source=source, origin=OPERATOR),
            *refused(400, 422),
        )
        for name, source in (
            ("an actor that is nobody", "nobody"),
            ("a period that ends before it begins", "backwards"),
            ("a type that is neither", "neither"),
            ("a code of no system", "uncoded"),
        )
    ),
    fixtures={
        "-nobody": Wrong(consent("permit", "Practitioner/")),
        "-backwards": Wrong(consent("permit", HIM, period={"start": "2026-02-01", "end": "2026-01-01"})),
        "-neither": Wrong(consent("perhaps", HIM)),
        "-uncoded": Wrong(
            consent(
                "permit",
                HIM,
                purpose=[{"system": _REASON, "code": "NONSENSE"}],
            )
        ),
    },
)
CHOICES: Final = (
    *_PERMITS,
    _BLOCKED,
    _REJECTED,
    _MASKING,
    _LABELS,
    _TRAITANT,
    _TEAM,
    _CLOSED,
    _EMERGENCIES,
    _CONSENTS,
)
