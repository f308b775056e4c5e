"""What the shell offers after Tab."""

from __future__ import annotations

import socket
import time

import pytest

from deployctl.cli.completion import LIMIT_S


@pytest.fixture
def complete(repository):
    """The words offered for the last word of a command line."""

    def complete(line: str, **env: str) -> list[str]:
        words = line.split(" ")
        done = repository.deployctl(
            env={
                "_DEPLOYCTL_COMPLETE": "complete_bash",
                "COMP_WORDS": line,
                "COMP_CWORD": str(len(words) - 1),
                **env,
            }
        )
        assert (done.code, done.stderr) == (0, "")
        return done.stdout.split()

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("deployctl rel", ["release"]),
        ("deployctl sandbox scale-", ["scale-out", "scale-in"]),
        ("deployctl release --dry", ["--dry-run"]),
        ("deployctl release v5 --strategy ", ["one", "half", "all", "25%", "50%", "75%"]),
        ("deployctl release v5 --on-failure ro", ["rollback"]),
        ("deployctl reconcile --category fa", ["failed"]),
        ("deployctl reconcile --fail-on failed,st", ["failed,stale"]),
    ],
)
def test_commands_options_and_fixed_values_are_completed(complete, line, offered):
    assert complete(line, AWS_ENDPOINT_URL="http://127.0.0.1:9") == offered


def test_groups_and_published_versions_are_completed(complete, repository, fleet):
    assert complete("deployctl release v5 --group mail-") == ["mail-send"]
    assert "mail-send" in complete("deployctl explain ")
    assert repository.deployctl("push", "v-complete").code == 0
    assert complete("deployctl release v-com") == ["v-complete"]
    assert complete("deployctl rollback --to v-com") == ["v-complete"]
    assert complete("deployctl --config nowhere.toml rollback --to v-com") == []


@pytest.mark.parametrize("line", ["deployctl release v", "deployctl status --group ", "deployctl logs "])
def test_without_an_answer_nothing_is_offered(complete, repository, line):
    assert complete(line, AWS_ENDPOINT_URL="http://127.0.0.1:9") == []
    (repository.folder / "deployctl.toml").unlink()
    assert complete(line) == []


def test_a_completion_gives_up_soon_on_a_service_that_hangs(complete, hanging_endpoint):
    url, elapsed_s = hanging_endpoint
    assert complete("deployctl status --group ", AWS_ENDPOINT_URL=url) == []
    assert elapsed_s() < LIMIT_S + 8  # the process starts on a busy machine; AWS would be tried for minutes


@pytest.fixture
def hanging_endpoint():
    """A port that accepts connections and never answers; and the seconds since the fixture began."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", lambda: time.monotonic() - began
