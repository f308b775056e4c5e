"""Draws docs/errors.md, the catalogue of errors: `python -m tests.shipped.draw_errors`.

The cause is the first sentence of the class's docstring. The remedy is its sentence `Remedy: …`; without that, every
`remedy=` that the source gives an error of this class, with the names of its fields in capitals.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from functools import cache
from itertools import product
from pathlib import Path

import deployctl
from deployctl.errors import DeployctlError

FILE = Path(__file__).parents[2] / "docs" / "errors.md"
HEAD = """# Errors

With `--json`, an error is a document `deployctl.error/1` on stdout. `code` names the kind of error and never changes
its meaning; `message` says what happened, `remedy` what to type. Names in capitals stand for what the message names.
This page is drawn from the code: `python -m tests.shipped.draw_errors`.

| code | exit code | what happened | what to type |
|---|---|---|---|
"""


def errors() -> list[type[DeployctlError]]:
    """Every class of errors, by code."""
    for module in pkgutil.walk_packages(deployctl.__path__, "deployctl."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [DeployctlError.by_code[code] for code in sorted(DeployctlError.by_code)]


def cause(error: type[DeployctlError]) -> str:
    """The first sentence of the docstring."""
    return re.split(r"(?<=\.)\s+|\n\n", inspect.cleandoc(error.__doc__ or ""))[0].replace("\n", " ")


def remedy(error: type[DeployctlError]) -> str:
    stated = re.search(r"Remedy: (.*?)\.(?:\s|$)", error.__doc__ or "", flags=re.DOTALL)
    if stated:
        return " ".join(stated[1].split())
    found = dict.fromkeys(_remedies().get(error.__name__, ()))
    return "; or: ".join(found) if found else remedy(error.__mro__[1])


@cache
def _remedies() -> dict[str, list[str]]:
    """The texts of every `remedy=`, by the class whose constructor or whose call has it."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(deployctl.__path__[0]).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                calls = [c for c in ast.walk(node) if isinstance(c, ast.Call) and "super()" in ast.unparse(c)]
                name = node.name
            elif isinstance(node, ast.Call):
                calls, name = [node], ast.unparse(node.func)
            else:
                continue
            texts = [
                text
                for call in calls
                for keyword in call.keywords
                if keyword.arg == "remedy"
                for text in _texts(keyword.value, constants)
            ]
            found.setdefault(name, []).extend(texts)
    return found


def _texts(node: ast.expr, constants: dict[str, ast.expr]) -> list[str]:
    """What the expression may be: both branches of a condition, and every value in capitals."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=otherwise):
            return [*_texts(body, constants), *_texts(otherwise, constants)]
        case ast.JoinedStr(values=values):
            return ["".join(parts) for parts in product(*(_texts(v, constants) for v in values))]
        case ast.FormattedValue(value=value):
            return _texts(value, constants) or [_field(value)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [a + b for a in _texts(left, constants) for b in _texts(right, constants)]
        case ast.Name(id=name) if name in constants:
            return _texts(constants[name], constants)
        case _:
            return []


def _field(value: ast.expr) -> str:
    """The last name in the expression that is no function: `max(1, round(wait_s / 60))` is WAIT_S."""
    functions = {id(node.func) for node in ast.walk(value) if isinstance(node, ast.Call)}
    names = [
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(value)
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in functions
    ]
    return names[0].upper() if names else "…"


def page() -> str:
    rows = (
        f"| `{error.code}` | {int(error.exit_code)} | {_cell(cause(error))} | {_cell(remedy(error))} |\n"
        for error in errors()
    )
    return HEAD + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
