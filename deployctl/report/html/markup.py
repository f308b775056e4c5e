"""HTML in which text can't be anything but text: every element is made here, and what is not `Html` is escaped."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from deployctl.report.formatting import sanitize
from deployctl.report.runner_commands import defuse_json

_VOID = frozenset({"br", "input", "link", "meta"})
#: Between `<script>` tags these could end the script, or begin a comment.
_IN_SCRIPT = {
    ord("<"): "\\u003c",
    ord(">"): "\\u003e",
    ord("&"): "\\u0026",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


Value = str | float | bool | None


class Html(str):
    """Escaped markup. Only this module makes `Html` from plain text."""

    __slots__ = ()


def text(value: str) -> Html:
    """Foreign text as one sanitized line, escaped for elements and attributes."""
    # A CI runner obeys `##[…]`, also in a page on its log.
    return Html(escape(sanitize(value), quote=True).replace("##", "&#35;&#35;"))


def element(name: str, /, *children: Any, **attributes: Value) -> Html:
    """One element. Children are text, numbers, `Html`, None (nothing), or any iterable of these.

    In an attribute's name `_` becomes `-`, a trailing `_` is dropped (`class_`). None and False omit the attribute,
    True writes it without a value.
    """
    opened = f"<{name}{''.join(_attribute(n, v) for n, v in attributes.items())}>"
    if name in _VOID:
        return Html(opened)
    return Html(f"{opened}{join(children)}</{name}>")


def join(children: Iterable[Any]) -> Html:
    return Html("".join(_child(child) for child in children))


def json_text(value: Any) -> Html:
    """JSON, safe inside a `<script>` element."""
    document = json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
    return Html(defuse_json(document))


def _child(child: Any) -> str:
    match child:
        case None:
            return ""
        case Html():
            return child
        case str():
            return text(child)
        case int() | float():
            return f"{child:,}"
        case _:
            return join(child)


def _attribute(name: str, value: Value) -> str:
    plain = name.rstrip("_").replace("_", "-")
    match value:
        case None | False:
            return ""
        case True:
            return f" {plain}"
        case str():
            return f' {plain}="{text(value)}"'
        case _:
            return f' {plain}="{value:g}"'
