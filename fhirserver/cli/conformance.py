"""`fhirserver conformance`: runs TestScripts against any FHIR R4 server, and lists those that ship."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fhirserver import jsontext
from fhirserver.cli import Problem, token
from fhirserver.cli.definitions import french_and
from fhirserver.errors import FhirError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fhirserver.conformance import Script, ScriptResult
    from fhirserver.conformance.operating import Server
    from fhirserver.conformance.state import Given
    from fhirserver.spec import Definitions

REPORT: Final = {"html": "report.html", "junit": "report.xml", "json": "report.json", "testreport": "testreport.json"}


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run_ = actions.add_parser("run", help="run suites against a server", allow_abbrev=False)
    run_.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="TestScripts or folders; default: all suites")
    run_.add_argument(
        "--base", action="append", required=True, metavar="URL", help="FHIR base; once more for a second destination"
    )
    run_.add_argument(
        "--suite", action="append", default=[], metavar="NAME", help="a suite that ships; may be repeated"
    )
    run_.add_argument(
        "--token", action="append", default=[], metavar="[ROLE=]TOKEN", help="bearer token, of a role of the scripts"
    )
    run_.add_argument("--client", metavar="ID", help="a backend service for the role system")
    run_.add_argument("--key", type=Path, metavar="FILE", help="its private key, a JWK with a kid")
    run_.add_argument("--roles", type=Path, metavar="FILE.json", help='{"tokens": {role: token}, "variables": {…}}')
    run_.add_argument("--variable", action="append", default=[], metavar="NAME=VALUE", help="a variable of the scripts")
    run_.add_argument("--package", action="append", default=[], metavar="TGZ", help="a guide with profiles")
    run_.add_argument("--report", choices=sorted(REPORT), help="what to write beside the summary")
    run_.add_argument("--output", type=Path, metavar="FILE", help="where the report goes (default: report.html, …)")
    run_.add_argument("--parallel", type=int, default=4, help="scripts at a time (default 4)")
    prepare = actions.add_parser("prepare", help="make the people that the suites need", allow_abbrev=False)
    prepare.add_argument("--base", required=True, metavar="URL", help="FHIR base of a development server")
    prepare.add_argument(
        "--data", "--embedded", dest="data", required=True, metavar="DIR", help="its folder, with its key"
    )
    prepare.add_argument("--output", type=Path, default=Path("roles.json"), metavar="FILE", help="default roles.json")
    prepare.add_argument("--lifetime", type=int, default=7200, metavar="SECONDS", help="of the tokens, default 7200")
    actions.add_parser("list", help="list the suites that ship", allow_abbrev=False)
    coverage = actions.add_parser("coverage", help="which tests check which requirement", allow_abbrev=False)
    coverage.add_argument("--output", type=Path, metavar="FILE.md", help="default: standard output")


def run(options: argparse.Namespace) -> int:
    return _ACTIONS[options.action](options)


def _list(_: argparse.Namespace) -> int:
    from fhirserver.conformance import collect
    from fhirserver.conformance.shipped import folder
    from fhirserver.spec import Definitions

    found: dict[str, list[Script]] = {}
    for script in collect([folder()], Definitions.french()):
        found.setdefault(script.suite, []).append(script)
    for suite, scripts in found.items():
        tests = sum(len(each.resource.get("test", ())) for each in scripts)
        print(f"{suite:24}{len(scripts):4} scripts {tests:4} tests")
    return 0


def _coverage(options: argparse.Namespace) -> int:
    from fhirserver.conformance import collect, coverage
    from fhirserver.conformance.requirements import requirements
    from fhirserver.conformance.shipped import folder
    from fhirserver.spec import Definitions

    text = coverage.page(requirements(), collect([folder()], Definitions.core()))
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


def _prepare(options: argparse.Namespace) -> int:
    from fhirserver.conformance import preparing

    def mint(role: preparing.Role) -> str:
        words = ["--data", options.data, f"--{role.kind}", *([role.value] if role.value else [])]
        words += ["--profession", role.profession] if role.profession else []
        words += ["--organization", role.organization] if role.organization else []
        words += ["--purpose", "BTG", "--reason", role.emergency] if role.emergency else []
        words += ["--purpose", role.purpose] if role.purpose else []
        parser = argparse.ArgumentParser(allow_abbrev=False)
        token.arguments(parser)
        return token.minted(parser.parse_args([*words, "--lifetime", str(options.lifetime)]))

    try:
        told = preparing.prepare(options.base.rstrip("/"), mint)
    except (preparing.BackendError, preparing.PreparingError, preparing.WireError) as error:
        raise Problem(str(error)) from None
    options.output.touch(mode=0o600)
    options.output.write_bytes(jsontext.pretty(told))
    print(f"{len(told['tokens'])} roles: {options.output}")
    return 0


def _run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from fhirserver.conformance import Campaign, ScriptError
    from fhirserver.conformance.reports import REPORTS

    definitions = french_and(options.package)
    try:
        scripts = _scripts(options, definitions)
    except ScriptError as error:
        raise Problem(str(error)) from None
    servers, variables = _servers(options, scripts)
    campaign = Campaign(servers, definitions, _validating(definitions), variables, parallel=max(1, options.parallel))
    results: list[ScriptResult] = []
    with tqdm(total=len(scripts), unit="script", file=sys.stderr, disable=None) as bar:
        try:
            for each in campaign.run(scripts):
                results.append(each)
                bar.update()
        except KeyboardInterrupt:
            campaign.stop()
    if options.report:
        file = options.output or Path(REPORT[options.report])
        file.write_bytes(REPORTS[options.report](results, servers[1].base))
        print(f"report: {file}")
    return _summed(results, len(scripts))


def _summed(results: Sequence[ScriptResult], expected: int) -> int:
    """Prints the sums and the failed tests; the exit status."""
    from fhirserver.conformance.reports.plain import counted

    for each in sorted(results, key=lambda found: (found.suite, found.name)):
        for test in (each.setup, *each.tests):
            if test is not None and test.failed:
                step = next(step for step in test.steps if step.verdict in ("fail", "error"))
                print(f"FAIL {each.suite}/{each.name}: {test.name}: {step.label}: {step.text}")
        if each.skipped:
            print(f"SKIP {each.suite}/{each.name}: {each.skipped}")
    told = counted(results)
    failed = told["fail"] + told["error"]
    print(f"{told['pass']} tests passed, {failed} failed, {told['skip']} not run")
    if len(results) < expected:
        print(f"stopped: {expected - len(results)} scripts were not begun")
        return 130
    return 1 if failed or not told["pass"] else 0


def _servers(options: argparse.Namespace, scripts: Sequence[Script]) -> tuple[dict[int, Server], dict[str, Given]]:
    """The destinations by index, and the variables that are given."""
    from fhirserver.conformance import backend
    from fhirserver.conformance.operating import Server

    told = _object(options.roles) if options.roles else {}
    tokens: dict[str, str] = dict(told.get("tokens", {}))
    variables: dict[str, Given] = dict(told.get("variables", {}))
    for each in options.token:
        role, equals, token = each.partition("=")
        tokens[role if equals else ""] = token if equals else each
    for each in options.variable:
        name, equals, value = each.partition("=")
        if not equals:
            raise Problem(f"--variable {each}: write NAME=VALUE.")
        variables[name] = value
    for base in options.base:
        if not base.startswith(("http://", "https://")):
            raise Problem(f"--base {base}: an http or https address is needed.")
    bases = [each.rstrip("/") for each in options.base]
    if any(backend.ROLE in each.origins().values() for each in scripts) and (client := _client(options, told)):
        token, more = _backend(client, bases[0])
        tokens[backend.ROLE] = token
        variables |= more
    return {n: Server(base, tokens) for n, base in enumerate(bases, 1)}, variables


def _client(options: argparse.Namespace, roles: dict[str, Any]) -> dict[str, Any] | None:
    """The backend service that is named, or that the file of roles has: `id` and `key`."""
    if bool(options.client) != bool(options.key):
        raise Problem("--client ID and --key FILE go together.")
    return {"id": options.client, "key": _object(options.key)} if options.client else roles.get("client")


def _backend(client: dict[str, Any], base: str) -> tuple[str, dict[str, Given]]:
    """A token of the backend service, and the assertions that scripts try."""
    from fhirserver.conformance.backend import Backend, BackendError
    from fhirserver.conformance.wire import WireError

    try:
        service = Backend(str(client["id"]), client["key"])
        return service.token(base), service.variables(base)
    except (BackendError, WireError) as error:
        raise Problem(f"client {client['id']}: {error}.") from None


def _object(file: Path) -> dict[str, Any]:
    try:
        return jsontext.parse_object(file.read_bytes())
    except (OSError, FhirError) as error:
        raise Problem(f"{file} cannot be read: {error}") from None


def _scripts(options: argparse.Namespace, definitions: Definitions) -> list[Script]:
    from fhirserver.conformance import collect
    from fhirserver.conformance.shipped import folder

    known = {each.name for each in folder().iterdir() if each.is_dir()} if folder().is_dir() else set()
    if unknown := [each for each in options.suite if each not in known]:
        raise Problem(f"there is no suite {', '.join(unknown)}; there are {', '.join(sorted(known))}.")
    paths = [*options.paths, *(folder() / each for each in options.suite)]
    scripts = list(collect(paths or [folder()], definitions))
    if not scripts:
        raise Problem("there are no TestScripts in what was named.")
    return scripts


def _validating(definitions: Definitions) -> Callable[[dict[str, Any], str], Sequence[str]]:
    from fhirserver.validation import Validator

    validator = Validator(definitions, profile_set="core")

    def errors(resource: dict[str, Any], profile: str) -> Sequence[str]:
        found = validator.check(resource, [profile])
        return [f"{', '.join(each.expression)}: {each.text}" for each in found if each.is_error]

    return errors


_ACTIONS: Final = {"run": _run, "list": _list, "prepare": _prepare, "coverage": _coverage}
