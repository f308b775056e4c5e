from collections.abc import Callable
from pathlib import Path

import pytest

from deployctl.config.document import parse
from deployctl.config.load import settings_of
from deployctl.config.problems import InvalidConfiguration
from tests.fakes.configuration import FOUR_LINES


@pytest.fixture
def four_lines() -> str:
    return FOUR_LINES


@pytest.fixture
def load():
    def load_text(text, *, environment=None, flags=None):
        document = parse(text, path=Path("/repo/deployctl.toml"), label="deployctl.toml")
        return settings_of(document, environment=environment or {}, flags=flags or {})

    return load_text


@pytest.fixture
def problems_of(load) -> Callable[..., list[str]]:
    """Every problem of a text that has some, as it is printed."""

    def problems(text, **said):
        with pytest.raises(InvalidConfiguration) as caught:
            load(text, **said)
        return [str(problem) for problem in caught.value.problems]

    return problems
