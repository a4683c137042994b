"""Who a professional is, by the claims of Pro Santé Connect, and as whom he acts here.

`SubjectNameID` is the national identifier of a natural person (8 and the RPPS number; 0 and ADELI, which is no longer
issued; 3 to 6 and a structure's own number for its staff). `SubjectRefPro` lists the situations in which he practises:
profession (TRE_G15), specialty (TRE_R38), and the site with its FINESS number.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fhirserver.access import Delegate, Requester, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PROFESSIONS: Final = "1.2.250.1.213.1.1.5.5"
"""The table of roles whose codes `SubjectRole` bears: of a professional, his profession."""
PHYSICIAN: Final = "G15_10"
CARE: Final = "TREAT"
BROKEN_GLASS: Final = "BTG"
REGULATION: Final = "ETREAT"
MOST_REASON: Final = 500
_STUDENT: Final = "E"
_SPECIALTY: Final = "S"
_PERSON: Final = re.compile(r"8([0-9]{11})")
_STAFF: Final = re.compile(r"[13456][0-9A-Z]{8,14}/[\x21-\x7e]{1,64}")
_CODE: Final = re.compile(r"[0-9]{2}")
_SKILL: Final = re.compile(r"[A-Z0-9]{2,12}")
_FINESS: Final = re.compile(r"[1F]([0-9AB][0-9A-Z]{8})")
_SITE: Final = re.compile(r"[0-9AB][0-9A-Z]{8}")


class NotAccepted(Exception):
    """Somebody who cannot act here, or not so. `why`: one word for pages; the text is for who asks."""

    def __init__(self, why: str, text: str) -> None:
        super().__init__(text)
        self.why = why


class Situation(NamedTuple):
    """Where and as what a professional practises. `profession`: `G15_10`, or `G15_10/SM26` with the specialty;
    `organization`: FINESS, where the site has one; `site`: how the directory knows the site; `label`: its name."""

    profession: str
    organization: str | None
    site: str
    label: str

    @property
    def key(self) -> str:
        """Names it in a form, among those of one professional."""
        return hashlib.sha256("|".join((self.profession, self.site, self.label)).encode()).hexdigest()[:16]


class Professional(NamedTuple):
    """`id`: the national identifier as the provider gives it; `rpps`: 11 digits, None for staff. `situations`: each
    once. `current`: the one that he chose at the provider. `reason`: why he breaks the glass (Mode_Acces_Raison);
    `regulates`: whether he answers the calls of a SAMU (Acces_Regulation_Medicale)."""

    id: str
    rpps: str | None
    name: str | None
    situations: tuple[Situation, ...]
    current: Situation | None
    reason: str | None
    regulates: bool

    def situation(self, wanted: str | None = None) -> Situation:
        """The situation that is wanted, by its site, FINESS number or key; the one and only, or the current, else.

        Raises NotAccepted.
        """
        if wanted:
            found = [each for each in self.situations if wanted in (each.site, each.organization, each.key)]
            if len({(each.profession, each.organization) for each in found}) != 1:
                raise NotAccepted("situation", "The professional has no such situation, or more than one.")
            return found[0]
        if self.current is not None:
            return self.current
        if len(self.situations) == 1:
            return self.situations[0]
        raise NotAccepted("situation", "The professional has several situations, or none: say which one is meant.")

    def requester(
        self,
        situation: Situation,
        *,
        purpose: str | None = None,
        reason: str | None = None,
        delegate: Delegate | None = None,
    ) -> Requester:
        """As whom he acts; a purpose that is not said follows from his claims. Raises NotAccepted."""
        if self.rpps is None:
            raise NotAccepted("staff", "Staff act under the responsibility of a professional, who must be named too.")
        purpose, reason = self._purpose(situation, purpose, (reason or "").strip() or self.reason)
        return Requester(
            "practitioner",
            f"practitioner/{self.rpps}",
            rpps=self.rpps,
            profession=situation.profession,
            organization=situation.organization,
            name=self.name,
            purpose=purpose,
            reason=reason if purpose == BROKEN_GLASS else None,
            delegate=delegate,
        )

    def delegate(self) -> Delegate:
        """As whom he acts in another's place."""
        return Delegate(self.id, self.rpps, self.name)

    def _purpose(self, situation: Situation, asked: str | None, reason: str | None) -> tuple[str, str | None]:
        regulating = self.regulates and situation.profession.partition("/")[0] == PHYSICIAN
        purpose = asked or (BROKEN_GLASS if self.reason else REGULATION if regulating else CARE)
        if purpose not in tables.purposes():
            raise NotAccepted("purpose", "This purpose of use is no code of v3-PurposeOfUse.")
        if purpose == REGULATION and not regulating:
            raise NotAccepted("purpose", "Only a physician of a regulation centre has this purpose (ETREAT).")
        if purpose == BROKEN_GLASS and not reason:
            raise NotAccepted("purpose", "Breaking the glass takes a reason.")
        return purpose, reason and reason[:MOST_REASON]


