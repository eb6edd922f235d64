"""With the mapping on a PostgreSQL server a dataset is the one that it is with SQLite alone, byte for byte."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from optional import unavailable

from tol_luigi.store.server import schema_name

Sections = dict[str, dict[str, Any]]
Digests = Callable[..., dict[str, str]]

PASSWORD = "never-to-be-seen-8f1c"  # noqa: S105 (of a server that lives as long as the tests)
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@dataclass(frozen=True)
class Postgres:
    """A server on this machine."""

    port: int

    @property
    def url(self) -> str:
        return f"postgresql://tol@127.0.0.1:{self.port}/postgres"

    @property
    def environment(self) -> dict[str, str]:
        return {"PGPASSWORD": PASSWORD}

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        import psycopg  # noqa: PLC0415 (an extra, without which these tests are skipped)

        with psycopg.connect(self.url, password=PASSWORD) as connection:
            done = connection.execute(sql.encode())
            return done.fetchall() if done.description else []

    def schemas(self) -> set[str]:
        rows = self.run(
            "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'"
        )
        return {row[0] for row in rows}


def programs() -> Path:
    """Find the programs of PostgreSQL; without them, or without the driver, the tests are skipped, but not in CI."""
    reason = "" if PROGRAMS else "no PostgreSQL server is installed (Debian: postgresql)"
    try:
        import psycopg  # noqa: F401, PLC0415 (as above)
    except ImportError:
        reason = "psycopg is not installed: pip install 'tol_luigi[postgresql]'"
    if reason:
        unavailable(reason)
    return PROGRAMS[-1]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Run a server on a free port of this machine, as a user without privileges, which the server insists on."""
    bin_, user = programs(), {"user": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="tol-postgres-"))
    try:
        secret = folder / "secret"
        secret.write_text(PASSWORD, encoding="utf-8")
        if user:
            owner = pwd.getpwnam(user["user"])
            for path in (folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        data = folder / "data"
        subprocess.run(
            [bin_ / "initdb", "-D", data, "-U", "tol", "-A", "scram-sha-256", f"--pwfile={secret}",
             "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd=folder, **user,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [bin_ / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"]
        with subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **user
        ) as server:
            assert server.stderr is not None
            try:
                for line in server.stderr:
                    if b"ready to accept connections" in line:
                        break
                yield Postgres(port)
            finally:
                server.send_signal(signal.SIGINT)  # a fast shutdown
                server.stderr.read()
    finally:
        shutil.rmtree(folder)


class Served:
    """A dataset whose mapping is on the server; it lies in ``out/sample`` beside its settings file."""

    def __init__(self, postgres: Postgres, folder: Path, write: Any, build: Any, start: Any) -> None:
        self.postgres, self.write = postgres, write
        self.directory = folder / "out" / "sample"
        self.schema = schema_name(self.directory)
        self._build, self._start = build, start

    def build(self, sections: Sections, *arguments: str, **options: Any) -> Any:
        sections["dataset"]["database"] = self.postgres.url
        return self._build(self.write(sections), *arguments, **{"env": self.postgres.environment, **options})

    def start(self, sections: Sections, **options: Any) -> Any:
        sections["dataset"]["database"] = self.postgres.url
        return self._start(self.write(sections), env=self.postgres.environment, **options)

    def rows(self, what: str, table: str) -> list[tuple[Any, ...]]:
        return self.postgres.run(f'SELECT {what} FROM "{self.schema}".{table}')  # noqa: S608 (the names are our own)

    def drop(self, schema: str) -> None:
        self.postgres.run(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')


@pytest.fixture
def served(
    postgres: Postgres, tmp_path: Path, settings_file: Any, build: Any, start: Any
) -> Iterator[Served]:
    made = Served(postgres, tmp_path, settings_file, build, start)
    yield made
    made.drop(made.schema)


@pytest.mark.parametrize("ids", ["published", "own"])
def test_the_dataset_is_the_same_byte_for_byte_with_ids(
    *,
    ids: str,
    served: Served,
    sample_settings: Sections,
    digests: Digests,
    request: pytest.FixtureRequest,
) -> None:
    expected = request.getfixturevalue("sample_build" if ids == "published" else "own_build")
    if ids == "own":
        del sample_settings["published"]
        sample_settings["report"] = {"page": True}  # as ``own_build``
    finished = served.build(sample_settings, "--workers", "2")
    assert finished.returncode == 0, finished.stderr
    assert {"LoadMapping", "LoadNames"} <= set(finished.ran)

    assert digests(served.directory) == digests(expected)
    assert served.postgres.schemas() == {served.schema}
    assert served.rows("count(*)", "split") >= served.rows("count(*)", "place") > [(200,)]
    again = served.build(sample_settings)
    assert (again.returncode, again.ran) == (0, [])
    assert PASSWORD not in finished.stdout + finished.stderr
    files = [path for path in served.directory.rglob("*") if path.is_file()]
    assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]


def test_a_password_may_come_out_of_a_file_and_datasets_do_not_meet(
    served: Served, bioscan_settings: Sections, tmp_path: Path
) -> None:
    secrets = tmp_path / "pgpass"
    secrets.write_text(f"127.0.0.1:{served.postgres.port}:*:tol:{PASSWORD}\n", encoding="utf-8")
    secrets.chmod(0o600)
    other = schema_name(tmp_path / "elsewhere" / "sample")
    for root in ("out", "elsewhere"):
        bioscan_settings["dataset"]["root"] = root
        finished = served.build(bioscan_settings, env={"PGPASSFILE": str(secrets)})
        assert finished.returncode == 0, finished.stderr
    assert served.postgres.schemas() == {served.schema, other}
    served.drop(other)


def test_the_mapping_is_read_from_the_server(served: Served, bioscan_settings: Sections) -> None:
    assert served.build(bioscan_settings, task="LoadNames").returncode == 0
    served.postgres.run(f'UPDATE "{served.schema}".split SET is_val = 1, is_train_small = 0')  # noqa: S608 (our own)
    assert served.build(bioscan_settings, task="PredictCatalog").returncode == 0
    _, *rows = (served.directory / "predicted-catalog.csv").read_text(encoding="utf-8").splitlines()
    assert [row.partition(",")[0] for row in rows] == ["val"] * 18


def test_splits_and_groups_of_sources_are_copied(
    served: Served, bioscan_settings: Sections, tmp_path: Path
) -> None:
    images = bioscan_settings["bioscan"]["images"] / "part1"
    first, second, *_ = sorted(path.name for path in images.iterdir())
    labels = tmp_path / "labels.csv"
    labels.write_text(f"file,genus,fold,camera\n{first},Apis,val,\n{second},Apis,,two\n", encoding="utf-8")
    folder = {"images": images, "labels": labels, "split_column": "fold", "group_column": "camera"}
    finished = served.build({"dataset": bioscan_settings["dataset"], "folder": folder}, task="LoadMapping")
    assert finished.returncode == 0, finished.stderr
    assert set(served.rows("given, image_group", "split_hint")) == {("val", ""), ("", "two")}


def test_a_copy_of_an_earlier_mapping_does_not_count(served: Served, bioscan_settings: Sections) -> None:
    assert served.build(bioscan_settings, task="LoadNames").returncode == 0
    (served.directory / "mapping.sqlite").unlink()
    again = served.build(bioscan_settings, task="LoadNames")
    assert again.returncode == 0, again.stderr
    assert again.ran == ["MakeMapping", "MakeSplits", "LoadMapping", "MakeMetadata", "LoadNames"]
    assert served.rows("count(*)", "marker") == [(2,)]


FILL = """
import os, signal, sys
from tol_luigi.store.models import Split
from tol_luigi.store.server import Server, fill_schema
def rows():
    for number in range(1000):
        if number == int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield f"{number:04}", number % 2, 0
fill_schema(
    Server(sys.argv[1], sys.argv[2]), [(Split, rows())], stage="mapping", digest=sys.argv[4], recreate=True,
    progress=lambda _: None,
)
"""


def test_a_copy_that_is_killed_leaves_nothing_or_what_was_there(served: Served) -> None:
    def fill(killed_at: int, digest: str) -> int:
        command = [sys.executable, "-c", FILL, served.postgres.url, served.schema, str(killed_at), digest]
        environment = {**os.environ, **served.postgres.environment}
        return subprocess.run(command, env=environment, check=False).returncode

    assert fill(500, "first") == -signal.SIGKILL
    assert served.schema not in served.postgres.schemas()
    assert fill(-1, "second") == 0
    assert fill(999, "third") == -signal.SIGKILL
    assert served.rows("digest", "marker") == [("second",)]
    assert served.rows("count(*), sum(is_val)", "split") == [(1000, 500)]


def test_a_killed_build_goes_on_to_the_same_bytes(
    served: Served, sample_settings: Sections, sample_build: Path, digests: Digests
) -> None:
    for seconds in (0.0, 0.05, 0.1):  # after the mapping is there, and while it is being copied
        with served.start(sample_settings, task="LoadNames") as process:
            while process.poll() is None and not (served.directory / "mapping.sqlite").exists():
                time.sleep(0.002)
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    finished = served.build(sample_settings)
    assert finished.returncode == 0, finished.stderr
    assert digests(served.directory) == digests(sample_build)


def test_a_password_in_the_address_is_refused_and_not_shown(
    bioscan_settings: Sections, settings_file: Any, build: Any
) -> None:
    for address in (f"postgresql://tol:{PASSWORD}@host/db", f"postgresql://host/db?password={PASSWORD}"):
        bioscan_settings["dataset"]["database"] = address
        finished = build(settings_file(bioscan_settings))
        assert finished.returncode == 40
        assert PASSWORD not in finished.stdout + finished.stderr
        assert "without a password" in finished.messages[0]


def test_a_server_that_does_not_answer_is_told_in_one_line(
    postgres: Postgres, bioscan_settings: Sections, settings_file: Any, build: Any
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bioscan_settings["dataset"]["database"] = postgres.url.replace(str(postgres.port), str(port))
    finished = build(settings_file(bioscan_settings), task="LoadMapping", env=postgres.environment)
    assert finished.returncode in {30, 35}
    (message,) = finished.messages
    assert "[dataset] database = postgresql://tol@127.0.0.1" in message
    assert "Check that it runs" in message
    assert "Traceback" not in finished.stderr
