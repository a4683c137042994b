"""Products: what a substance administration consumes or a supply delivers (IHE PCC 6.3.4.19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fhirserver.documents.cda import actors, values

if TYPE_CHECKING:
    from fhirserver.documents.cda.context import Context, Reference
    from fhirserver.documents.cda.node import Node

Resource = dict[str, Any]


class Product(NamedTuple):
    """A product: its code with its name as text, lot, expiration (a date) and maker."""

    code: Resource | None
    lot: str | None
    expires: str | None
    manufacturer: Reference | None
    form: Resource | None
    ingredients: list[Resource]


def product(node: Node | None, ctx: Context, *, lot: bool = True, made: bool = True) -> Product | None:
    """The product in a `consumable` or `product`; its lot, and what it is made of, only where they have a place."""
    if node is None:
        return None
    node.templates  # noqa: B018 read
    whole = node.one("manufacturedProduct")
    if whole is None:
        return None
    whole.templates  # noqa: B018 read
    material = whole.one("manufacturedMaterial") or whole.one("manufacturedLabeledDrug")
    maker = whole.one("manufacturerOrganization")
    manufacturer = actors.organization(maker, ctx) if maker is not None else None
    if material is None:
        return Product(None, None, None, manufacturer, None, [])
    material.templates  # noqa: B018 read
    code = values.concept(material.one("code"))
    name = values.said(material.one("name"))
    if name:
        code = {**(code or {}), "text": (code or {}).get("text", name)}
        if code["text"] != name:
            code["text"] = f"{name} ({code['text']})"
    number = values.said(material.one("lotNumberText")) if lot else None
    expires = values.date(material.one("expirationTime") or material.one("pharm:expirationTime")) if lot else None
    form = values.concept(material.one("pharm:formCode") or material.one("formCode")) if made else None
    return Product(code, number, expires, manufacturer, form, _ingredients(material) if made else [])


def _ingredients(material: Node) -> list[Resource]:
    """Active ingredients (pharm:ingredient), with their strength."""
    found = []
    for each in (*material.all("pharm:ingredient"), *material.all("ingredient")):
        each.get("classCode")
        entity = each.one("pharm:ingredient") or each.one("ingredient") or each.one("ingredientSubstance")
        if entity is None:
            continue
        code = values.concept(entity.one("pharm:code") or entity.one("code"))
        name = values.said(entity.one("pharm:name") or entity.one("name"))
        if name:
            code = {**(code or {}), "text": (code or {}).get("text", name)}
        if code is None:
            continue
        item: Resource = {"itemCodeableConcept": code}
        if strength := values.ratio(each.one("pharm:quantity") or each.one("quantity")):
            item["strength"] = strength
        found.append(item)
    return found


def medication(node: Node | None, ctx: Context) -> Resource:
    """`medicationCodeableConcept`; a contained Medication when the product says lot, maker, form or ingredients."""
    made = product(node, ctx)
    if made is None:
        return {"medicationCodeableConcept": values.absent_element(None)}
    if not (made.lot or made.expires or made.manufacturer or made.form or made.ingredients):
        return {"medicationCodeableConcept": made.code or values.absent_element(None)}
    resource: Resource = {"resourceType": "Medication", "id": "medication"}
    if made.code:
        resource["code"] = made.code
    if made.manufacturer:
        resource["manufacturer"] = made.manufacturer
    if made.form:
        resource["form"] = made.form
    if made.ingredients:
        resource["ingredient"] = made.ingredients
    batch = {name: value for name, value in (("lotNumber", made.lot), ("expirationDate", made.expires)) if value}
    if batch:
        resource["batch"] = batch
    return {"contained": [resource], "medicationReference": {"reference": "#medication"}}