def professional(claims: Mapping[str, Any]) -> Professional:
    """The professional, or member of staff, of whom Pro Santé Connect speaks. Raises NotAccepted."""
    number = claims.get("SubjectNameID") or claims.get("preferred_username")
    if not isinstance(number, str):
        raise NotAccepted("identity", "The provider does not say who it is (SubjectNameID).")
    person = _PERSON.fullmatch(number)
    if person is None and not _STAFF.fullmatch(number):
        raise NotAccepted(
            "identity", "The national identifier is neither an RPPS number nor one of a structure's staff."
        )
    situations = tuple(dict.fromkeys(_situations(claims)))
    return Professional(
        number,
        person[1] if person else None,
        _name(claims),
        situations,
        _current(claims, situations),
        _text(claims, "Mode_Acces_Raison")[:MOST_REASON] or None,
        _text(claims, "Acces_Regulation_Medicale").upper() in ("VRAI", "TRUE", "1"),
    )


def _situations(claims: Mapping[str, Any]) -> Iterator[Situation]:
    reference = claims.get("SubjectRefPro")
    for exercise in _objects(reference.get("exercices") if isinstance(reference, dict) else None):
        profession = _profession(exercise)
        if profession is None:
            continue
        activities = _objects(exercise.get("activities")) or [{}]
        for each in activities:
            site = _text(each, "identifiantTechniqueDeLaStructure") or _text(each, "ancienIdentifiantDeLaStructure")
            number = _text(each, "numeroFinessSite")
            label = _text(each, "enseigneCommercialeSite") or _text(each, "raisonSocialeSite")
            finess = number if _SITE.fullmatch(number) else _finess(site)
            yield Situation(profession, finess, site, label[:200])


def _profession(exercise: Mapping[str, Any]) -> str | None:
    """`G15_10` or `G15_10/SM26`; None for a student, who is no professional yet, and where there is none."""
    code, skill = _text(exercise, "codeProfession"), _text(exercise, "codeSavoirFaire")
    if not _CODE.fullmatch(code) or _text(exercise, "codeCategorieProfessionnelle") == _STUDENT:
        return None
    specialised = _text(exercise, "codeTypeSavoirFaire") == _SPECIALTY and _SKILL.fullmatch(skill)
    return f"G15_{code}/{skill}" if specialised else f"G15_{code}"


def _current(claims: Mapping[str, Any], situations: Sequence[Situation]) -> Situation | None:
    """The situation that `SubjectOrganizationID` and `SubjectRole` name; made of them when no list is given."""
    site = _text(claims, "SubjectOrganizationID")
    roles = [each for each in _list(claims.get("SubjectRole")) if isinstance(each, str)]
    codes = {code for code, _, table in (each.partition("^") for each in roles) if table == PROFESSIONS}
    professions = {f"G15_{code}" for code in codes if _CODE.fullmatch(code)}
    if not situations and len(professions) == 1:
        return Situation(professions.pop(), _finess(site), site, _text(claims, "SubjectOrganization")[:200])
    organization = _finess(site)
    found = [
        each
        for each in situations
        if site and (each.site == site or (organization is not None and each.organization == organization))
    ]
    if professions:
        found = [each for each in found if each.profession.partition("/")[0] in professions]
    return found[0] if len({(each.profession, each.organization) for each in found}) == 1 else None


def _finess(site: str) -> str | None:
    found = _FINESS.fullmatch(site)
    return found[1] if found else None


def _name(claims: Mapping[str, Any]) -> str | None:
    return " ".join(each for each in (_text(claims, "given_name"), _text(claims, "family_name")) if each)[:200] or None


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if isinstance(value, bool):
        return "true" if value else ""
    return value.strip() if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in _list(value) if isinstance(each, dict)]
