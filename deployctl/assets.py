"""Finds the files shipped beside the code: appspec templates, hooks, SQL.

In a wheel they are inside the package; in a checkout they are top-level folders of the repository.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "shipped"
_ROOT = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent


def appspec_dir() -> Path:
    return _ROOT / "appspec"


def hooks_dir() -> Path:
    return _ROOT / "hooks"


def athena_dir() -> Path:
    """Holds `ddl/*.sql` and `queries/*.sql`."""
    return _ROOT / "athena"


def query(name: str) -> str:
    """The text of `athena/queries/<name>.sql`. Raises: FileNotFoundError."""
    return (athena_dir() / "queries" / f"{name}.sql").read_text(encoding="utf-8")


def ddl(name: str) -> str:
    """The text of `athena/ddl/<name>.sql`. Raises: FileNotFoundError."""
    return (athena_dir() / "ddl" / f"{name}.sql").read_text(encoding="utf-8")
