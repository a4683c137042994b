"""Each in his own place: the person, a relative, a minor's representative, the systems of establishments."""

from __future__ import annotations

from typing import Any, Final

from tools.conformance.building import MATCHES, Part, ask, case, says, script, status, variable
from tools.conformance.consent.common import (
    MASKED,
    OURS,
    PERSON,
    consent,
    finds,
    hidden,
    observation,
    shown,
)
from tools.conformance.pdsm import RFC, document, unique

HOLDER, SECOND = 2, 3


def _script(name: str, title: str, roles: tuple[str, ...], fixtures: dict[str, Any], *tests: Part) -> Part:
    named = tuple(variable(each, each, "id") for each in fixtures if not each.startswith("-"))
    return script(f"consent-{name}", title, *tests, roles=("operator", *roles), fixtures=fixtures, variables=named)


def _label(code: str) -> Part:
    return {"meta": {"security": [{"code": code}]}}


def _mine(letter: str, **more: Any) -> Part:
    return observation(letter, of="${patientId}", **more)


_HOLDER: Final = _script(
    "holder",
    "The person's own record, and nobody else's",
    ("patient", "other-patient"),
    {
        "a": _mine("a"),
        "x": _mine("x", **MASKED),
        "i": _mine("i", **_label("INVISIBLE_PATIENT")),
        "y": observation("y", of="${otherPatientId}"),
        "-own": _mine("own"),
        "-alien": observation("alien", of="${otherPatientId}"),
    },
    case("a result", "ACCESS-holder", *shown("Observation/${a}", origin=HOLDER)),
    case("what professionals do not see", "ACCESS-holder ACCESS-masked", *shown("Observation/${x}", origin=HOLDER)),
    case("what awaits its announcement", "ACCESS-announcement", *hidden("Observation/${i}", origin=HOLDER)),
    case("somebody else's result", "ACCESS-none ACCESS-absent", *hidden("Observation/${y}", origin=HOLDER)),
    case("somebody else", "ACCESS-none ACCESS-absent", *hidden("Patient/${otherPatientId}", origin=HOLDER)),
    case(
        "a search finds what is the person's own",
        "ACCESS-holder ACCESS-search",
        ask("search", "Observation", f"?{OURS}", origin=HOLDER),
        *finds("ax"),
    ),
    case(
        "a search of Patients finds the person alone",
        "ACCESS-holder ACCESS-search",
        ask("search", "Patient", "?_total=accurate", origin=HOLDER),
        says(f"{MATCHES}.count()", "1"),
        says(f"{MATCHES}.id", "${patientId}"),
    ),
    case(
        "the other finds the other's",
        "ACCESS-holder ACCESS-search",
        ask("search", "Observation", f"?{OURS}", origin=SECOND),
        *finds("y"),
    ),
    case(
        "nobody writes into another's record",
        "ACCESS-write",
        ask("", url="Observation", method="post", source="alien", origin=HOLDER),
        status(403, 404, 422),
    ),
    case("$everything of somebody else", "ACCESS-everything",
         *hidden("Patient/${otherPatientId}/$everything", origin=HOLDER)),
)  # fmt: skip
_RELATIVE: Final = _script(
    "relative",
    "A relative whom a Consent names",
    ("other-patient", "patient"),
    {
        "person": PERSON,
        "a": observation("a"),
        "x": observation("x", **MASKED),
        "consent": consent("permit", "Patient/${otherPatientId}"),
    },
    case("what is not masked", "ACCESS-relative", *shown("Observation/${a}", origin=HOLDER)),
    case("what is masked", "ACCESS-relative", *hidden("Observation/${x}", origin=HOLDER)),
    case("another, whom it does not name", "ACCESS-relative ACCESS-none", *hidden("Observation/${a}", origin=SECOND)),
    case(
        "the relative changes nothing",
        "ACCESS-write",
        ask("", url="Observation/${a}", method="delete", origin=HOLDER),
        ask("", url="Observation/${a}"),
        status(200),
    ),
)
_REPRESENTATIVE: Final = _script(
    "representative",
    "A minor's representative",
    ("representative",),
    {
        "a": observation("a", of="${childId}"),
        "x": observation("x", of="${childId}", **MASKED),
        "s": observation("s", of="${childId}", **_label("INVISIBLE_REPRESENTANTS_LEGAUX")),
        "y": observation("y", of="${patientId}"),
    },
    case("the child's record", "ACCESS-representative", *shown("Patient/${childId}", origin=2)),
    case("what professionals do not see", "ACCESS-representative", *shown("Observation/${x}", origin=2)),
    case("what the minor keeps", "ACCESS-minor-secret ACCESS-absent", *hidden("Observation/${s}", origin=2)),
    case("somebody else's", "ACCESS-representative ACCESS-none", *hidden("Observation/${y}", origin=2)),
    case(
        "a search",
        "ACCESS-representative ACCESS-search",
        ask("search", "Observation", f"?{OURS}", origin=2),
        *finds("ax"),
    ),
    case(
        "a search does not count what the minor keeps",
        "ACCESS-minor-secret ACCESS-total",
        ask("search", "Observation", f"?{OURS}&_summary=count", origin=2),
        says("Bundle.total", "2"),
    ),
)
_SYSTEMS: Final = _script(
    "systems",
    "Systems see what their establishment deposited",
    ("hospital", "laboratory"),
    {"a": _mine("a"), "-d": document(1)},
    case("what is not theirs", "ACCESS-systems", *hidden("Observation/${a}", origin=2)),
    case(
        "what one deposited the other does not see",
        "ACCESS-systems",
        ask("create", "DocumentReference", source="d", origin=2),
        status(201),
        ask("search", "DocumentReference", f"?identifier={RFC}|{unique(1)}&_total=accurate", origin=2),
        says("Bundle.total", "1"),
        ask("search", "DocumentReference", f"?identifier={RFC}|{unique(1)}&_total=accurate", origin=3),
        says("Bundle.total", "0"),
    ),
    case(
        "they search what is theirs alone",
        "ACCESS-systems ACCESS-search",
        ask("search", "Observation", f"?{OURS}", origin=2),
        *finds(""),
    ),
)
PEOPLE: Final = (_HOLDER, _RELATIVE, _REPRESENTATIVE, _SYSTEMS)
