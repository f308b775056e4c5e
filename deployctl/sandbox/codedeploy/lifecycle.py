"""What one lifecycle event does on one worker: how long it takes and what the agent reports.

Source: aws/aws-codedeploy-agent, hook_executor.rb and command_executor.rb.
"""

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from deployctl.build.appspec import Script as Hook
from deployctl.build.lint_refusals import script_missing
from deployctl.build.lint_scripts import not_started
from deployctl.sandbox.codedeploy.bundle import ARCHIVE_DIR, Bundle, Script
from deployctl.sandbox.codedeploy.records import Diagnostics
from deployctl.sandbox.faults import WorkerFault, WorkerFaultKind

#: Faults that affect a script.
SCRIPT_FAULTS: Final[tuple[WorkerFaultKind, ...]] = (
    "hook-fails",
    "hook-killed",
    "hook-crlf",
    "hook-prints-progress",
    "hook-prints-bytes",
    "hook-leaves-output-open",
    "hook-hangs",
    "hook-stuck",
    "agent-restarts",
    "script-missing",
)
#: A timeout sends TERM and never KILL (agent v1.8.1): a script that ignores it holds its event this long.
STUCK_S: Final = 3600.0
LOG_TAIL_CHARS: Final = 2048
_PROGRESS_BAR: Final = "".join(f"\rDownloading {part / 2:.1f}%" for part in range(201))

#: A worker from its first event to its last, when nothing goes wrong (simulated seconds, as all here).
WORKER_S: Final = (50.0, 70.0)
#: An event that no agent starts fails after this (CodeDeploy guide, "codedeploy-agent").
UNANSWERED_S: Final = 300.0
#: A terminated instance can hold its deployment this long (acquia/moonshot#7).
GONE_S: Final = 3600.0
#: A stopping deployment waits this long for an instance that does not answer (a guess).
GIVE_UP_S: Final = 30.0
#: Each event's share of a worker's time. An event without a script to run takes no time.
_WEIGHTS: Final = {
    "ApplicationStop": 8.0,
    "DownloadBundle": 12.0,
    "BeforeInstall": 5.0,
    "Install": 9.0,
    "AfterInstall": 6.0,
    "ApplicationStart": 8.0,
    "ValidateService": 12.0,
}

#: Events that are the agent's own work: a hook of this name in the appspec never runs.
AGENTS_OWN: Final = ("DownloadBundle", "Install")

AGENT_SILENT: Final = Diagnostics(
    error_code="UnknownError",
    message=(
        "CodeDeploy agent was not able to receive the lifecycle event. Check the CodeDeploy agent logs on your "
        "host and make sure the agent is running and can connect to the CodeDeploy server."
    ),
)


