"""Lints the appspec and its hooks by what the CodeDeploy agents do with them. docs/lint.md has the cases."""

import json
from collections.abc import Iterator, Sequence

from deployctl.build import lint_refusals as refusals
from deployctl.build.appspec import NAME, Appspec
from deployctl.build.bundle_files import Files
from deployctl.build.lint_appspec import parse
from deployctl.build.lint_findings import ONLY_V1, Finding, Severity, error, warning
from deployctl.build.lint_hooks import EVENTS
from deployctl.build.lint_install import install_findings
from deployctl.build.lint_scripts import script_findings
from deployctl.build.tree import Entry, Kind, display_path
from deployctl.errors import UsageError

_OTHER_NAME = "appspec.yaml"


class AppspecInvalid(UsageError, code="appspec-invalid"):
    """CodeDeploy would fail with this appspec.yml.

    Remedy: correct each error, then run the same command again; or add --lint=warn to build it as it is.
    `findings` are all that was found, warnings too; `details` are the errors.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = errors_of(findings)
        fix = errors[0].fix if len(errors) == 1 else "correct each error, then run the same command again"
        super().__init__(
            f"{NAME} and its hooks would fail on a worker: {len(errors)} error{'s' if len(errors) > 1 else ''}"
            " (--lint=warn builds it as it is)",
            noun=errors[0].path,
            remedy=fix,
            details=tuple(str(finding) for finding in errors),
        )
        self.findings = tuple(findings)


def lint(files: Files) -> tuple[Appspec, list[Finding]]:
    """The appspec and every finding, errors first. Never raises; see `refuse_errors`."""
    appspec, findings = agent_findings(files)
    findings += [finding for entry in files for finding in _name(entry, files)]
    return appspec, sorted(findings, key=_display_order)


def agent_findings(files: Files) -> tuple[Appspec, list[Finding]]:
    """The appspec and what the agents make of it, in the order in which agent v1 meets it."""
    entry = files.find(NAME.encode())
    if entry is None:
        return Appspec(), [_missing(files)]
    appspec, findings = parse(files.start(entry))
    findings += install_findings(appspec, files)
    for script in appspec.scripts:
        if script.event in EVENTS:
            findings += script_findings(script, files)
    if files.find(_OTHER_NAME.encode()) is not None:
        message = f"the agent reads {NAME} and ignores this file"
        findings.append(warning(_OTHER_NAME, message, f"git rm {_OTHER_NAME}"))
    return appspec, list(dict.fromkeys(findings))


def errors_of(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Raises: AppspecInvalid if any finding is an error."""
    if errors_of(findings):
        raise AppspecInvalid(findings)


def _display_order(finding: Finding) -> tuple[bool, bool, int]:
    return finding.severity is Severity.WARNING, finding.path != NAME, finding.line or 0


def _missing(files: Files) -> Finding:
    refusal = refusals.missing_appspec()
    if files.find(_OTHER_NAME.encode()) is not None:
        message = f"the CodeDeploy agent reads {NAME} and nothing else"
        fix = f"git mv {_OTHER_NAME} {NAME}"
        return error(_OTHER_NAME, message, fix, refusal=refusal, fails_on=ONLY_V1)
    folders = [entry.path.rpartition(b"/")[0] for entry in files if entry.path.endswith(b"/" + NAME.encode())]
    if folders:
        root = json.dumps(display_path(min(folders)), ensure_ascii=False)
        fix = f"set [build] root = {root} in deployctl.toml, the folder that has one"
    else:
        fix = "deployctl init   # writes one that works"
    return error(NAME, "it is missing at the bundle's root", fix, refusal=refusal)


def _name(entry: Entry, files: Files) -> Iterator[Finding]:
    """Names the agent cannot handle, and links out of the bundle. Source: the agent's installer.rb."""
    path = display_path(entry.path)
    if b"\n" in entry.path:
        message = "the agent keeps its list of files by lines and would not remove it later"
        yield warning(path, f"its name has a newline; {message}", "rename it, or exclude it")
    try:
        entry.path.decode("utf-8")
    except UnicodeDecodeError:
        message = "its name is not UTF-8, which may fail the agent's Install"
        yield warning(path, message, "rename it, or exclude it")
    target = files.leaves(entry) if entry.kind is Kind.SYMLINK else None
    if target is not None:
        message = f"it links to {display_path(target)}, outside the bundle"
        yield warning(path, message, "make sure that every worker has it")
