"""A browser that all tests of a session share; without one they are skipped, unless one is required."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployctl.model.report import FleetReport
from deployctl.report.html.page import page
from tests.browser.chromium import Chromium, Page, find

#: Set where a browser must be there, as in CI: a test that is skipped there would look like one that passed.
REQUIRED_VARIABLE = "DEPLOYCTL_TEST_BROWSER"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = find()
    if program is None:
        missing = "there is no Chromium on this machine: `make browser` installs one, or says how"
        if os.environ.get(REQUIRED_VARIABLE) == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    with Chromium(program, tmp_path_factory.mktemp("chromium")) as running:
        yield running


Open = Callable[..., Page]


@pytest.fixture
def opened(browser: Chromium, tmp_path: Path) -> Iterator[Open]:
    """Open the page of this report as a file. In the end it must have asked for nothing and complained of nothing."""
    pages = []

    def open_page(report: FleetReport, *, fragment: str = "", **how: object) -> Page:
        file = tmp_path / f"report-{len(pages)}.html"
        file.write_text(page(report), encoding="utf-8")
        found = browser.open(f"{file.as_uri()}{fragment}", **how)  # type: ignore[arg-type]
        pages.append((found, file.as_uri()))
        return found

    yield open_page
    for found, address in pages:
        found.ask("1")  # whatever is still to be said comes before the answer
        assert found.complaints == []
        assert {r.partition("#")[0] for r in found.requests if not r.startswith("data:")} == {address}
        found.close()
