"""A search by reading every resource: from https://hl7.org/fhir/R4/search.html, sharing no code with the server.

It knows some parameters of Patient, Observation, RiskAssessment and ValueSet. Slow, and as plain as possible.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

Resource = dict[str, Any]

SENSITIVE = {"http://terminology.hl7.org/CodeSystem/observation-category"}
BASE = "http://example.org/fhir"
BINDINGS = {
    "gender": "http://hl7.org/fhir/administrative-gender",
    "status": "http://hl7.org/fhir/observation-status",
    "active": "http://terminology.hl7.org/CodeSystem/special-values",
}


def get(resource: Any, path: str) -> list[Any]:
    found = [resource]
    for step in path.split("."):
        after: list[Any] = []
        for item in found:
            if isinstance(item, dict) and step in item:
                after += item[step] if isinstance(item[step], list) else [item[step]]
        found = after
    return found


def at(*paths: str) -> Callable[[Resource], list[Any]]:
    return lambda resource: [value for path in paths for value in get(resource, path)]


def to_patient(path: str) -> Callable[[Resource], list[Any]]:
    def getter(resource: Resource) -> list[Any]:
        return [value for value in get(resource, path) if re.search(r"(^|/)Patient/", value.get("reference", ""))]

    return getter


def telecom(system: str) -> Callable[[Resource], list[Any]]:
    return lambda resource: [value for value in get(resource, "telecom") if value.get("system") == system]


PARAMETERS: dict[str, dict[str, tuple[str, Callable[[Resource], list[Any]]]]] = {
    "Patient": {
        "identifier": ("token:Identifier", at("identifier")),
        "name": ("string", at("name")),
        "family": ("string", at("name.family")),
        "given": ("string", at("name.given")),
        "address": ("string", at("address")),
        "address-city": ("string", at("address.city")),
        "birthdate": ("date", at("birthDate")),
        "gender": ("token:code", at("gender")),
        "active": ("token:boolean", at("active")),
        "email": ("token:ContactPoint", telecom("email")),
        "phone": ("token:ContactPoint", telecom("phone")),
        "telecom": ("token:ContactPoint", at("telecom")),
        "general-practitioner": ("reference", at("generalPractitioner")),
        "organization": ("reference", at("managingOrganization")),
    },
    "Observation": {
        "code": ("token:CodeableConcept", at("code")),
        "component-code": ("token:CodeableConcept", at("component.code")),
        "combo-code": ("token:CodeableConcept", at("code", "component.code")),
        "category": ("token:CodeableConcept", at("category")),
        "status": ("token:code", at("status")),
        "subject": ("reference", at("subject")),
        "patient": ("reference", to_patient("subject")),
        "performer": ("reference", at("performer")),
        "date": ("date", at("effectiveDateTime", "effectivePeriod", "effectiveInstant")),
        "value-quantity": ("quantity", at("valueQuantity")),
        "combo-value-quantity": ("quantity", at("valueQuantity", "component.valueQuantity")),
        "value-string": ("string", at("valueString")),
        "value-date": ("date", at("valueDateTime", "valuePeriod")),
    },
    "RiskAssessment": {
        "probability": ("number", at("prediction.probabilityDecimal", "prediction.probabilityRange")),
        "subject": ("reference", at("subject")),
    },
    "ValueSet": {
        "url": ("uri", at("url")),
        "title": ("string", at("title")),
        "reference": ("uri", at("compose.include.system")),
    },
}
COMPOSITES = {
    "code-value-quantity": ("", ("code", "token:CodeableConcept"), ("valueQuantity", "quantity")),
    "component-code-value-quantity": ("component", ("code", "token:CodeableConcept"), ("valueQuantity", "quantity")),
    "code-value-string": ("", ("code", "token:CodeableConcept"), ("valueString", "string")),
}


class Naive:
    """A search. `zone` is that of dates without one, `now` where `ap` measures from."""

    def __init__(self, zone: str, now: datetime) -> None:
        self.zone = ZoneInfo(zone)
        self.now = now

    def matches(self, resource: Resource, name: str, value: str) -> bool:
        name, _, modifier = name.partition(":")
        if name in COMPOSITES:
            return any(self._composite(resource, name, each) for each in cut(value, ","))
        if name == "_id":
            return (resource["id"] in value.split(",")) != (modifier == "not")
        if name == "_lastUpdated":
            kind, values = "date", [resource["meta"]["lastUpdated"]]
        else:
            if (name, modifier) == ("patient", "identifier"):
                name = "subject"
            kind, getter = PARAMETERS[resource["resourceType"]][name]
            values = getter(resource)
        if modifier == "missing":
            return (not values) == (value == "true")
        if modifier == "not":
            return not any(self.one(kind, name, "", found, each) for found in values for each in cut(value, ","))
        return any(self.one(kind, name, modifier, found, each) for found in values for each in cut(value, ","))

    def one(self, kind: str, name: str, modifier: str, found: Any, value: str) -> bool:
        kind, _, datatype = kind.partition(":")
        if kind == "token":
            return token(datatype, name, modifier, found, value)
        if kind == "string":
            return string(modifier, found, value)
        if kind == "reference":
            return reference(modifier, found, value)
        if kind == "uri":
            return uri(modifier, found, plain(value))
        if kind == "date":
            return self.date(found, value)
        return quantity(found, value) if kind == "quantity" else number(found, value)

    def _composite(self, resource: Resource, name: str, value: str) -> bool:
        root, *components = COMPOSITES[name]
        parts = cut(value, "$")
        for node in get(resource, root) if root else [resource]:
            if all(
                any(self.one(kind, name, "", found, part) for found in get(node, path))
                for (path, kind), part in zip(components, parts, strict=True)
            ):
                return True
        return False

    def date(self, found: Any, value: str) -> bool:
        prefix, text = prefixed(value)
        start, end = self.range(text)
        if isinstance(found, dict):
            low = self.range(found["start"])[0] if "start" in found else datetime.min.replace(tzinfo=UTC)
            high = self.range(found["end"])[1] if "end" in found else datetime.max.replace(tzinfo=UTC)
        else:
            low, high = self.range(found)
        inside = start <= low and high <= end
        if prefix == "eq":
            return inside
        if prefix == "ne":
            return not inside
        if prefix == "gt":
            return high > end
        if prefix == "lt":
            return low < start
        if prefix == "ge":
            return high > end or inside or (start <= low < end)
        if prefix == "le":
            return low < start or inside or (start < high <= end)
        if prefix == "sa":
            return low >= end
        if prefix == "eb":
            return high <= start
        margin = abs(self.now - start) / 10
        return low < end + margin and high > start - margin

    def range(self, text: str) -> tuple[datetime, datetime]:
        """The first moment of a date and the first after it."""
        zone: Any = self.zone
        if re.fullmatch(r"\d{4}", text):
            first = datetime(int(text), 1, 1, tzinfo=zone)
            return utc(first), utc(first.replace(year=first.year + 1))
        if re.fullmatch(r"\d{4}-\d\d", text):
            year, month = int(text[:4]), int(text[5:])
            after = (year + 1, 1) if month == 12 else (year, month + 1)
            return utc(datetime(year, month, 1, tzinfo=zone)), utc(datetime(*after, 1, tzinfo=zone))
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            day = datetime.fromisoformat(text).date()
            midnights = (datetime(each.year, each.month, each.day, tzinfo=zone) for each in (day, day + timedelta(1)))
            first, last = midnights
            return utc(first), utc(last)
        bare = text.removesuffix("Z")
        moment = datetime.fromisoformat(bare + ("+00:00" if text.endswith("Z") else ""))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        clock = re.split(r"[Z+]|-(?=\d\d:\d\d$)", text.partition("T")[2])[0]
        step = timedelta(minutes=1) if clock.count(":") == 1 else timedelta(seconds=1)
        if "." in clock:
            step = timedelta(seconds=1) / 10 ** len(clock.partition(".")[2])
        return utc(moment), utc(moment) + step


def utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


def cut(text: str, sign: str) -> list[str]:
    return re.split(rf"(?<!\\){re.escape(sign)}", text)


def plain(text: str) -> str:
    return re.sub(r"\\([,$|\\])", r"\1", text)


def prefixed(value: str) -> tuple[str, str]:
    match = re.match(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(.*)", value)
    return (match[1], match[2]) if match else ("eq", value)


def codings(datatype: str, name: str, found: Any) -> list[tuple[Any, Any, bool]]:
    """System (`*`: any of its binding), code, and whether case counts."""
    if datatype == "CodeableConcept":
        return [
            (each.get("system"), each.get("code"), each.get("system") in SENSITIVE) for each in found.get("coding", ())
        ]
    if datatype == "Identifier":
        return [(found.get("system"), found.get("value"), True)]
    if datatype == "ContactPoint":
        return [(None, found.get("value"), False)]
    return [(BINDINGS[name], "true" if found is True else "false" if found is False else found, datatype == "code")]


def dialled(text: str) -> str:
    return re.sub(r"[^0-9+]", "", text) if re.fullmatch(r"\+?[0-9 ().-]+", text) else text.lower()


def token(datatype: str, name: str, modifier: str, found: Any, value: str) -> bool:
    if modifier == "text":
        texts = [found.get("text"), *(each.get("display") for each in found.get("coding", ()))]
        if datatype == "Identifier":
            texts = [found.get("type", {}).get("text")]
        return any(text is not None and folded(text).startswith(folded(plain(value))) for text in texts)
    if modifier == "of-type":
        *kind, number = [plain(part) for part in cut(value, "|")]
        types = found.get("type", {}).get("coding", ())
        return found.get("value") == number and any([e.get("system"), e.get("code")] == kind for e in types)
    parts = [plain(part) for part in cut(value, "|")]
    for system, code, sensitive in codings(datatype, name, found):
        if len(parts) == 2 and datatype in ("code", "boolean"):
            if parts[0] and parts[0] != system:
                continue
        elif len(parts) == 2 and parts[0] != (system or ""):
            continue
        wanted = parts[-1]
        if not wanted:
            return True
        if code is None:
            continue
        if datatype == "ContactPoint" and dialled(wanted) == dialled(code):
            return True
        if wanted == code or (not sensitive and wanted.casefold() == code.casefold()):
            return True
    return False


def folded(text: str) -> str:
    letters = "".join(each for each in unicodedata.normalize("NFKD", text) if unicodedata.category(each) != "Mn")
    letters = letters.casefold().replace("œ", "oe").replace("æ", "ae")
    return " ".join("".join(each if each.isalnum() else " " for each in letters).split())


def string(modifier: str, found: Any, value: str) -> bool:
    texts = [found] if isinstance(found, str) else []
    if isinstance(found, dict):
        for part in ("family", "given", "prefix", "suffix", "line", "city", "country", "postalCode", "state", "text"):
            texts += get(found, part)
    wanted = plain(value)
    if modifier == "exact":
        return wanted in texts
    if modifier == "contains":
        return any(folded(wanted) in folded(text) for text in texts)
    return any(folded(text).startswith(folded(wanted)) for text in texts)


def reference(modifier: str, found: Any, value: str) -> bool:
    if modifier == "identifier":
        if "identifier" not in found:
            return False
        return token("Identifier", "", "", found["identifier"], value)
    literal = found.get("reference", "").removeprefix(BASE + "/")
    wanted = plain(value).removeprefix(BASE + "/")
    if "/" not in wanted and ":" not in wanted:
        wanted = f"{modifier or '[A-Z][A-Za-z]+'}/{re.escape(wanted)}"
    else:
        wanted = re.escape(wanted)
    return re.fullmatch(rf"{wanted}(/_history/.+)?", literal) is not None


def uri(modifier: str, found: str, wanted: str) -> bool:
    if modifier == "below":
        return found == wanted or found.startswith(wanted.rstrip("/") + "/")
    if modifier == "above":
        return found == wanted or wanted.startswith(found.rstrip("/") + "/")
    return found == wanted


def compare(prefix: str, low: Decimal, high: Decimal, text: str) -> bool:
    value = Decimal(text)
    digits = text.lstrip("+-").lower().partition("e")[0].replace(".", "").lstrip("0")
    decimals = -int(value.as_tuple().exponent)
    half = Decimal(5).scaleb(-decimals - 1)
    if "e" in text.lower() and decimals < 0 and len(digits) == 1:
        half = half / 10
    if prefix in ("eq", "ne"):
        return (value - half <= low and high < value + half) == (prefix == "eq")
    if prefix == "ap":
        return low <= value + abs(value) / 10 and high >= value - abs(value) / 10
    return {
        "gt": high > value,
        "ge": high >= value,
        "lt": low < value,
        "le": low <= value,
        "sa": low > value,
        "eb": high < value,
    }[prefix]


def number(found: Any, value: str) -> bool:
    prefix, text = prefixed(value)
    if isinstance(found, dict):
        low = Decimal(str(found["low"]["value"])) if "low" in found else Decimal("-Infinity")
        high = Decimal(str(found["high"]["value"])) if "high" in found else Decimal("Infinity")
    else:
        low = high = Decimal(str(found))
    return compare(prefix, low, high, text)


MASS = {"g": 0, "mg": -3, "ug": -6, "kg": 3}


def quantity(found: Any, value: str) -> bool:
    prefix, text = prefixed(value)
    parts = cut(text, "|")
    if "value" not in found:
        return False
    amount = Decimal(str(found["value"]))
    if len(parts) == 3:
        system, code = parts[1], parts[2]
        if system == "http://unitsofmeasure.org" and code in MASS:
            if found.get("system") != system or found.get("code") not in MASS:
                return False
            amount = amount.scaleb(MASS[found["code"]] - MASS[code])
        elif system:
            if (found.get("system"), found.get("code")) != (system, code):
                return False
        elif code not in (found.get("code"), found.get("unit")):
            return False
    beyond = Decimal("Infinity")
    tiny = Decimal("1e-20")
    low, high = {
        "<": (-beyond, amount - tiny),
        "<=": (-beyond, amount),
        ">": (amount + tiny, beyond),
        ">=": (amount, beyond),
    }.get(found.get("comparator", ""), (amount, amount))
    return compare(prefix, low, high, parts[0])
