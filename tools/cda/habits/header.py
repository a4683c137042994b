"""What the header says besides: people, acts, orders, the stay, the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.cda.habits.pieces import (
    LOCAL,
    coded,
    day,
    employer,
    entity,
    identifier,
    into,
    mark,
    person,
    q,
)
from tools.cda.xml import el, interval

if TYPE_CHECKING:
    from random import Random

    from lxml import etree


def header_people(root: etree._Element, random: Random) -> None:
    """More people in the header: authors, authenticators, recipients, participants, who entered the data."""
    now = el("time", value="20260101")
    kind = random.randrange(6)
    if kind == 0:
        made, before = el("author", now, entity("assignedAuthor", random)), "custodian"
    elif kind == 1:
        made, before = el("dataEnterer", now, entity("assignedEntity", random)), "custodian"
    elif kind == 2:
        who = el(
            "intendedRecipient",
            identifier(random),
            person("informationRecipient", random),
            employer("receivedOrganization", random),
            classCode="ASSIGNED",
        )
        made, before = el("informationRecipient", who, typeCode=random.choice(("PRCP", "TRC"))), "legalAuthenticator"
    elif kind == 3:
        who = entity("assignedEntity", random)
        made, before = el("authenticator", now, el("signatureCode", code="S"), who), "documentationOf"
    elif kind == 4:
        who = el(
            "associatedEntity",
            identifier(random),
            coded("code", random),
            person("associatedPerson", random),
            employer("scopingOrganization", random),
            classCode=random.choice(("PROV", "NOK", "PRS", "ECON")),
        )
        time = random.choice((None, el("time", el("low", value=day(random)), el("high", nullFlavor="UNK"))))
        made, before = (
            el("participant", time, who, typeCode=random.choice(("INF", "RESP", "REF", "IND", "CON"))),
            "documentationOf",
        )
    else:
        made, before = el("informant", entity("assignedEntity", random)), "custodian"
    into(root, root, made, before)


def header_acts(root: etree._Element, random: Random) -> None:
    """Several acts: coded by the PMSI, with several performers, or nothing but a code."""
    performers = [
        el(
            "performer",
            el("functionCode", code="PRELV", codeSystem=LOCAL),
            el("time", el("low", value=day(random))),
            entity("assignedEntity", random),
            typeCode=random.choice(("PRF", "SPRF", "PPRF")),
        )
        for _ in range(random.randint(0, 2))
    ]
    event = el(
        "serviceEvent",
        identifier(random) if random.random() < 0.5 else None,
        coded("code", random),
        interval("effectiveTime", day(random), None) if random.random() < 0.5 else None,
        performers,
    )
    if random.random() < 0.3:
        event.append(el("lab:statusCode", code="active"))
    into(root, root, el("documentationOf", event), random.choice(("documentationOf", "componentOf")))


def header_orders(root: etree._Element, random: Random) -> None:
    order = el(
        "order",
        identifier(random),
        identifier(random) if random.random() < 0.3 else None,
        coded("code", random) if random.random() < 0.3 else None,
        classCode="ACT",
        moodCode="RQO",
    )
    into(root, root, el("inFulfillmentOf", order), "documentationOf")


def header_stay(root: etree._Element, random: Random) -> None:
    """The stay with people, a disposition, a ward within a hospital; or without a time, or a place."""
    stay = root.find(f"{q('componentOf')}/{q('encompassingEncounter')}")
    if stay is None:
        return
    kind = random.randrange(5)
    if kind == 0:
        stay.append(
            el(
                "encounterParticipant",
                el("time", value=day(random)),
                entity("assignedEntity", random),
                typeCode=random.choice(("ATND", "ADM", "DIS", "CON")),
            )
        )
    elif kind == 1:
        stay.insert(0, coded("dischargeDispositionCode", random))
    elif kind == 2:
        stay.append(el("responsibleParty", entity("assignedEntity", random)))
    elif kind == 3:
        place = stay.find(f"{q('location')}/{q('healthCareFacility')}")
        if place is not None:
            place.append(employer("serviceProviderOrganization", random))
    else:
        stay.insert(0, identifier(random))


def header_patient(root: etree._Element, random: Random) -> None:
    """The patient with other identifiers, addresses, a guardian, languages, a marital status, a practice."""
    role = root.find(f"{q('recordTarget')}/{q('patientRole')}")
    patient = role.find(q("patient")) if role is not None else None
    if role is None or patient is None:
        return
    kind = random.randrange(8)
    if kind == 0:
        role.insert(0, identifier(random))
    elif kind == 1:
        role.append(
            el("addr", el("houseNumber", "7"), el("streetName", mark(random)), el("postalCode", "75001"), use="HP")
        )
    elif kind == 2:
        guardian = el(
            "guardian",
            identifier(random),
            coded("code", random),
            el("addr", nullFlavor="UNK"),
            person("guardianPerson", random),
        )
        patient.append(guardian)
    elif kind == 3:
        patient.append(el("languageCommunication", el("languageCode", code="fr-FR"), coded("modeCode", random)))
    elif kind == 4:
        patient.append(coded("maritalStatusCode", random))
    elif kind == 5:
        role.append(employer("providerOrganization", random))
    elif kind == 6:
        patient.append(coded(random.choice(("religiousAffiliationCode", "raceCode", "ethnicGroupCode")), random))
    else:
        patient.append(el("sdtc:multipleBirthInd", value="true"))


def header_related(root: etree._Element, random: Random) -> None:
    """Consents, and unknown or foreign elements in the header."""
    made = random.choice(
        (
            lambda: el(
                "authorization",
                el("consent", identifier(random), coded("code", random), el("statusCode", code="completed")),
            ),
            lambda: el("copyTime", value=day(random)),
            lambda: el("sdtc:statusCode", code=mark(random)),
        )
    )()
    into(root, root, made, "componentOf")
