"""Random resources and queries from small pools, so that queries often hit and edges are often met."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.search import naive

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

Resource = dict[str, Any]

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
SYSTEMS = ["http://loinc.org", "http://snomed.info/sct", "urn:oid:1.2.3", CATEGORY, None]
CODES = ["718-7", "Abc", "abc", "ABC", "laboratory", "Laboratory", "a|b", "a,b", "é$1", "x" * 130]
NAMES = [
    "Éloïse",
    "ELOISE",
    "eloise",
    "Dupont",
    "dupond",
    "O'Neill",
    "Jean-Marie",
    "Straße",
    "D’Été",
    "Li",
    "文",
    "Ⅷ",
    "LEBŒUF",
]
CITIES = ["Saint-Étienne", "Saint Etienne", "Paris", "Paris 12e", "L'Haÿ-les-Roses"]
DATES = [
    "2023", "2024", "2024-02", "2024-03", "2024-02-29", "2024-03-31", "2024-10-27", "2024-12-31", "2025-01-01",
    "2024-03-31T00:30:00Z", "2024-03-31T02:30:00+02:00", "2024-03-30T23:30:00Z", "2024-10-27T00:30:00.5Z",
    "2024-10-27T02:30:00.123+01:00", "2024-02-29T23:59:59-05:00", "2024-12-31T23:59:59.999999Z",
]  # fmt: skip
SEARCHED = [*DATES, "2024-03-31T00:30Z", "2024-02-29T23:59", "2024-10-27T00:30:00.50Z", "2022", "2024-03-31T03:30:00"]
NUMBERS = [
    "0",
    "1",
    "100",
    "99.5",
    "100.4",
    "100.5",
    "0.5",
    "0.50",
    "-3",
    "5.4",
    "5.40",
    "5400",
    "5.449",
    "54e2",
    "1E2",
]
SOUGHT = [*NUMBERS, "1e2", "1.0e2", "5.4e-3", "+5", ".5", "2e3"]
UNITS = [
    {"system": "http://unitsofmeasure.org", "code": "mg", "unit": "milligram"},
    {"system": "http://unitsofmeasure.org", "code": "g"},
    {"system": "http://unitsofmeasure.org", "code": "[strange'U]", "unit": "mg"},
    {"system": "urn:own", "code": "mg"},
    {"unit": "mg"},
    {},
]
PATIENTS = [
    "Patient/p1",
    "Patient/p2",
    f"{naive.BASE}/Patient/p1",
    "Patient/p1/_history/2",
    "http://other.org/Patient/p1",
]
ANYONE = ["urn:uuid:6e1e9a22-0000-4000-8000-000000000001", "#c"]
OTHERS = ["Group/p1", "Device/d1", *ANYONE]
CARERS = ["Practitioner/d1", "Organization/o1", "Organization/d1", *ANYONE]
URLS = ["http://a.org/x", "http://a.org/x/y", "http://a.org/xy", "http://a.org/", "urn:oid:1.2", "http://A.org/x"]


def some(random: Random, pool: list[Any], most: int) -> list[Any]:
    return [random.choice(pool) for _ in range(random.randint(0, most))]


def compact(resource: Resource) -> Resource:
    return {key: value for key, value in resource.items() if value is not None and value not in ([], {})}


def coding(random: Random) -> Resource:
    display = random.choice([None, *NAMES])
    return compact({"system": random.choice(SYSTEMS), "code": random.choice(CODES), "display": display})


def concept(random: Random) -> Resource:
    listed = [coding(random) for _ in range(random.randint(0, 2))]
    return compact({"coding": listed, "text": random.choice([None, *NAMES])}) or {"text": "Li"}


def identifier(random: Random) -> Resource:
    kind = {"coding": [coding(random)], "text": random.choice(NAMES)}
    return compact(
        {
            "system": random.choice(["urn:a", "urn:A", None]),
            "value": random.choice(CODES),
            "type": random.choice([None, kind]),
        }
    )


def link(random: Random, pool: list[str]) -> Resource:
    reference = random.choice([None, *pool])
    own = identifier(random) if reference is None or random.random() < 0.2 else None
    return compact({"reference": reference, "identifier": own})


def moment(random: Random, kind: str) -> Resource:
    shape = random.choice(["none", "point", "point", "period"])
    if shape == "point":
        return {f"{kind}DateTime": random.choice(DATES)}
    if shape == "period":
        period = compact({"start": random.choice([None, *DATES]), "end": random.choice([None, *DATES])})
        return {f"{kind}Period": period} if period else {}
    return {}


def quantity(random: Random) -> Resource:
    comparator = random.choice([None, None, None, "<", "<=", ">", ">="])
    return compact({"value": Decimal(random.choice(NUMBERS)), "comparator": comparator, **random.choice(UNITS)})


def measured(random: Random) -> Resource:
    kind = random.choice(["none", "quantity", "quantity", "string", "date"])
    if kind == "quantity":
        return {"valueQuantity": quantity(random)}
    if kind == "string":
        return {"valueString": random.choice(NAMES)}
    return moment(random, "value") if kind == "date" else {}


def patient(random: Random) -> Resource:
    names = [
        compact(
            {
                "family": random.choice([None, *NAMES]),
                "given": some(random, NAMES, 2),
                "text": random.choice([None, None, "Éloïse Dupont"]),
            }
        )
        for _ in range(random.randint(0, 2))
    ]
    contacts = [{"system": "phone", "value": "06 12.34"}, {"system": "email", "value": "A@b.FR"}, {"value": "0612.34"}]
    addresses = [compact({"line": ["1 rue X"], "city": random.choice(CITIES)}) for _ in range(random.randint(0, 2))]
    return {
        "resourceType": "Patient",
        **compact(
            {
                "identifier": [identifier(random) for _ in range(random.randint(0, 2))],
                "name": [name for name in names if name],
                "telecom": some(random, contacts, 2),
                "address": addresses,
                "gender": random.choice([None, "male", "female"]),
                "active": random.choice([None, True, False]),
                "birthDate": random.choice([None, "1970", "1970-05", "1970-05-31", "2024-02-29"]),
                "generalPractitioner": [link(random, CARERS) for _ in range(random.randint(0, 2))],
                "managingOrganization": random.choice([None, link(random, ["Organization/o1", *ANYONE])]),
            }
        ),
    }


def observation(random: Random) -> Resource:
    components = [
        compact({"code": concept(random), "valueQuantity": random.choice([None, quantity(random)])})
        for _ in range(random.randint(0, 2))
    ]
    return {
        "resourceType": "Observation",
        **compact(
            {
                "status": random.choice(["final", "amended"]),
                "code": concept(random),
                "category": [concept(random) for _ in range(random.randint(0, 2))],
                "subject": random.choice([None, link(random, PATIENTS + OTHERS)]),
                "performer": [link(random, PATIENTS + CARERS) for _ in range(random.randint(0, 2))],
                "component": components,
                **moment(random, "effective"),
                **measured(random),
            }
        ),
    }


def risk_assessment(random: Random) -> Resource:
    def prediction() -> Resource:
        if random.random() < 0.3:
            low, high = sorted(Decimal(random.choice(NUMBERS)) for _ in range(2))
            return {"probabilityRange": random.choice([{"low": {"value": low}}, {"high": {"value": high}}])}
        return {"probabilityDecimal": Decimal(random.choice(NUMBERS))}

    return {
        "resourceType": "RiskAssessment",
        **compact(
            {"prediction": [prediction() for _ in range(random.randint(0, 2))], "subject": link(random, PATIENTS)}
        ),
    }


def value_set(random: Random) -> Resource:
    include = [{"system": random.choice(URLS)} for _ in range(random.randint(0, 2))]
    return {
        "resourceType": "ValueSet",
        **compact(
            {
                "url": random.choice([None, *URLS]),
                "title": random.choice([None, *NAMES]),
                "compose": random.choice([None, {"include": include}]),
            }
        ),
    }


RESOURCES: dict[str, Callable[[Random], Resource]] = {
    "Patient": patient,
    "Observation": observation,
    "RiskAssessment": risk_assessment,
    "ValueSet": value_set,
}


def resources(random: Random, kind: str, number: int) -> list[Resource]:
    made = []
    for at in range(number):
        resource = RESOURCES[kind](random)
        resource["id"] = f"{'p' if kind == 'Patient' else 'r'}{at}"
        resource["meta"] = {"lastUpdated": f"2024-03-{random.randint(1, 31):02}T0{random.randint(0, 3)}:30:00.500Z"}
        made.append(resource)
    return made


def escaped(text: str) -> str:
    for sign in "\\|,$":
        text = text.replace(sign, "\\" + sign)
    return text


def token(random: Random, name: str, kind: str) -> tuple[str, str]:
    if kind in ("code", "boolean"):
        code = random.choice({"active": ["true", "false"]}.get(name, ["male", "female", "final", "FINAL", "amended"]))
        system = random.choice([naive.BINDINGS[name], "urn:x"])
        return random.choice(["", ":not"]), random.choice([code, f"{system}|{code}", f"|{code}"])
    if kind == "ContactPoint":
        return random.choice(["", ":not"]), escaped(random.choice(["a@B.fr", "061234", "06 12 34", "x"]))
    systems = ["urn:a", "urn:A"] if kind == "Identifier" else [system for system in SYSTEMS if system]
    code, system = escaped(random.choice(CODES)), random.choice(systems)
    modifier = random.choice(["", "", "", ":not", ":text"] + ([":of-type"] if kind == "Identifier" else []))
    if modifier == ":text":
        return modifier, random.choice(["eloise", "Éloï", "D", "straße"])
    if modifier == ":of-type":
        return modifier, f"{random.choice([s for s in SYSTEMS if s])}|{escaped(random.choice(CODES))}|{code}"
    return modifier, random.choice([code, f"{system}|{code}", f"|{code}", f"{system}|"])


def string(random: Random) -> tuple[str, str]:
    modifier = random.choice(["", "", ":exact", ":contains"])
    text = random.choice([*NAMES, *CITIES, "Éloïse Dupont"])
    if modifier != ":exact":
        start = random.randint(0, len(text) - 1) if modifier else 0
        text = text[start : start + random.randint(1, 4)]
        if not naive.folded(text):
            text = "e"
    return modifier, escaped(text)


def reference(random: Random, name: str) -> tuple[str, str]:
    modifier = random.choice(["", "", "", ":identifier", ":Patient"])
    if modifier == ":identifier":
        return modifier, random.choice([escaped(random.choice(CODES)), "urn:a|abc", "urn:A|", "|abc"])
    if modifier == ":Patient":
        if name in ("general-practitioner", "organization"):
            return "", "p1"
        return modifier, random.choice(["p1", "Patient/p2", f"{naive.BASE}/Patient/p1"])
    return modifier, random.choice([item for item in PATIENTS + OTHERS + CARERS if item[0] != "#"] + ["p1", "d1"])


def value(random: Random, name: str, kind: str) -> tuple[str, str]:
    kind, _, datatype = kind.partition(":")
    prefix = random.choice(["", "", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])
    if kind == "token":
        return token(random, name, datatype)
    if kind == "string":
        return string(random)
    if kind == "reference":
        return reference(random, name)
    if kind == "uri":
        url = random.choice(URLS)
        return random.choice(["", ":below", ":above"] if url.startswith("http") else [""]), url
    if kind == "date":
        return "", prefix + random.choice(SEARCHED)
    unit = random.choice(
        ["", "", "|http://unitsofmeasure.org|mg", "||mg", "|urn:own|mg", "|http://unitsofmeasure.org|g"]
    )
    return "", prefix + random.choice(SOUGHT) + (unit if kind == "quantity" else "")


def criterion(random: Random, resource_type: str) -> tuple[str, str]:
    names = list(naive.PARAMETERS[resource_type])
    pick = random.random()
    if pick < 0.05:
        return "_id" + random.choice(["", ":not"]), random.choice(["r1", "p1,p2", "r0,r2"])
    if pick < 0.1:
        return "_lastUpdated", value(random, "_lastUpdated", "date")[1]
    if pick < 0.2 and resource_type == "Observation":
        name = random.choice(list(naive.COMPOSITES))
        _, (_, _), (_, second) = naive.COMPOSITES[name]
        code = random.choice(["718-7", "http://loinc.org|718-7", "abc", "|Abc", "http://loinc.org|"])
        other = escaped("Éloïse") if second == "string" else value(random, "", "quantity")[1]
        return name, f"{code}${other}"
    name = random.choice(names)
    if pick < 0.3:
        return f"{name}:missing", random.choice(["true", "false"])
    kind = naive.PARAMETERS[resource_type][name][0]
    modifier, first = value(random, name, kind)
    if modifier == "" and random.random() < 0.3:
        return name, ",".join([first, *(item for mod, item in [value(random, name, kind)] if mod == "")])
    return name + modifier, first


def query(random: Random, resource_type: str) -> list[tuple[str, str]]:
    return [criterion(random, resource_type) for _ in range(random.choice([1, 1, 1, 2, 3]))]