AGENT_RESTARTED: Final = Diagnostics(
    error_code="UnknownError", message="Failing in-progress lifecycle event after an agent restart."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An event lasts `takes_s` simulated seconds and ends with these diagnostics."""

    takes_s: float
    diagnostics: Diagnostics

    @property
    def succeeded(self) -> bool:
        return self.diagnostics.error_code == "Success"


def durations_s(chance: random.Random, working: Collection[str]) -> dict[str, float]:
    """Simulated seconds of each event that has something to do; in total `WORKER_S`, regardless of the events."""
    total_s = chance.uniform(*WORKER_S)
    shares = {event: _WEIGHTS[event] * chance.uniform(0.8, 1.2) for event in working}
    whole = sum(shares.values())
    return {event: total_s * share / whole for event, share in shares.items()}


def scripts_of(event: str, *, bundle: Bundle, previous: Bundle | None) -> Sequence[Script]:
    """The scripts that an event runs. ApplicationStop's come from the last archive, not from the new one."""
    if event == "ApplicationStop":
        return previous.scripts.get(event, ()) if previous else ()
    if event in AGENTS_OWN:
        return ()
    return bundle.scripts.get(event, ())


def outcome(
    event: str,
    *,
    bundle: Bundle,
    scripts: Sequence[Script],
    fault: WorkerFault | None,
    usual_s: float,
    archive: str,
) -> Outcome:
    """How an event ends on a worker whose agent answers.

    `fault` is the fault that hit this event; `archive` is the directory the bundle is unpacked to.
    """
    refusal = _agent_refusal(event, bundle, fault)
    if refusal is not None:
        message = refusal.replace(ARCHIVE_DIR, archive)
        return Outcome(takes_s=usual_s, diagnostics=Diagnostics(error_code="UnknownError", message=message))
    if fault is not None and fault.kind == "agent-restarts":
        return Outcome(takes_s=usual_s, diagnostics=AGENT_RESTARTED)
    log = f"LifecycleEvent - {event}\n"
    for script in scripts:
        problem = _script_problem(script, fault, archive, log, usual_s)
        if problem is not None:
            return problem
        log += f"Script - {script.hook.location}\n"
    return Outcome(takes_s=usual_s, diagnostics=Diagnostics())


def _agent_refusal(event: str, bundle: Bundle, fault: WorkerFault | None) -> str | None:
    """The agent's own error at this event, before any script."""
    if event == "DownloadBundle":
        return fault.message if fault and fault.kind == "bundle-fails" else bundle.download_error
    if event == "BeforeInstall":
        return bundle.appspec_error
    if event == "Install":
        return bundle.install_error
    return None


def _script_problem(
    script: Script, fault: WorkerFault | None, archive: str, log: str, usual_s: float
) -> Outcome | None:
    hook = script.hook
    kind = fault.kind if fault else None
    refusal = script.refusal
    if kind == "script-missing":
        refusal = script_missing(hook.event, hook.location)
    elif kind == "hook-crlf":
        refusal = refusal or not_started(hook, [b"/bin/sh\r"])
    if refusal is None or refusal.code != "ScriptMissing":
        log += f"Script - {hook.location}\n"
    if refusal is None:
        return _fault_outcome(hook, fault, log, usual_s) if fault else None
    message = refusal.message.replace(ARCHIVE_DIR, archive)
    log += refusal.output.replace(ARCHIVE_DIR, archive)
    return _ended(hook, refusal.code, message, log, usual_s)


def _fault_outcome(hook: Hook, fault: WorkerFault, log: str, usual_s: float) -> Outcome | None:
    """How a script ends that this fault hits."""
    script = f"Script at specified location: {hook.location}"
    as_user = f"{script} run as user {hook.runas}" if hook.runas else script
    failed = f"{as_user} failed with exit code {fault.exit_code}"
    printed = log + "".join(f"[stderr]{line}\n" for line in fault.message.split("\n"))
    match fault.kind:
        case "hook-fails":
            return _ended(hook, "ScriptFailed", failed, printed, usual_s)
        case "hook-killed":
            # Ruby has no exit status for a process that a signal ended.
            return _ended(hook, "ScriptFailed", f"{as_user} failed with exit code ", printed, usual_s)
        case "hook-prints-progress":
            return _ended(hook, "ScriptFailed", failed, f"{log}[stdout]{_PROGRESS_BAR}\n", usual_s)
        case "hook-prints-bytes":
            # The agent can't write its report as JSON, and sends this instead.
            message, tail = "Attempting minimal diagnostics", "Exception JSON::GeneratorError occured"
            return _ended(hook, "UnknownError", message, tail, usual_s)
        case "hook-leaves-output-open":
            # The agent's own code for it, 6, is not in the API.
            return _ended(hook, "UnknownError", f"{script} failed to close STDOUT", printed, hook.limit_s)
        case "hook-hangs" | "hook-stuck":
            message = f"{script} failed to complete in {hook.limit_s} seconds"
            takes_s = STUCK_S if fault.kind == "hook-stuck" else hook.limit_s
            return _ended(hook, "ScriptTimedOut", message, log, takes_s)
    return None


def _ended(hook: Hook, error_code: str, message: str, log: str, takes_s: float) -> Outcome:
    diagnostics = Diagnostics(
        error_code=error_code, script_name=hook.location, message=message, log_tail=log_tail(log)
    )
    return Outcome(takes_s=takes_s, diagnostics=diagnostics)


def log_tail(log: str) -> str:
    """What the agent keeps of a log: the last whole lines, in all fewer than 2,048 characters.

    A carriage return ends no line, so a progress bar is one line.
    """
    kept: list[str] = []
    left = LOG_TAIL_CHARS
    for line in reversed(re.findall(r"[^\n]*\n|[^\n]+$", log)):
        left -= len(line)
        if left <= 0:
            break
        kept.append(line)
    return "".join(reversed(kept))
