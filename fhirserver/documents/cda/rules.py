"""The header rules of the CI-SIS ("structuration minimale des documents de santé"), as a table.

A row holds for every element that `within` finds; elements are named by path from ClinicalDocument. Rules look at the
XML beside the account: what they look at still counts as unread.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver.tables import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fhirserver.documents.cda.context import Context
    from fhirserver.documents.cda.node import Node

MANY: Final = 10**6
INS: Final = frozenset(f"1.2.250.1.213.1.4.{last}" for last in ("8", "9", "10", "11"))
STRUCTURES: Final = ("1.2.250.1.71.4.2.2", "1.2.250.1.213.4.1")
HL7_FRANCE: Final = "2.16.840.1.113883.2.8.2.1"
CI_SIS: Final = "1.2.250.1.213.1.1.1.1"
UNSTRUCTURED: Final = "1.3.6.1.4.1.19376.1.2.20"

_uid = re.compile(
    r"(?=.{3,64}\Z)[0-2](?:\.(?:0|[1-9][0-9]*))+|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
).fullmatch
_time = re.compile(r"[0-9]{4}(?:[0-9]{2}(?:[0-9]{2}(?:[0-9]{2,6}(?:\.[0-9]+)?(?P<zone>[+-][0-9]{4}|Z))?)?)?").fullmatch
_language = re.compile(r"[a-z]{2}-[A-Z]{2}").fullmatch
_version = re.compile(r"[1-9][0-9]*").fullmatch


class Row(NamedTuple):
    """How often an element is there, which attributes it has, and of which values.

    `nullable` False refuses nullFlavor; an element that has one is asked for nothing else. `fixed` maps attributes to
    the values admitted, `needs` are attributes that must be there, `codes` is a value set of `codes.csv`.
    """

    name: str
    within: str
    element: str
    least: int
    most: int = MANY
    nullable: bool = True
    fixed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    needs: tuple[str, ...] = ()
    codes: str | None = None
    form: str | None = None


FORMS: Final = {
    "time": ("value", _time, "a time with a zone beyond the day, such as 20240131103000+0100"),
    "language": ("code", _language, "a language and a country, such as fr-FR"),
    "version": ("value", _version, "a positive integer"),
    "uid": ("root", _uid, "an OID of 64 characters at most, or a UUID"),
}

ROWS: Final = (
    Row("realm", "", "realmCode", 1, 1, fixed=(("code", ("FR",)),)),
    Row("type-id", "", "typeId", 1, 1, fixed=(("root", ("2.16.840.1.113883.1.3",)), ("extension", ("POCD_HD000040",)))),
    Row("templates", "", "templateId", 3, needs=("root",)),
    Row("id", "", "id", 1, 1, nullable=False, needs=("root",), form="uid"),
    Row("code", "", "code", 1, 1, nullable=False, needs=("code", "codeSystem", "displayName"), codes="J07"),
    Row("title", "", "title", 1, 1, nullable=False),
    Row("effective-time", "", "effectiveTime", 1, 1, nullable=False, needs=("value",), form="time"),
    Row("confidentiality", "", "confidentialityCode", 1, 1, nullable=False, needs=("code", "codeSystem"), codes="J08"),
    Row("language", "", "languageCode", 1, 1, nullable=False, needs=("code",), form="language"),
    Row("set-id", "", "setId", 1, 1, nullable=False, needs=("root",), form="uid"),
    Row("version-number", "", "versionNumber", 1, 1, nullable=False, needs=("value",), form="version"),
    Row("record-target", "", "recordTarget", 1, 1),
    Row("patient-role", "recordTarget", "patientRole", 1, 1),
    Row("patient-id", "recordTarget/patientRole", "id", 1, nullable=False, needs=("root", "extension")),
    Row("patient", "recordTarget/patientRole", "patient", 1, 1),
    Row("patient-name", "recordTarget/patientRole/patient", "name", 1, 1),
    Row("patient-gender", "recordTarget/patientRole/patient", "administrativeGenderCode", 1, 1, codes="J143"),
    Row("patient-birth-time", "recordTarget/patientRole/patient", "birthTime", 1, 1, form="time"),
    Row("patient-deceased", "recordTarget/patientRole/patient", "sdtc:deceasedInd", 0, 1),
    Row("patient-birthplace", "recordTarget/patientRole/patient", "birthplace", 0, 1),
    Row("author", "", "author", 1),
    Row("author-time", "author", "time", 1, 1, form="time"),
    Row("author-assigned", "author", "assignedAuthor", 1, 1),
    Row("author-id", "author/assignedAuthor", "id", 1),
    Row("author-organization", "author/assignedAuthor", "representedOrganization", 0, 1),
    Row("author-device-model", "author/assignedAuthor/assignedAuthoringDevice", "manufacturerModelName", 1, 1),
    Row("author-device-software", "author/assignedAuthor/assignedAuthoringDevice", "softwareName", 1, 1),
    Row("data-enterer", "", "dataEnterer", 0, 1),
    Row("custodian", "", "custodian", 1, 1),
    Row("custodian-assigned", "custodian", "assignedCustodian", 1, 1),
    Row("custodian-organization", "custodian/assignedCustodian", "representedCustodianOrganization", 1, 1),
    Row(
        "custodian-id",
        "custodian/assignedCustodian/representedCustodianOrganization",
        "id",
        1,
        1,
        nullable=False,
        fixed=(("root", STRUCTURES),),
    ),
    Row("legal-authenticator", "", "legalAuthenticator", 1, 1),
    Row("legal-authenticator-time", "legalAuthenticator", "time", 1, 1, form="time"),
    Row("legal-authenticator-signature", "legalAuthenticator", "signatureCode", 1, 1, fixed=(("code", ("S",)),)),
    Row("legal-authenticator-entity", "legalAuthenticator", "assignedEntity", 1, 1),
    Row("legal-authenticator-id", "legalAuthenticator/assignedEntity", "id", 1, 1),
    Row("authenticator-time", "authenticator", "time", 1, 1, form="time"),
    Row("authenticator-signature", "authenticator", "signatureCode", 1, 1, fixed=(("code", ("S",)),)),
    Row("documentation-of", "", "documentationOf", 1),
    Row("service-event", "documentationOf", "serviceEvent", 1, 1),
    Row("in-fulfillment-of", "inFulfillmentOf", "order", 1, 1),
    Row("order-id", "inFulfillmentOf/order", "id", 1),
    Row("consent", "authorization", "consent", 1, 1),
    Row("consent-code", "authorization/consent", "code", 1, 1),
    Row("consent-status", "authorization/consent", "statusCode", 1, 1, fixed=(("code", ("completed",)),)),
    Row("related-document", "", "relatedDocument", 0, 1, fixed=(("typeCode", ("RPLC",)),)),
    Row("parent-document", "relatedDocument", "parentDocument", 1, 1),
    Row("parent-document-id", "relatedDocument/parentDocument", "id", 1, 1, False, needs=("root",), form="uid"),
    Row("component-of", "", "componentOf", 1, 1),
    Row("encounter", "componentOf", "encompassingEncounter", 1, 1),
    Row("encounter-code", "componentOf/encompassingEncounter", "code", 0, 1, codes="J142"),
    Row("encounter-time", "componentOf/encompassingEncounter", "effectiveTime", 1, 1),
    Row("encounter-location", "componentOf/encompassingEncounter", "location", 1, 1),
    Row("facility", "componentOf/encompassingEncounter/location", "healthCareFacility", 1, 1),
    Row("facility-code", "componentOf/encompassingEncounter/location/healthCareFacility", "code", 1, 1, codes="J02"),
    Row("body", "", "component", 1, 1),
)


def check(root: Node, ctx: Context) -> None:
    """Report each breach of the header rules."""
    for row in ROWS:
        for holder in _found(root, row.within):
            _counted(row, holder, ctx)
    _templates(root, ctx)
    _authors(root, ctx)
    _identity(root, ctx)
    _main_act(root, ctx)
    _lineage(root, ctx)


def _counted(row: Row, holder: Node, ctx: Context) -> None:
    found = holder.all(row.element)
    if len(found) < row.least:
        ctx.finding(
            "missing" if not found else "too-few",
            holder,
            rule=row.name,
            element=row.element,
            count=len(found),
            cardinality=_cardinality(row),
        )
    elif len(found) > row.most:
        ctx.finding(
            "too-many", holder, rule=row.name, element=row.element, count=len(found), cardinality=_cardinality(row)
        )
    for node in found:
        _valued(row, node, ctx)


def _valued(row: Row, node: Node, ctx: Context) -> None:
    attributes = node.attributes
    if "nullFlavor" in attributes:
        if not row.nullable:
            ctx.finding("null", node, rule=row.name, element=row.element)
        return
    for name in row.needs:
        if not attributes.get(name):
            ctx.finding("missing", node, rule=row.name, element=f"@{name}", cardinality="1..1")
    for name, values in row.fixed:
        found = attributes.get(name)
        if found not in values:
            expected = " | ".join(values)
            ctx.finding("value", node, rule=row.name, element=f"@{name}", found=found or "-", expected=expected)
    if row.form:
        name, pattern, expected = FORMS[row.form]
        found = attributes.get(name)
        if found and pattern(found) is None:
            ctx.finding("value", node, rule=row.name, element=f"@{name}", found=found, expected=expected)
    if row.codes and attributes.get("code"):
        coded = (attributes.get("codeSystem", ""), attributes["code"])
        if coded not in codes(row.codes):
            found = "|".join(coded)
            ctx.finding("code", node, rule=row.name, element=row.element, found=found, expected=f"JDV_{row.codes}")


def _templates(root: Node, ctx: Context) -> None:
    """HL7 France and CI-SIS once each; beside them that of the document's model, or of an unstructured document."""
    roots = [kid.attributes.get("root") for kid in root.all("templateId")]
    for name in (HL7_FRANCE, CI_SIS):
        if roots.count(name) != 1:
            ctx.finding(
                "missing" if name not in roots else "too-many",
                root,
                rule="templates",
                element=f"templateId {name}",
                count=roots.count(name),
                cardinality="1..1",
            )
    if root.at("component/nonXMLBody") is not None and UNSTRUCTURED not in roots:
        ctx.finding(
            "missing", root, rule="templates-unstructured", element=f"templateId {UNSTRUCTURED}", cardinality="1..1"
        )


