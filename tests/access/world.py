"""A small world to draw from: few actors, few codes, so that what is drawn often meets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fhirserver.access import Access, Delegate, Departments, Policy, Requester, acl, build
from fhirserver.search import Indexer
from fhirserver.spec import Definitions
from tests.access import draw as st
from tests.access import naive

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE, BOB, CAROL = "10000000001", "10000000002", "10000000003"
HERE, THERE = "750000001", "750000002"
NUMBERS: dict[str, tuple[str, ...]] = {
    "Practitioner/alice": (f"rpps|{ALICE}",),
    "Practitioner/bob": (f"rpps|{BOB}",),
    "Practitioner/carol": (f"rpps|{CAROL}",),
    "Organization/here": (f"finess|{HERE}",),
    "Organization/there": (f"finess|{THERE}",),
    "PractitionerRole/bob-there": (f"rpps|{BOB}", f"finess|{THERE}", "profession|G15_60"),
}
INDEXER = Indexer(Definitions.core())
ACTORS = [
    "Practitioner/alice",
    "Practitioner/alice",
    "Organization/here",
    *NUMBERS,
    "Practitioner/unknown",
    "Patient/relative",
]
PURPOSES = ["TREAT", "TREAT", "TREAT", "COC", "BTG", "ETREAT", "HPAYMT", "HRESCH", "CAREMGT", "RECORDMGT"]
DAYS = ["2019-05-05", "2025-12-31", "2026-02-28", "2026-03-01", "2026-03-02", "2030-01-01"]
LABELS = [
    "N",
    "N",
    "R",
    "R",
    "R",
    "HIV",
    "HIV",
    "L",
    "R",
    "V",
    "HIV",
    "PSY",
    "ETHUD",
    "MASQUE_PS",
    "INVISIBLE_PATIENT",
    "TREAT",
    "BTG",
    "HRESCH",
    "INVISIBLE_REPRESENTANTS_LEGAUX",
]
CONSENT_LABELS = ["L", "N", "R", "V", "HIV", "SUD"]
SPACES = [
    [("open", NOW)],
    [("open", NOW.replace(year=2020))],
    [("open", NOW.replace(year=2020)), ("closed", NOW)],
    [("announced", NOW.replace(year=2020)), ("open", NOW.replace(second=1))],
    [("closed", NOW.replace(year=2016))],
    [("closed", NOW.replace(year=2016, second=1))],
    [("open", NOW.replace(second=1))],
    [("suspended", NOW.replace(year=2020)), ("open", NOW.replace(month=2))],
]
DEPARTMENTS: list[dict[str, set[str]]] = [{}, {f"finess|{HERE}": {f"finess|{THERE}"}}]
TYPES = ["Observation", "DocumentReference", "Encounter", "Condition", "Communication", "Appointment"]
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
MESSAGE = {"system": "urn:fhirserver:message", "code": "message"}
CONF = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
TEAM = {
    "resourceType": "CareTeam",
    "id": "t",
    "status": "active",
    "subject": {"reference": "Patient/p"},
    "participant": [{"member": {"reference": "Practitioner/alice"}}, {"member": {"reference": "Practitioner/bob"}}],
}


def coding(code: str) -> dict[str, str]:
    system = CONF if code in naive.LADDER else REASON if code in naive.KNOWN_PURPOSES else ACT
    return {"system": system, "code": code}


def periods(*, odd: bool = False) -> st.Strategy[dict[str, str]]:
    both = st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS))
    pairs = both if odd else both.map(sorted)
    return st.one_of(
        pairs.map(lambda pair: {"start": pair[0], "end": pair[1]}),
        st.sampled_from(DAYS).map(lambda day: {"start": day}),
        st.sampled_from(DAYS).map(lambda day: {"end": day}),
    )


def requesters() -> st.Strategy[Requester]:
    user = ("user/*.cruds",)
    professional = st.builds(
        lambda who, organization, purpose, delegate: Requester(
            "practitioner",
            who[0],
            rpps=who[0],
            profession=who[1],
            organization=organization,
            purpose=purpose,
            scopes=user,
            delegate=delegate,
        ),
        st.sampled_from(
            [(ALICE, "G15_10"), (ALICE, "G15_10"), (BOB, "G15_60"), (CAROL, "G15_10/SM25"), (ALICE, "G15_10/SM26")]
        ),
        st.sampled_from([HERE, THERE, None]),
        st.sampled_from(PURPOSES),
        st.sampled_from([None, None, None, Delegate("b", BOB), Delegate("secretary")]),
    )
    system = st.builds(
        lambda organization: Requester(
            "system", "lab", organization=organization, client="lab", scopes=("system/*.rs",)
        ),
        st.sampled_from([HERE, THERE]),
    )
    persons = st.sampled_from(
        [
            Requester("patient", "p", patient="p", scopes=user, purpose="PATRQT"),
            Requester("patient", "relative", patient="relative", scopes=user, purpose="PATRQT"),
            Requester("representative", "RelatedPerson/m", patient="p", scopes=user, purpose="PATRQT"),
            Requester("operator", "root", scopes=("system/*.cruds",)),
            Requester("practitioner", "none", rpps=ALICE, profession="G15_10"),
        ]
    )
    return st.one_of(*[professional] * 6, system, persons)


def person(who: Requester) -> naive.Person:
    keys = set()
    if who.rpps:
        keys.add(f"rpps|{who.rpps}")
    if who.organization:
        keys.add(f"finess|{who.organization}")
    if who.client:
        keys.add(f"client|{who.client}")
    if who.profession:
        keys |= {f"profession|{who.profession}", f"profession|{who.profession[:6]}"}
    if who.kind == "patient":
        keys.add(f"patient|{who.patient}")
    if who.kind == "representative":
        keys.add("related|m")
    staff = who.delegate.rpps if who.delegate else None
    return naive.Person(
        who.kind, keys, who.profession, who.organization, who.patient, who.purpose, bool(who.scopes), staff
    )


@st.composite
def resources(draw: st.Draw, kind: str | None = None) -> dict[str, Any]:
    kind = kind or draw(st.sampled_from(TYPES))
    made: dict[str, Any] = {
        "resourceType": kind,
        "id": draw(st.sampled_from(["1", "2"])),
        "subject": {"reference": "Patient/p"},
    }
    labels = draw(st.lists(st.sampled_from(LABELS), max_size=2, unique=True))
    if labels and kind == "DocumentReference" and draw(st.booleans()):
        made["securityLabel"] = [{"coding": [coding(each)]} for each in labels]
    elif labels:
        made["meta"] = {"security": [coding(each) for each in labels]}
    author = {"identifier": {"system": "https://rpps.esante.gouv.fr", "value": draw(st.sampled_from([ALICE, BOB]))}}
    day = draw(st.sampled_from([None, "2025-12-31", "2026-03-01"]))
    if kind == "Observation":
        made["code"] = {"coding": [{"system": "http://loinc.org", "code": draw(st.sampled_from(["718-7", "2160-0"]))}]}
        made |= {"effectiveDateTime": day} if day else {}
        made |= draw(st.sampled_from([{}, {"performer": [author]}]))
        made |= draw(st.sampled_from([{}, {"encounter": {"reference": "Encounter/1"}}]))
    elif kind == "Condition":
        made |= {"onsetDateTime": day} if day else {}
        made |= draw(st.sampled_from([{}, {"asserter": author}]))
    elif kind in ("Communication", "Appointment"):
        said: dict[str, Any] = draw(between(kind, author))
        made |= said
        if kind == "Communication" and draw(st.booleans()):
            made["meta"] = {**made.get("meta", {}), "tag": [MESSAGE]}
    elif kind == "Encounter":
        made |= {"period": {"start": "2019-05-05", "end": day}} if day else {}
    else:
        code = draw(st.sampled_from(["11488-4", "ATTEST-RESID", "68599-0", None]))
        made |= {"type": {"coding": [{"system": "http://loinc.org", "code": code}]}} if code else {}
        made |= draw(st.sampled_from([{}, {"author": [author]}]))
    return made


@st.composite
def between(draw: st.Draw, kind: str, author: dict[str, Any]) -> dict[str, Any]:
    """Who takes part in an appointment or a Communication, message or not."""
    persons = [each for each in ACTORS if not each.startswith("Patient/")]
    others = [{"reference": each} for each in draw(st.lists(st.sampled_from(persons), max_size=2))]
    if kind == "Appointment":
        others += [{"reference": "Patient/q"}] if _some(draw, 3) else []
        return {"participant": [{"actor": each} for each in ({"reference": "Patient/p"}, author, *others)]}
    return {"sender": author, "recipient": [{"reference": "Patient/p"}, *others]}


@st.composite
def deposits(draw: st.Draw) -> naive.Deposit:
    by = draw(
        st.sampled_from(
            [
                set(),
                set(),
                set(),
                set(),
                {f"rpps|{ALICE}", f"finess|{HERE}"},
                {f"finess|{THERE}", "client|lab"},
                {"patient|p"},
                set(),
            ]
        )
    )
    at = draw(st.sampled_from([NOW, datetime(2026, 2, 1, 12, tzinfo=UTC), datetime(2026, 2, 1, 13, tzinfo=UTC)]))
    made = naive.Deposit(draw(resources()), set(by), at)
    if made.resource["resourceType"] == "DocumentReference" or not _some(draw, 1):
        return made
    document = draw(resources(kind="DocumentReference"))
    made.document = naive.Deposit(document, made.by if draw(st.booleans()) else {f"finess|{THERE}"}, at)
    if draw(st.booleans()):
        made.resource = {"resourceType": "Binary", "id": "1"}
    return made


def envelope(deposit: naive.Deposit) -> dict[str, Any]:
    made = _envelope(deposit)
    if deposit.document is not None:
        made |= {"pat": "p", "doc": _envelope(deposit.document)}
    return made


def _envelope(deposit: naive.Deposit) -> dict[str, Any]:
    index = INDEXER.index(deposit.resource)
    previous = {"by": sorted(deposit.by), "at": deposit.at}
    made = {"_id": deposit.resource["id"], "t": list(index.t), "d": dict(index.d), "s": dict(index.s)}
    made |= {"acl": acl(deposit.resource, Requester("operator", "x"), NOW, previous, identifiers=NUMBERS)}
    return made | ({"pat": index.pat} if index.pat else {}) | ({"patx": list(index.patx)} if index.patx else {})


def _some(draw: st.Draw, chance: int) -> bool:
    return draw(st.integers(0, chance)) == 0


@st.composite
def provisions(draw: st.Draw, depth: int = 0, *, odd: bool = False) -> dict[str, Any]:
    made: dict[str, Any] = {}
    nested = draw(st.lists(provisions(depth + 1, odd=odd), max_size=2)) if depth < 2 and _some(draw, 1) else []
    if nested:
        made["provision"] = nested
    if depth or not nested or draw(st.booleans()):
        made["type"] = draw(st.sampled_from(["permit", "deny"]))
    if _some(draw, 4):
        made["period"] = draw(periods(odd=odd))
    if draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(ACTORS), min_size=1, max_size=2))
        made["actor"] = [{"role": {"coding": [{"code": "IRCP"}]}, "reference": {"reference": each}} for each in chosen]
    if _some(draw, 5):
        codes = [*PURPOSES, "NONSENSE"] if odd else PURPOSES
        made["purpose"] = [{"code": each} for each in draw(st.lists(st.sampled_from(codes), min_size=1, max_size=2))]
    if _some(draw, 11):
        made["action"] = [{"coding": [{"code": draw(st.sampled_from(["access", "collect", "disclose"]))}]}]
    return made | draw(conditions(odd=odd))


@st.composite
def conditions(draw: st.Draw, *, odd: bool = False) -> dict[str, Any]:
    """At most two, so that what is drawn often meets a resource."""
    names = ["none", "none", "class", "code", "securityLabel", "securityLabel", "data", "dataPeriod"]
    makers: dict[str, st.Strategy[Any]] = {
        "class": st.lists(
            st.one_of(
                st.sampled_from(TYPES).map(lambda each: {"system": "http://hl7.org/fhir/resource-types", "code": each}),
                st.sampled_from(["11488-4", "68599-0"]).map(lambda each: {"system": "http://loinc.org", "code": each}),
            ),
            min_size=1,
            max_size=2,
        ),
        "code": st.just([{"coding": [{"system": "http://loinc.org", "code": "718-7"}]}]),
        "securityLabel": st.lists(st.sampled_from(CONSENT_LABELS).map(coding), min_size=1, max_size=2),
        "data": st.sampled_from(
            [
                [{"meaning": "instance", "reference": {"reference": "Observation/1"}}],
                [{"meaning": "related", "reference": {"reference": "Encounter/1"}}],
                [{"meaning": "dependents", "reference": {"reference": "Encounter/1"}}],
                [{"meaning": "authoredby", "reference": {"reference": "Practitioner/alice"}}],
                [{"meaning": "authoredby", "reference": {"reference": "Organization/here"}}],
            ]
        ),
        "dataPeriod": periods(odd=odd),
    }
    chosen = draw(st.lists(st.sampled_from(names), max_size=2))
    return {name: draw(makers[name]) for name in chosen if name != "none"}


@st.composite
def consents(draw: st.Draw, *, odd: bool = False) -> dict[str, Any]:
    return {
        "resourceType": "Consent",
        "id": draw(st.sampled_from("abcdef")),
        "status": draw(st.sampled_from(["active"] * 20 + ["inactive", "entered-in-error"])),
        "scope": {"coding": [{"code": draw(st.sampled_from(["patient-privacy"] * 20 + ["research"]))}]},
        "patient": {"reference": draw(st.sampled_from(["Patient/p"] * 20 + ["Patient/other"]))},
        "provision": draw(provisions(odd=odd)),
    }


@st.composite
def teams(draw: st.Draw) -> dict[str, Any]:
    members = draw(st.lists(st.sampled_from(ACTORS), max_size=2))
    return {
        "resourceType": "CareTeam",
        "id": draw(st.sampled_from("uvw")),
        "status": draw(st.sampled_from(["active", "active", "inactive"])),
        "subject": {"reference": "Patient/p"},
        **({"period": draw(periods())} if draw(st.booleans()) else {}),
        "participant": [
            {"member": {"reference": each}, **({"period": draw(periods())} if draw(st.booleans()) else {})}
            for each in members
        ],
    }


@st.composite
def records(draw: st.Draw, *, odd: bool = False) -> naive.Record:
    patient: dict[str, Any] = {"resourceType": "Patient", "id": "p"}
    patient |= draw(st.sampled_from([{}, {"active": True}, {"active": True}, {"active": True}, {"active": False}]))
    patient |= draw(st.sampled_from([{}, {"birthDate": "2008-03-02"}, {"birthDate": "2008-03-01"}]))
    patient |= draw(st.sampled_from([{}, {}, {"generalPractitioner": [{"reference": "Practitioner/alice"}]}]))
    numbers = {name: set(found) for name, found in NUMBERS.items()}
    unique = {each["id"]: each for each in draw(st.lists(consents(odd=odd), min_size=1, max_size=3))}
    groups = {each["id"]: each for each in draw(st.lists(teams(), max_size=2))}
    deaths: list[dict[str, Any]] = [{"deceasedBoolean": True}]
    deaths += [{"deceasedDateTime": day} for day in ("2026-03-01", "2026-03-02")]
    patient |= draw(st.sampled_from([*[dict[str, Any]()] * 12, *deaths]))
    space = draw(st.sampled_from([[]] * 6 + SPACES))
    parts, claims = draw(st.sampled_from(DEPARTMENTS)), draw(st.sampled_from(DEPARTMENTS))
    plain = draw(st.sampled_from([False, False, True]))
    return naive.Record(patient, list(unique.values()), list(groups.values()), numbers, space, parts, claims, plain)


def document(record: naive.Record) -> dict[str, Any]:
    """The policy as it is stored."""
    space = {"states": [{"state": state, "since": since} for state, since in record.space]}
    departments = Departments(
        {key: sorted(found) for key, found in record.parts.items()},
        {key: sorted(found) for key, found in record.claims.items()},
    )
    return build(
        record.patient["id"],
        record.patient,
        record.consents,
        record.teams,
        NUMBERS,
        space=space,
        departments=departments,
        plain=record.plain,
    )


def policy(record: naive.Record) -> Policy:
    return Policy.of({**document(record), "derived": ["Binary", *TYPES]})


def access(who: Requester, now: datetime = NOW) -> Access:
    return Access.of(who, now)
