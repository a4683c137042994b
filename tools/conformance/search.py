"""Searching (search.html): five Observations and a Device, and what each search must find of them."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import MATCHES, Part, ask, case, refused, says, script, status, total, variable

SYSTEM: Final = "urn:fhirserver:conformance"
LOINC: Final = "http://loinc.org"
UCUM: Final = "http://unitsofmeasure.org"
OURS: Final = f"identifier={SYSTEM}|${{run}}"
"""Only what this run has made."""


def _observation(letter: str, loinc: str, **more: Any) -> Part:
    """An Observation whose `bodySite.text` is its letter, by which it is known in what is found."""
    return {
        "resourceType": "Observation",
        "identifier": [{"system": SYSTEM, "value": "${run}"}, {"system": SYSTEM, "value": f"${{run}}-{letter}"}],
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": loinc}]},
        "bodySite": {"text": letter},
        **more,
    }


def _quantity(value: float, unit: str) -> Part:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _category(code: str) -> list[Part]:
    return [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": code}]}]


FIXTURES: Final[dict[str, Any]] = {
    "device": {
        "resourceType": "Device",
        "identifier": [{"system": SYSTEM, "value": "${run}"}],
        "manufacturer": "Maker-${run}",
        "deviceName": [{"name": "Ours", "type": "user-friendly-name"}],
    },
    "a": _observation(
        "a",
        "718-7",
        category=_category("laboratory"),
        effectiveDateTime="2026-01-10T08:00:00Z",
        valueQuantity=_quantity(10, "g/dL"),
        device={"reference": "Device/${device}"},
    ),
    "b": _observation(
        "b",
        "718-7",
        status="amended",
        category=_category("laboratory"),
        effectiveDateTime="2026-01-20T23:30:00-05:00",
        valueQuantity=_quantity(12.5, "g/dL"),
    ),
    "c": _observation("c", "4548-4", effectiveDateTime="2026-02-01", valueQuantity=_quantity(7, "%")),
    "d": _observation(
        "d",
        "8480-6",
        category=_category("vital-signs"),
        effectivePeriod={"start": "2026-01-15", "end": "2026-01-25"},
        valueQuantity=_quantity(120, "mm[Hg]"),
        device={"reference": "Device/${device}"},
    ),
    "e": _observation(
        "e",
        "718-7",
        status="preliminary",
        code={"coding": [{"system": LOINC, "code": "718-7"}], "text": "Haemoglobin of ${run}"},
        effectiveDateTime="2025",
        dataAbsentReason={"text": "not done"},
    ),
}
VARIABLES: Final = (variable("device", "device", "Device.id"), variable("a", "a", "Observation.id"))


def _finds(letters: str) -> Part:
    """The matches are just these, in any order."""
    found = f"{MATCHES}.ofType(Observation).bodySite.text"
    each = " or ".join(f"$this = '{letter}'" for letter in letters)
    alike = f" and {found}.isDistinct() and {found}.all({each})" if letters else ""
    return says(f"{found}.count() = {len(letters)}{alike}", text=f"it finds {', '.join(letters) or 'nothing'}")


def _search(name: str, requirement: str, criteria: str, letters: str) -> Part:
    params = f"?{OURS}&{criteria}" if criteria else f"?{OURS}"
    return case(name, requirement, ask("search", "Observation", params), status(200), _finds(letters))


def _refuses(name: str, requirement: str, criteria: str) -> Part:
    strict = {"Prefer": "handling=strict"}
    return case(name, requirement, ask("search", "Observation", f"?{criteria}", headers=strict), *refused(400, 422))


def _script(name: str, title: str, *tests: Part) -> Part:
    return script(f"search-{name}", title, *tests, fixtures=FIXTURES, variables=VARIABLES)


_TOKENS: Final = _script(
    "token",
    "Token parameters",
    _search("system and code", "R4-search-token", f"code={LOINC}|718-7", "abe"),
    _search("code alone", "R4-search-token", "code=718-7", "abe"),
    _search("system alone", "R4-search-token", f"code={LOINC}|", "abcde"),
    _search("no system", "R4-search-token", "code=|718-7", ""),
    _search("another system", "R4-search-token", "code=urn:nonsense|718-7", ""),
    _search("a code of the base type", "R4-search-token", "status=final", "acd"),
    _search("one of several", "R4-search-or", "status=amended,preliminary", "be"),
    _search("all of several parameters", "R4-search-and", "status=final&code=718-7", "a"),
    _search("the same parameter twice", "R4-search-and", f"identifier={SYSTEM}|${{run}}-a", "a"),
    _search(":not", "R4-search-token", "status:not=final", "be"),
    _search(":not holds where the element is absent", "R4-search-token", "category:not=laboratory", "cde"),
    _search(":text", "R4-search-token", "code:text=Haemoglobin of ${run}", "e"),
    _search("an identifier with its system", "R4-search-token", f"identifier={SYSTEM}|${{run}}-d", "d"),
    _search("case counts in codes of a system that minds it", "R4-search-token", "status=FINAL", ""),
)
_DATES: Final = _script(
    "date",
    "Date parameters",
    _search("a day", "R4-search-date", "date=2026-01-10", "a"),
    _search("a month overlaps what lies in it", "R4-search-date", "date=2026-01", "abd"),
    _search("a year", "R4-search-date", "date=2026", "abcd"),
    _search("an instant with its zone", "R4-search-date", "date=2026-01-21T04:30:00Z", "b"),
    _search("gt", "R4-search-date", "date=gt2026-01-20", "bcd"),
    _search("lt", "R4-search-date", "date=lt2026-01-15", "ae"),
    _search("ge", "R4-search-date", "date=ge2026-02-01", "c"),
    _search("le", "R4-search-date", "date=le2026-01-10", "ae"),
    _search("ne", "R4-search-date", "date=ne2026-01-10", "bcde"),
    _search("sa: begins after", "R4-search-date", "date=sa2026-01-20T00:00:00Z", "bc"),
    _search("eb: ends before", "R4-search-date", "date=eb2026-01-15", "ae"),
    _search("between two", "R4-search-date", "date=ge2026-01-15&date=lt2026-02-01", "bd"),
    _search("what was changed lately", "R4-search-lastupdated", "_lastUpdated=gt2020-01-01", "abcde"),
    _refuses("a day that there is not", "R4-search-refused", "date=2026-02-30"),
    _refuses("no date", "R4-search-refused", "date=yesterday"),
)
_QUANTITIES: Final = _script(
    "quantity",
    "Quantity parameters",
    _search("value, system and unit", "R4-search-quantity", f"value-quantity=10|{UCUM}|g/dL", "a"),
    _search("value alone", "R4-search-quantity", "value-quantity=10", "a"),
    _search("another unit", "R4-search-quantity", f"value-quantity=10|{UCUM}|mg/dL", ""),
    _search("implicit precision", "R4-search-quantity", "value-quantity=12", ""),
    _search("the digits that are there", "R4-search-quantity", "value-quantity=12.5", "b"),
    _search("gt", "R4-search-quantity", f"value-quantity=gt10|{UCUM}|g/dL", "b"),
    _search("ge", "R4-search-quantity", f"value-quantity=ge10|{UCUM}|g/dL", "ab"),
    _search("lt", "R4-search-quantity", "value-quantity=lt10", "c"),
    _search("le", "R4-search-quantity", "value-quantity=le10", "ac"),
    _search("ne", "R4-search-quantity", f"value-quantity=ne10|{UCUM}|g/dL", "b"),
    _refuses("no number", "R4-search-refused", "value-quantity=much"),
)
_REFERENCES: Final = _script(
    "reference",
    "References, chains, and what refers back",
    _search("by type and id", "R4-search-reference", "device=Device/${device}", "ad"),
    _search("by id", "R4-search-reference", "device=${device}", "ad"),
    _search("a type as modifier", "R4-search-reference", "device:Device=${device}", "ad"),
    _search("somebody else", "R4-search-reference", "device=Device/${run}-nobody", ""),
    _search("a chain", "R4-search-chain", "device:Device.manufacturer=Maker-${run}", "ad"),
    _search("a chain by identifier", "R4-search-chain", f"device:Device.identifier={SYSTEM}|${{run}}", "ad"),
    _search("a chain that finds nothing", "R4-search-chain", "device:Device.manufacturer=Nobody-${run}", ""),
    case(
        "_has",
        "R4-search-has",
        ask("search", "Device", f"?{OURS}&_has:Observation:device:code=8480-6"),
        *total(1),
    ),
    case(
        "_has that finds nothing",
        "R4-search-has",
        ask("search", "Device", f"?{OURS}&_has:Observation:device:code=4548-4"),
        *total(0),
    ),
    case(
        "_include",
        "R4-search-include",
        ask("search", "Observation", f"?{OURS}&code=8480-6&_include=Observation:device"),
        _finds("d"),
        says("Bundle.entry.where(search.mode = 'include').resource.ofType(Device).count()", "1"),
    ),
    case(
        "what is included comes once",
        "R4-search-include",
        ask("search", "Observation", f"?{OURS}&_include=Observation:device"),
        _finds("abcde"),
        says("Bundle.entry.where(search.mode = 'include').count()", "1"),
    ),
    case(
        "_revinclude",
        "R4-search-include",
        ask("search", "Device", f"?{OURS}&_revinclude=Observation:device"),
        says("Bundle.entry.where(search.mode = 'include').resource.ofType(Observation).count()", "2"),
        says("Bundle.entry.where(search.mode = 'match').count()", "1"),
    ),
    case(
        "_include does not count",
        "R4-search-include",
        ask("search", "Observation", f"?{OURS}&_include=Observation:device&_total=accurate"),
        says("Bundle.total", "5"),
    ),
)
_STRINGS: Final = _script(
    "string",
    "Strings, and what is missing",
    case("begins with", "R4-search-string", ask("search", "Device", f"?{OURS}&manufacturer=Maker-"), *total(1)),
    case("case does not count", "R4-search-string", ask("search", "Device", f"?{OURS}&manufacturer=mAkEr-"), *total(1)),
    case(
        "not what stands in the middle",
        "R4-search-string",
        ask("search", "Device", f"?{OURS}&manufacturer=aker-"),
        *total(0),
    ),
    case(":contains", "R4-search-string", ask("search", "Device", f"?{OURS}&manufacturer:contains=KER-"), *total(1)),
    case(
        ":exact", "R4-search-string", ask("search", "Device", f"?{OURS}&manufacturer:exact=Maker-${{run}}"), *total(1)
    ),
    case(
        ":exact minds case",
        "R4-search-string",
        ask("search", "Device", f"?{OURS}&manufacturer:exact=maker-${{run}}"),
        *total(0),
    ),
    _search(":missing=true", "R4-search-missing", "category:missing=true", "ce"),
    _search(":missing=false", "R4-search-missing", "category:missing=false", "abd"),
    _search(":missing of a value", "R4-search-missing", "value-quantity:missing=true", "e"),
)
_COMMON: Final = _script(
    "common",
    "What every search takes",
    _search("all of ours", "R4-search-and", "", "abcde"),
    _search("_id", "R4-search-id", "_id=${a}", "a"),
    _search("_id that is not known", "R4-search-id", "_id=${run}-nobody", ""),
    case(
        "by POST",
        "R4-search-post",
        ask("search", "Observation", f"?{OURS}&status=final", method="post"),
        status(200),
        _finds("acd"),
    ),
    case(
        "by POST, with parameters in the address too",
        "R4-search-post",
        ask(
            "",
            url=f"Observation/_search?{OURS}&status=final",
            method="post",
            source="form",
            content="application/x-www-form-urlencoded",
        ),
        status(200),
        _finds("a"),
    ),
    case(
        "_sort by date",
        "R4-search-sort",
        ask("search", "Observation", f"?{OURS}&date:missing=false&_sort=date"),
        says(f"{MATCHES}.first().bodySite.text", "e"),
    ),
    case(
        "_sort downwards",
        "R4-search-sort",
        ask("search", "Observation", f"?{OURS}&_sort=-date"),
        says(f"{MATCHES}.first().bodySite.text", "c"),
    ),
    case(
        "_sort by two",
        "R4-search-sort",
        ask("search", "Observation", f"?{OURS}&code=718-7&_sort=status,-date"),
        status(200),
        _finds("abe"),
    ),
    case(
        "_count",
        "R4-search-count",
        ask("search", "Observation", f"?{OURS}&_count=2"),
        says(f"{MATCHES}.count()", "2"),
        says("Bundle.link.where(relation = 'next').exists()"),
    ),
    case(
        "the next pages have the rest, once each",
        "R4-search-count",
        ask("search", "Observation", f"?{OURS}&_count=3", response="page"),
        says(f"{MATCHES}.count()", "3"),
        ask("", url="${next}", encodeRequestUrl=False),
        status(200),
        says(f"{MATCHES}.count()", "2"),
        says("Bundle.link.where(relation = 'next').empty()", text="no page after the last"),
    ),
    case(
        "_total=accurate",
        "R4-search-total",
        ask("search", "Observation", f"?{OURS}&_count=1&_total=accurate"),
        says("Bundle.total", "5"),
    ),
    case(
        "_summary=count",
        "R4-search-summary",
        ask("search", "Observation", f"?{OURS}&_summary=count"),
        says("Bundle.total", "5"),
        says("Bundle.entry.empty()"),
    ),
    case(
        "_summary=true leaves out and says so",
        "R4-search-summary",
        ask("search", "Observation", f"?{OURS}&_summary=true"),
        says(f"{MATCHES}.all(meta.tag.where(code = 'SUBSETTED').exists())"),
        says(f"{MATCHES}.bodySite.empty()"),
    ),
    case(
        "_elements leaves out and says so",
        "R4-search-elements",
        ask("search", "Observation", f"?{OURS}&_elements=status"),
        says(f"{MATCHES}.all(status.exists() and value.empty() and meta.tag.where(code = 'SUBSETTED').exists())"),
    ),
    case(
        "a searchset with a self link",
        "R4-search-self",
        ask("search", "Observation", f"?{OURS}"),
        says("Bundle.type", "searchset"),
        says("Bundle.link.where(relation = 'self').url.exists()"),
        says("Bundle.entry.all(fullUrl.exists())"),
    ),
    _refuses("an unknown parameter, asked strictly", "R4-search-refused", "nonsense=1"),
    _refuses("an unknown modifier", "R4-search-refused", "status:nonsense=final"),
    case(
        "an unknown parameter, asked leniently",
        "R4-search-lenient",
        ask("search", "Observation", f"?{OURS}&nonsense=1", headers={"Prefer": "handling=lenient"}),
        status(200),
        _finds("abcde"),
    ),
    case(
        "nobody searches without a token",
        "R4-search-refused",
        ask("search", "Observation", f"?{OURS}", origin=2),
        status(401, 403),
    ),
)
_COMMON["origin"].append({"index": 2, "profile": {**_COMMON["origin"][0]["profile"], "code": "anonymous"}})
_COMMON["fixture"].append(
    {"id": "form", "autocreate": False, "autodelete": False, "resource": {"reference": "fixtures/form.txt"}}
)
_COMMON["variable"].append(variable("next", "page", "Bundle.link.where(relation = 'next').url"))
_COMPARTMENTS: Final = script(
    "search-compartment",
    "A patient's compartment",
    case(
        "what is about the patient",
        "R4-search-compartment",
        ask("", url="Patient/${person}/Observation?code=8867-4"),
        status(200),
        says(f"{MATCHES}.where(bodySite.text = '${{run}}').count()", "1"),
    ),
    case(
        "and nothing of anybody else",
        "R4-search-compartment",
        ask("", url="Patient/${other}/Observation"),
        status(200),
        says(f"{MATCHES}.where(bodySite.text = '${{run}}').empty()"),
    ),
    case(
        "the same by a parameter",
        "R4-search-reference",
        ask("search", "Observation", "?patient=${person}&code=8867-4"),
        status(200),
        says(f"{MATCHES}.where(bodySite.text = '${{run}}').count()", "1"),
    ),
    case(
        "$everything",
        "R4-everything",
        ask("everything", url="Patient/${person}/$everything"),
        status(200),
        says("Bundle.entry.resource.ofType(Patient).exists()"),
        says("Bundle.entry.resource.ofType(Observation).where(bodySite.text = '${run}').exists()"),
    ),
    fixtures={
        "person": {"resourceType": "Patient", "active": True, "name": [{"family": "ESSAI${run}"}]},
        "other": {"resourceType": "Patient", "active": True},
        "pulse": {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "8867-4"}]},
            "subject": {"reference": "Patient/${person}"},
            "effectiveDateTime": "2026-01-10",
            "bodySite": {"text": "${run}"},
            "valueQuantity": _quantity(61, "/min"),
        },
    },
    variables=(variable("person", "person", "Patient.id"), variable("other", "other", "Patient.id")),
)
SCRIPTS: Final = (_TOKENS, _DATES, _QUANTITIES, _REFERENCES, _STRINGS, _COMMON, _COMPARTMENTS)
