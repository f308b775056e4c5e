"""A real Trino on loopback, over a lake in a folder of this machine, for as long as the tests run.

Maven resolves it by `pom.xml` into its own local repository; the first time it downloads about 260 MB.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deployctl.lake.schema import TABLES, Table
from deployctl.lake.sql import literal

POM = Path(__file__).with_name("pom.xml")
DOWNLOAD_S, START_S, ANSWER_S, STOP_S = 900, 180, 60, 20
#: However the tests end, the server does not outlive this.
LONGEST_S = 1_800
#: With what the JVM needs besides, below 3 GB.
HEAP = "2G"
CATALOG = "lake"
TRINO_TYPES: Mapping[str, str] = {
    "varchar": "varchar",
    "bigint": "bigint",
    "boolean": "boolean",
    "timestamp": "timestamp(3)",
}
_CONFIG = """\
node.id=test
node.environment=test
node.internal-address=127.0.0.1
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
plugin.dir={plugins}
catalog.config-dir={catalogs}
query.max-memory-per-node=512MB
"""
# Athena reads Parquet's columns by their names.
_CATALOG = """\
connector.name=hive
hive.metastore=file
hive.metastore.catalog.dir=file://{metastore}
hive.parquet.use-column-names=true
"""


class TrinoUnavailable(Exception):
    """There is no server to be had; the text says what was tried and what answered."""


class TrinoError(Exception):
    """The server did not run a statement; the text is its own."""


@dataclass(frozen=True, slots=True)
class FolderLake:
    """The Lake port on a folder."""

    root: Path

    def write(self, key: str, body: bytes) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def read(self, key: str) -> bytes:
        return (self.root / key).read_bytes()

    def keys(self, prefix: str) -> list[str]:
        files = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*.parquet"))
        return sorted(key for key in files if key.startswith(prefix))

    def remove(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Trino:
    """A server that has started."""

    url: str
    version: str

    def create_tables(self, lake: FolderLake, schema: str) -> None:
        """Every table of the lake over this folder, with the partitions that it has now, in a schema of its own."""
        self.run(f"CREATE SCHEMA {schema}")
        for table in TABLES.values():
            (lake.root / table.name).mkdir(parents=True, exist_ok=True)
            self.run(_create(table, lake.root), schema=schema)
            self.run(f"CALL {CATALOG}.system.sync_partition_metadata('{schema}', '{table.name}', 'FULL')")

    def run(
        self, sql: str, parameters: Sequence[str | int] = (), *, schema: str = "default"
    ) -> list[dict[str, Any]]:
        """The rows of one statement, its `?` filled as Athena fills them: by EXECUTE … USING.

        Raises: TrinoError.
        """
        headers = {"X-Trino-User": "test", "X-Trino-Catalog": CATALOG, "X-Trino-Schema": schema}
        headers["X-Trino-Time-Zone"] = "UTC"
        if parameters:
            headers["X-Trino-Prepared-Statement"] = f"asked={quote(sql)}"
            sql = f"EXECUTE asked USING {', '.join(literal(p) for p in parameters)}"
        page = _ask(urllib.request.Request(f"{self.url}/v1/statement", data=sql.encode(), headers=headers))
        columns: list[Any] = []
        rows: list[dict[str, Any]] = []
        while True:
            if "error" in page:
                raise TrinoError(page["error"]["message"])
            columns = page.get("columns") or columns
            rows += [_row(columns, values) for values in page.get("data") or ()]
            if "nextUri" not in page:
                return rows
            page = _ask(urllib.request.Request(page["nextUri"]))


def _create(table: Table, root: Path) -> str:
    columns = {name: TRINO_TYPES[kind] for name, kind in table.sql_columns.items()}
    listed = ", ".join(f"{name} {kind}" for name, kind in {**columns, table.partition: "varchar"}.items())
    return (
        f"CREATE TABLE {table.name} ({listed}) WITH (format = 'PARQUET',"
        f" external_location = 'file://{root}/{table.name}', partitioned_by = ARRAY['{table.partition}'])"
    )


def _ask(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        return json.load(answer)


def _row(columns: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
    return {
        column["name"]: _value(value, column["type"]) for column, value in zip(columns, values, strict=True)
    }


def _value(value: Any, kind: str) -> Any:
    if value is not None and kind.startswith("timestamp"):
        return datetime.fromisoformat(value)
    return value


@contextmanager
def trino(folder: Path) -> Iterator[Trino]:
    """Start a server that keeps all it writes in this folder; it is killed at the end.

    Raises: TrinoUnavailable.
    """
    jars, plugins = _resolve(folder)
    port = _free_port()
    config = _configure(folder, port, plugins)
    log = folder / "server.log"
    command = [_program("timeout"), f"--kill-after={STOP_S}", str(LONGEST_S)]
    command += [_program("java"), f"-Xmx{HEAP}", f"-Dconfig={config}", f"-Dnode.data-dir={folder / 'data'}"]
    # It would listen to everybody.
    command += ["-Dnode.bind-ip=127.0.0.1", "--add-opens=java.base/java.nio=ALL-UNNAMED"]
    command += ["-cp", ":".join(jars), "io.trino.server.TrinoServer"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True
        )
    try:
        yield _wait(process, f"http://127.0.0.1:{port}", log)
    finally:
        _stop(process)


def _resolve(folder: Path) -> tuple[list[str], Path]:
    """The server's jars, and the folder of its plugins."""
    listing, plugins = folder / "classpath", folder / "plugins"
    goal = ["dependency:build-classpath", f"-Dmdep.outputFile={listing}"]
    command = [_program("mvn"), "--batch-mode", "--quiet", "--file", str(POM), *goal]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise TrinoUnavailable(f"Maven did not resolve the server within {DOWNLOAD_S} s") from error
    if done.returncode:
        raise TrinoUnavailable(f"Maven cannot resolve the server: {(done.stdout + done.stderr)[-2_000:]}")
    files = listing.read_text(encoding="utf-8").strip().split(":")
    for plugin in (name for name in files if name.endswith(".zip")):
        with zipfile.ZipFile(plugin) as archive:
            archive.extractall(plugins)
    return [name for name in files if name.endswith(".jar")], plugins


def _program(name: str) -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(f"{home}/bin/{name}" if home and name == "java" else name)
    if found is None:
        raise TrinoUnavailable(f"there is no {name} on this machine (Java 11 or 17, and Maven, are needed)")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configure(folder: Path, port: int, plugins: Path) -> Path:
    catalogs = folder / "catalogs"
    catalogs.mkdir(parents=True, exist_ok=True)
    lake = _CATALOG.format(metastore=folder / "metastore")
    (catalogs / f"{CATALOG}.properties").write_text(lake, encoding="utf-8")
    config = folder / "config.properties"
    config.write_text(_CONFIG.format(port=port, plugins=plugins, catalogs=catalogs), encoding="utf-8")
    return config


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> Trino:
    ends_at = time.monotonic() + START_S
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            info = _ask(urllib.request.Request(f"{url}/v1/info"))
        except OSError:
            info = {"starting": True}
        if not info["starting"]:
            return Trino(url, info["nodeVersion"]["version"])
        time.sleep(0.5)
    raise TrinoUnavailable(f"the server did not start: {log.read_text(errors='replace')[-3_000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        # `timeout` would not be able to pass this on.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_S)
