"""The files that `deployctl init` writes beside deployctl.toml, one set a kind of worker."""

import re
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from deployctl import assets
from deployctl.build.appspec import NAME

KINDS = ("plain",)
_HOOKS = "deploy/hooks"


class InitFile(NamedTuple):
    content: bytes
    executable: bool


def init_files(kind: str = "plain", *, unit: str | None = None) -> Mapping[str, InitFile]:
    """Path in the user's repository → file: the appspec and its hooks. `kind` is one of KINDS.

    `unit` is the systemd unit that runs the worker, "" if none does; None keeps the template's, named like the
    application.
    """
    files = {NAME: InitFile(content=(assets.appspec_dir() / f"{kind}.yml").read_bytes(), executable=False)}
    for path in sorted((assets.hooks_dir() / kind).iterdir()):
        content = path.read_bytes()
        if unit is not None and path.name == "worker.env":
            line = b"UNIT=" + (shlex.quote(unit).encode() if unit else b"")
            content = re.sub(rb"(?m)^UNIT=.*$", lambda _: line, content)  # noqa: B023 - called at once
        # By content: an installer may have dropped the run bits.
        files[f"{_HOOKS}/{path.name}"] = InitFile(content=content, executable=content.startswith(b"#!"))
    return files
