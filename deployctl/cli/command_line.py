"""Command lines that a message offers for typing: the same one again, a corrected one, `attach`."""

import sys

from deployctl.cli.context import CliContext
from deployctl.model.command import shell_command, with_note


def attach_command(options: CliContext) -> str:
    """Resumes an interrupted release or repair."""
    where = ["--config", str(options.config_path)] if options.config_path is not None else []
    return with_note(shell_command("deployctl", "attach", *where), "resumes watching and tagging")


def rerun_command() -> str:
    """What was typed, with every option: without its --group, a release would go to every group."""
    return shell_command("deployctl", *sys.argv[1:])


def corrected_command(typo: str, right: str) -> str:
    """What was typed, with one word corrected: a command, an option, or a value within an option's list."""
    return shell_command("deployctl", *(_corrected(word, typo, right) for word in sys.argv[1:]))


def _corrected(word: str, typo: str, right: str) -> str:
    name, equals, value = word.rpartition("=")
    values = ",".join(right if each.strip() == typo else each for each in value.split(","))
    return (right if name == typo else name) + equals + values