def _authors(root: Node, ctx: Context) -> None:
    """A person or a device, not both (and neither only where the author is an organisation)."""
    for node in _found(root, "author/assignedAuthor"):
        count = len(node.all("assignedPerson")) + len(node.all("assignedAuthoringDevice"))
        if count != 1:
            element = "assignedPerson | assignedAuthoringDevice"
            ctx.finding(
                "missing" if not count else "too-many",
                node,
                rule="author-person-or-device",
                element=element,
                count=count,
                cardinality="1..1",
            )


def _identity(root: Node, ctx: Context) -> None:
    """An INS wants the traits that qualify it: birth name, first given name, sex, date and place of birth."""
    role = root.at("recordTarget/patientRole")
    if role is None or not any(kid.attributes.get("root") in INS for kid in role.all("id")):
        return
    patient = role.one("patient")
    if patient is None:
        return
    name = patient.one("name")
    families = name.all("family") if name is not None else []
    if not any(node.attributes.get("qualifier") == "BR" for node in families):
        ctx.finding("identity", patient, rule="ins-birth-name", element="name/family[@qualifier='BR']")
    if name is None or not name.all("given"):
        ctx.finding("identity", patient, rule="ins-given", element="name/given")
    gender, birth = patient.one("administrativeGenderCode"), patient.one("birthTime")
    if gender is None or not gender.attributes.get("code"):
        ctx.finding("identity", patient, rule="ins-gender", element="administrativeGenderCode/@code")
    if birth is None or not birth.attributes.get("value"):
        ctx.finding("identity", patient, rule="ins-birth-date", element="birthTime/@value")
    if patient.at("birthplace/place/addr/county") is None:
        ctx.finding("identity", patient, rule="ins-birth-place", element="birthplace/place/addr/county")


