"""The whole page: its parts in order, inline style and script, and a policy that allows no other."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from deployctl import __version__
from deployctl.model.report import FleetReport
from deployctl.report.formatting import sanitize
from deployctl.report.html import groups, header, timeline, version_chart, workers
from deployctl.report.html.components import BAD, BUSY, GOOD, REST
from deployctl.report.html.markup import Html, element

_ICON_COLOURS = {GOOD: "%231a7f37", BAD: "%23cf222e", BUSY: "%239a6700", REST: "%236e7781"}


def page(report: FleetReport) -> str:
    """One HTML document that loads nothing, whatever names, messages and logs it contains."""
    tone, sentence = header.verdict(report)
    style, script = _shipped("page.css"), _shipped("page.js")
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{sanitize(report.application)}: {sentence}"),
        element("link", rel="icon", href=_icon(tone)),
        element("style", Html(style)),
    ]
    body = [
        element("a", "Skip to the workers", href="#workers-section", class_="skip"),
        header.header(report),
        element(
            "main",
            workers.remedies(report),
            workers.table(report),
            timeline.timelines(report),
            version_chart.skew(report),
            groups.groups(report),
            groups.releases(report),
        ),
        header.footer(report, tool_version=__version__),
        element("div", id="copied", role="status", aria_live="polite"),
        workers.data(report),
        element("script", Html(script)),
    ]
    html = element("html", element("head", head), element("body", body), lang="en")
    return f"<!doctype html>\n{html}\n"


@cache
def _shipped(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Allows only this style and this script, by their hashes, and no requests."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{_hash(style)}'",
            f"script-src 'sha256-{_hash(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        )
    )


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()


def _icon(tone: str) -> str:
    """A dot in the verdict's colour, to recognize the page among many tabs."""
    circle = f"<circle cx='8' cy='8' r='7' fill='{_ICON_COLOURS[tone]}'/>"
    return f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{circle}</svg>"
