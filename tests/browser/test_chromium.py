"""The browser driver detects what a page must not do; the other tests rely on that."""

import pytest

from tests.browser.chromium import BrowserFailed

BAD = """<!doctype html><meta http-equiv="Content-Security-Policy" content="script-src 'self'; img-src 'self'">
<title>bad</title><img src="other.png"><button onclick="go()">go</button>"""


@pytest.fixture
def bad(browser, tmp_path):
    (tmp_path / "bad.html").write_text(BAD)
    page = browser.open((tmp_path / "bad.html").as_uri())
    yield page
    page.close()


def test_the_driver_records_requests_of_a_page(bad):
    assert [r.rpartition("/")[2] for r in bad.requests] == ["bad.html", "other.png"]


def test_the_driver_records_violations_of_the_policy(bad):
    bad.click("button")
    bad.ask("1")
    assert any("Content Security Policy" in complaint for complaint in bad.complaints)


def test_the_driver_records_errors_and_console_messages(bad):
    bad.ask("console.warn('careful'), setTimeout(() => { throw new Error('oh no') }), undefined")
    bad.ask("new Promise((done) => setTimeout(done, 20))")
    assert "careful" in bad.complaints
    assert any("oh no" in complaint for complaint in bad.complaints)


def test_an_exception_of_an_evaluated_expression_is_raised(bad):
    with pytest.raises(BrowserFailed, match="nowhere"):
        bad.ask("nowhere.at.all")
