"""Whoever is named is told of once, in plain words, whatever he may act as."""

from __future__ import annotations

from fhirserver.portal.record.seers import Seer, united

DOCTOR = "DR Dominique SOIGNANT (10000000018)"


def row(who: str, *purposes: str, details: str = "", besides: tuple[str, ...] = (), named: bool = True) -> Seer:
    return Seer(who, details, purposes, (), besides, named)


def test_rows_of_one_person_are_one() -> None:
    told = [
        row(DOCTOR, "pour les soins", besides=("Médecin (SM25)",)),
        row(DOCTOR, "en urgence"),
        row(DOCTOR, "en urgence", details="Médecin, pour un établissement"),
    ]
    assert united(told) == [row(DOCTOR, "pour les soins", "en urgence")]


def test_what_adds_something_is_told_beside() -> None:
    told = [row(DOCTOR, "pour les soins"), row(DOCTOR, "en urgence", details="pour un établissement")]
    assert united(told) == told


def test_rows_of_nobody_by_name_stay_as_they_are() -> None:
    told = [row("Tout professionnel", each, besides=("Pharmacien",), named=False) for each in ("a", "b")]
    assert united(told) == told
