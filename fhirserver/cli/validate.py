"""`fhirserver validate`: holds files to the profiles; exit status 1 when one has an error."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.cli import Problem
from fhirserver.errors import FhirError
from fhirserver.outcome import Issue, outcome

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from fhirserver.validation import Validator

ENDINGS: Final = (".json", ".xml")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="JSON or XML files, or folders of them")
    parser.add_argument("--profile", action="append", default=[], metavar="CANONICAL", help="hold them to it too")
    parser.add_argument("--profiles", choices=("french", "core"), default="french", help="defaults of the types")
    parser.add_argument("--package", action="append", default=[], metavar="TGZ", type=Path, help="a published guide")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one OperationOutcome a file")


def run(options: argparse.Namespace) -> int:
    validator = _validator(options.package, options.profiles)
    failed = False
    for file in _files(options.files):
        issues = _issues(validator, file, options.profile)
        failed = failed or any(issue.is_error for issue in issues)
        if options.format == "json":
            sys.stdout.buffer.write(jsontext.dump(outcome(issues)) + b"\n")
        else:
            _print(file, issues)
    return 1 if failed else 0


def _validator(packages: Sequence[Path], profiles: str) -> Validator:
    from fhirserver.spec import Definitions, Package
    from fhirserver.validation import Validator

    definitions = Definitions.french()
    if packages:
        try:
            definitions = Definitions([*definitions.packages, *(Package.from_tgz(each) for each in packages)])
        except (OSError, ValueError) as error:
            raise Problem(f"cannot read a package: {error}") from None
    return Validator(definitions, profile_set=profiles)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.suffix.lower() in ENDINGS and each.is_file())
        elif path.exists():
            yield path
        else:
            raise Problem(f"{path} does not exist.")


def _issues(validator: Validator, file: Path, profiles: Sequence[str]) -> Sequence[Issue]:
    try:
        return validator.check(_resource(validator, file), profiles)
    except FhirError as error:
        return error.issues
    except OSError as error:
        return [Issue("fatal", "exception", f"Cannot be read: {error.strerror}.")]


def _resource(validator: Validator, file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    if file.suffix.lower() != ".xml":
        return jsontext.parse_object(content)
    from fhirserver import xmltext

    return xmltext.parse(content, validator.definitions)


def _print(file: Path, issues: Sequence[Issue]) -> None:
    verdict = "refused" if any(issue.is_error for issue in issues) else "valid"
    print(f"{file}: {verdict}")
    for issue in issues:
        where = f" at {', '.join(issue.expression)}" if issue.expression else ""
        rule = f" [{issue.rule}]" if issue.rule else ""
        print(f"  {issue.severity}{where}: {issue.text}{rule}")