def _main_act(root: Node, ctx: Context) -> None:
    """One act at least tells when it was done and by whom."""
    events = list(_found(root, "documentationOf/serviceEvent"))
    if events and not any(node.one("effectiveTime") and node.one("performer") for node in events):
        for element in ("effectiveTime", "performer"):
            if events[0].one(element) is None:
                ctx.finding("missing", events[0], rule="main-act", element=element, cardinality="1..1")


def _lineage(root: Node, ctx: Context) -> None:
    """A document does not replace itself."""
    own = [(each.attributes.get("root"), each.attributes.get("extension")) for each in root.all("id")[:1]]
    for node in _found(root, "relatedDocument/parentDocument/id"):
        if (node.attributes.get("root"), node.attributes.get("extension")) in own:
            ctx.finding("itself", node, rule="parent-document-id")


def _found(root: Node, path: str) -> Iterator[Node]:
    """All elements at a path."""
    if not path:
        yield root
        return
    head, _, rest = path.partition("/")
    for kid in root.all(head):
        yield from _found(kid, rest)


def _cardinality(row: Row) -> str:
    return f"{row.least}..{'*' if row.most == MANY else row.most}"


@cache
def codes(name: str) -> frozenset[tuple[str, str]]:
    """The (OID, code) pairs of a value set of `codes.csv`. Raises KeyError for one that it does not hold."""
    return _tables()[name]


@cache
def displays(name: str) -> dict[str, str]:
    """The French name of each code of a value set of `codes.csv`."""
    return {row["code"]: row["display"] for row in _codes() if row["set"] == name}


@cache
def _tables() -> dict[str, frozenset[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for row in _codes():
        found.setdefault(row["set"], set()).add((row["system"], row["code"]))
    return {name: frozenset(pairs) for name, pairs in found.items()}


def _codes() -> list[dict[str, str]]:
    return rows_of("fhirserver.documents.cda", "codes.csv")
