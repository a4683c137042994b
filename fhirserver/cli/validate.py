"""`fhirserver validate`: holds files to the profiles; exit status 1 when one has an error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from fhirserver import jsontext
from fhirserver.cli import Problem
from fhirserver.cli.definitions import french_and
from fhirserver.errors import FhirError
from fhirserver.outcome import Issue, outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from fhirserver.validation import Validator

ENDINGS: Final = (".json", ".xml")
STDIN: Final = "-"
FILE: Final = "http://hl7.org/fhir/StructureDefinition/operationoutcome-file"
"""HL7's extension that names the file an OperationOutcome is about."""


class Words(NamedTuple):
    """What the text report says."""

    valid: str
    refused: str
    at: str
    place: str
    sum: str


WORDS: Final = {
    "en": Words("valid", "refused", "at", "line {line}, column {column}", "{files} files, {refused} refused"),
    "fr": Words("valide", "refusé", "à", "ligne {line}, colonne {column}", "{files} fichiers, {refused} refusés"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="JSON or XML files, folders of them, - for stdin")
    parser.add_argument("--profile", action="append", default=[], metavar="CANONICAL", help="hold them to it too")
    parser.add_argument("--profiles", choices=("french", "core"), default="french", help="defaults of the types")
    parser.add_argument("--package", action="append", default=[], metavar="TGZ", type=Path, help="a published guide")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one OperationOutcome a file")
    parser.add_argument("--language", choices=tuple(WORDS), default="en", help="of the messages")
    parser.add_argument("--ins-key", action="store_true", help="refuse a matricule INS whose key is wrong")
    parser.add_argument("--ins-production", action="store_true", help="take only genuine INS of validated identities")
    parser.add_argument("--no-ins-consistency", action="store_true", help="do not compare an INS with its traits")


def run(options: argparse.Namespace) -> int:
    validator = _validator(options)
    words = WORDS[options.language]
    files = refused = 0
    for file in _files(options.files):
        issues = _issues(validator, file, options.profile, options.language)
        files += 1
        refused += any(issue.is_error for issue in issues)
        if options.format == "json":
            sys.stdout.buffer.write(jsontext.dump(_report(file, issues)) + b"\n")
        else:
            _print(file, issues, words)
    if files > 1 and options.format == "text":
        print(words.sum.format(files=files, refused=refused))
    return 1 if refused else 0


def _validator(options: argparse.Namespace) -> Validator:
    from fhirserver.validation import Validator
    from fhirserver.validation.ins import Rules

    ins = Rules(options.ins_key, not options.no_ins_consistency, options.ins_production)
    return Validator(french_and(options.package or ()), profile_set=options.profiles, ins=ins)


def _files(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        path = Path(name)
        if name == STDIN:
            yield name
        elif path.is_dir():
            found = (each for each in path.rglob("*") if each.suffix.lower() in ENDINGS and each.is_file())
            yield from map(str, sorted(found))
        elif path.exists():
            yield name
        else:
            raise Problem(f"{name} does not exist.")


def _issues(validator: Validator, file: str, profiles: Sequence[str], language: str) -> Sequence[Issue]:
    try:
        content = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        return [Issue("fatal", "exception", f"Cannot be read: {error.strerror}.")]
    try:
        return _judged(validator, content, _is_xml(file, content), profiles, language)
    except FhirError as error:
        return error.issues


def _is_xml(file: str, content: bytes) -> bool:
    """By the ending; what comes by stdin, and what has another ending, by how it begins."""
    ending = Path(file).suffix.lower()
    if ending in ENDINGS:
        return ending == ".xml"
    return content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"<", b"\xff\xfe", b"\xfe\xff"))


def _judged(validator: Validator, content: bytes, xml: bool, profiles: Sequence[str], language: str) -> Sequence[Issue]:
    if xml:
        from fhirserver import xmltext

        resource = xmltext.parse(content, validator.definitions)
    else:
        resource = jsontext.parse_object(content)
    issues = validator.check(resource, profiles, language=language)
    if not issues:
        return issues
    from fhirserver.validation import places

    return places.placed(issues, content, xml=xml)


def _report(file: str, issues: Sequence[Issue]) -> dict[str, object]:
    found = outcome(issues)
    return {"resourceType": found["resourceType"], "extension": [{"url": FILE, "valueString": file}], **found}


def _print(file: str, issues: Sequence[Issue], words: Words) -> None:
    print(f"{file}: {words.refused if any(issue.is_error for issue in issues) else words.valid}")
    for issue in issues:
        where = f" {words.at} {', '.join(issue.expression)}" if issue.expression else ""
        if issue.line is not None:
            where += f" ({words.place.format(line=issue.line, column=issue.column)})"
        rule = f" [{issue.rule}]" if issue.rule else ""
        print(f"  {issue.severity}{where}: {issue.text}{rule}")
