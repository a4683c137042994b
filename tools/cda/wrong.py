"""Documents that are wrong, each in one way: what a server has to refuse, or to keep with a warning."""

from __future__ import annotations

from typing import Final

from tools.cda import level1
from tools.cda.header import Document, written

_BODY: Final = "<ClinicalDocument"


def _good() -> str:
    return written(level1.DOCUMENTS["l1-compte-rendu"]).decode()


def _without(start: str, end: str) -> bytes:
    good = _good()
    first = good.index(start)
    return (good[:first] + good[good.index(end, first) + len(end) :]).encode()


def _with(old: str, new: str) -> bytes:
    good = _good()
    if old not in good:
        raise LookupError(old)
    return good.replace(old, new, 1).encode()


def findings() -> dict[str, tuple[bytes, str]]:
    """Name to file and to the rule that it breaks."""
    masked = Document(401, ("34112-3", "CR hospitalier (séjour)"), "Compte rendu", b"pas un PDF")
    return {
        "sans-titre": (_without("<title", "</title>"), "cda-title"),
        "sans-set-id": (_without("<setId", "/>"), "cda-set-id"),
        "sans-patient": (_without("<recordTarget", "</recordTarget>"), "cda-record-target"),
        "sans-auteur": (_without("<author>", "</author>"), "cda-author"),
        "sans-valideur": (_without("<legalAuthenticator", "</legalAuthenticator>"), "cda-legal-authenticator"),
        "sans-conservateur": (_without("<custodian", "</custodian>"), "cda-custodian"),
        "sans-acte": (_without("<documentationOf", "</documentationOf>"), "cda-documentation-of"),
        "sans-rencontre": (_without("<componentOf", "</componentOf>"), "cda-component-of"),
        "sans-corps": (_without("<component>", "</component>"), "cda-body"),
        "ins-sans-naissance": (_without("<birthTime", "/>"), "cda-ins-birth-date"),
        "ins-sans-lieu": (_without("<birthplace", "</birthplace>"), "cda-ins-birth-place"),
        "ins-sans-nom": (_with('qualifier="BR">RENARD', ">RENARD"), "cda-ins-birth-name"),
        "date-sans-fuseau": (_with("20260305101500+0100", "20260305101500"), "cda-effective-time"),
        "autre-pays": (_with('code="FR"', 'code="BE"'), "cda-realm"),
        "type-inconnu": (_with('code="34112-3"', 'code="99999-9"'), "cda-code"),
        "base64-faux": (_with("JVBERi0x", "JVBERi0#"), "cda-base64"),
        "pas-un-pdf": (written(masked), "cda-not-pdf"),
        "empreinte-fausse": (
            _with('representation="B64">', 'representation="B64" integrityCheck="AAAAAAAAAAAAAAAAAAAAAAAAAAA=">'),
            "cda-integrity",
        ),
    }


def refused() -> dict[str, bytes]:
    """Name to file: no CDA, unsafe, or without what names it."""
    good = _good()
    start = good.index(_BODY)
    body = good[start:]
    bomb = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(8))
    return {
        "sans-id": _without('<id root="1.2.250.1.213.99.7.101"', "/>"),
        "tronque": good[: len(good) // 2].encode(),
        "pas-du-cda": b'<?xml version="1.0"?>\n<facture xmlns="urn:autre"><total>12</total></facture>\n',
        "entite-externe": (
            '<!DOCTYPE ClinicalDocument [<!ENTITY f SYSTEM "file:///etc/passwd">]>\n' + body.replace("PARIS", "&f;", 1)
        ).encode(),
        "bombe": (
            f'<!DOCTYPE ClinicalDocument [<!ENTITY a "aaaaaaaaaa">{bomb}]>\n' + body.replace("PARIS", "&i;", 1)
        ).encode(),
        "dtd-externe": ('<!DOCTYPE ClinicalDocument SYSTEM "http://192.0.2.1/cda.dtd">\n' + body).encode(),
        "trop-profond": body.replace("<component>", "<component>" + "<a>" * 150 + "</a>" * 150, 1).encode(),
        "mauvais-encodage": good.replace("UTF-8", "UTF-16", 1).encode(),
    }


def documents() -> dict[str, bytes]:
    """Name to file, all of them."""
    return {**{name: data for name, (data, _) in findings().items()}, **refused()}
