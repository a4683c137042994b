"""Documents of the corpus about the patient of the suites, numbered anew in each run."""

from __future__ import annotations

from typing import Any, Final

from tools.cda import level1, level3, reports
from tools.cda.header import Document, written
from tools.conformance.building import Part, Text, ask, says, script, status, variable

HOSPITAL, PHYSICIAN, HOLDER, OTHER, NOBODY, OPERATOR = range(1, 7)
MEDIA: Final = "application/hl7-v3+xml"
RFC: Final = "urn:ietf:rfc:3986"
_ROOT: Final = "1.2.250.1.213.99.7."
_SAID: Final = {
    "279035121518989": "${patientIns}",
    "IPP27903": "IPP${run}",
    "RENARD": "${patientFamily}",
    "COLIN": "${patientFamily}",
    ">ANNE LOUISE<": ">${patientGiven}<",
    ">ANNE<": ">${patientGiven}<",
    "19790315": "${patientBirth}",
    _ROOT: _ROOT + "${number}.",
}
_ALL: Final = {**level1.DOCUMENTS, **level3.DOCUMENTS, **reports.DOCUMENTS}


def own(data: bytes) -> Text:
    """A document of the corpus about its first person, said of the patient."""
    text = data.decode()
    for old, new in _SAID.items():
        text = text.replace(old, new)
    return Text(text)


def named(name: str) -> Text:
    """A document of the corpus by its name."""
    return own(written(_ALL[name]))


def changed(name: str, old: str, new: str) -> Text:
    """The document with something else in it."""
    text = named(name)
    if old not in text:
        raise LookupError(old)
    return Text(text.replace(old, new, 1))


def document(name: str) -> Document:
    return _ALL[name]


def unique(number: int) -> str:
    """The unique id under which a document of the corpus is stored."""
    return f"urn:oid:{_ROOT}${{number}}.{number}"


def cda(name: str, title: str, *tests: Part, fixtures: dict[str, Any], **more: Any) -> Part:
    """A script whose documents are sent by its tests or its setup."""
    roles = ("hospital", "physician", "patient", "laboratory", "anonymous", "operator")
    held = {f"-{key}": each for key, each in fixtures.items()}
    variables = (
        variable("place", "sent", "", header="Location"),
        variable("id", "sent", "id"),
        variable("bytes", "read", "DocumentReference.content.attachment.url.first()"),
        *more.pop("variables", ()),
    )
    return script(f"cda-{name}", title, *tests, roles=roles, fixtures=held, auto=False, variables=variables, **more)


def deposit(source: str, params: str = "", **more: Any) -> Part:
    return ask("", url=f"$cda{params}", method="post", source=source, content=MEDIA, **more)


def taken(source: str, *codes: int, **more: Any) -> tuple[Part, Part]:
    """Deposits, as what `sent` is from then on."""
    return deposit(source, response="sent", **more), status(*(codes or (200, 201)))


def counted(number: int, count: int, origin: int = HOLDER) -> tuple[Part, Part, Part]:
    """How many documents of the patient have this unique id."""
    return (
        ask("search", "DocumentReference", f"?identifier={RFC}|{unique(number)}&_total=accurate", origin=origin),
        status(200),
        says("Bundle.total", str(count)),
    )


def of_document(type: str, origin: int = HOLDER, more: str = "") -> Part:
    """A search of what was derived from the document that was `sent`, by the Provenance of its making."""
    params = f"?_has:Provenance:target:entity=DocumentReference/${{id}}{more}"
    return ask("search", type, params, origin=origin)
