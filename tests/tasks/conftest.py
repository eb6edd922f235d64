"""Builds as users run them: the console script in a process of its own, with a settings file."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Sections = dict[str, dict[str, Any]]

TASKS = ["luigi", "--module", "tol_luigi"]
OURS = "tol_luigi: "
SCRATCH = ".attempt-"


class Finished(subprocess.CompletedProcess[str]):
    """A build that has ended, well or not."""

    @property
    def messages(self) -> list[str]:
        """The lines on standard error that are the program's own, without their mark."""
        return [line.removeprefix(OURS) for line in self.stderr.splitlines() if line.startswith(OURS)]

    @property
    def ran(self) -> list[str]:
        """The tasks that ran to their end, in order, as ``Family key=value …`` without the dataset."""
        done = [line.partition(" done ")[2].strip() for line in self.stderr.splitlines() if ") done " in line]
        return [_short(task) for task in done]


def _short(task: str) -> str:
    family, _, parameters = task.rstrip(")").partition("(")
    kept = [parameter for parameter in parameters.split(", ") if not parameter.startswith("dataset=")]
    return " ".join([family, *kept])


def _environment(settings: Path | None, extra: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LUIGI_", "PYTHONHASH"))
    }
    named = {"LUIGI_CONFIG_PATH": str(settings)} if settings else {}
    return {**kept, **named, **extra}


def _start(
    settings: Path | None,
    *arguments: str,
    task: str = "BuildCatalog",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    folder = cwd or (settings.parent if settings else None)
    assert folder is not None
    script = Path(sys.executable).with_name(TASKS[0])
    return subprocess.Popen(
        [script, *TASKS[1:], task, "--local-scheduler", *arguments],
        cwd=folder,
        env=_environment(settings, env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _finish(process: subprocess.Popen[str]) -> Finished:
    stdout, stderr = process.communicate(timeout=120)
    return Finished(process.args, process.returncode, stdout, stderr)


def _build(settings: Path | None, *arguments: str, **options: Any) -> Finished:
    with _start(settings, *arguments, **options) as process:
        return _finish(process)


def _write(path: Path, sections: Sections) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        line
        for section, values in sections.items()
        for line in (f"[{section}]", *(f"{key} = {value}" for key, value in values.items()), "")
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _sample(shared: Path) -> Sections:
    sample = shared / "sample"
    tables = sample / "metadata"
    eol, inat, rare = tables / "eol", tables / "inat" / "dwca", tables / "rarespecies"
    return {
        "dataset": {"root": "out", "tag": "sample"},
        "eol": {
            "images": sample / "eol-original",
            "taxon_tab": eol / "dh21" / "taxon.tab",
            "scraped_page_ids": eol / "scraped_page_ids.csv",
            "vernacular_names": eol / "vernacularnames.csv",
            "media_manifests": eol / "media_manifest",
        },
        "inat21": {
            "images": sample / "inat21",
            "taxa": inat / "taxa.csv",
            "vernacular_names": inat / "VernacularNames-english.csv",
            "partitions": 4,
        },
        "bioscan": {
            "images": sample / "bioscan",
            "metadata": tables / "bioscan" / "BIOSCAN_Insect_Dataset_metadata.jsonld",
        },
        "itis": {"chains": tables / "itis" / "species_level_taxonomy_chains.csv"},
        "resolved": {"jsonl": tables / "resolved.jsonl"},
        "rare_species": {
            "seen": rare / "seen_in_training.json",
            "unseen": rare / "unseen_in_training.json",
        },
        "published": {"mapping": tables / "mapping.sqlite"},
    }


@pytest.fixture
def settings_file(tmp_path: Path) -> Callable[..., Path]:
    """Write sections into a settings file, ``luigi.cfg`` in the test's folder unless named otherwise."""
    return lambda sections, path="settings.cfg": _write(tmp_path / path, sections)


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start a build in a process group of its own: settings file, arguments, and ``task``, ``cwd`` and ``env``."""
    return _start


@pytest.fixture(scope="session")
def finish() -> Callable[[subprocess.Popen[str]], Finished]:
    """Wait for the end of a build."""
    return _finish


@pytest.fixture(scope="session")
def build() -> Callable[..., Finished]:
    """Run a build to its end; what it takes is what ``start`` takes."""
    return _build


@pytest.fixture
def sample_settings(shared: Path) -> Sections:
    """The sample with the published mapping; the dataset is ``out/sample`` beside the settings file."""
    return _sample(shared)


@pytest.fixture
def bioscan_settings(sample_settings: Sections) -> Sections:
    """The smallest source alone, without the published mapping: 18 images, of which one is val, two train_small."""
    kept = {name: sample_settings[name] for name in ("dataset", "bioscan", "itis", "resolved")}
    return {**kept, "dataset": {**kept["dataset"], "val_percent": 10, "train_small_percent": 15}}


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Make a folder once for all test processes of this session: its name, and what fills it."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder, whole = base / name, base / f"{name}.whole"
        with (base / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                folder.mkdir()
                fill(folder)
                whole.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def build_once(once: Callable[..., Path]) -> Callable[[str, Sections], Path]:
    """Build sections once for all test processes; gives the folder of the dataset, which tests only read."""

    def make(name: str, sections: Sections) -> Path:
        def fill(folder: Path) -> None:
            finished = _build(_write(folder / "settings.cfg", sections))
            assert finished.returncode == 0, finished.stderr

        named = sections["dataset"]
        return once(name, fill) / str(named["root"]) / str(named["tag"])

    return make


@pytest.fixture(scope="session")
def sample_build(shared: Path, build_once: Callable[[str, Sections], Path]) -> Path:
    """The folder of the sample, built with the published mapping; tests only read it."""
    return build_once("sample-build", _sample(shared))


@pytest.fixture(scope="session")
def own_build(shared: Path, build_once: Callable[[str, Sections], Path]) -> Path:
    """The folder of the sample, built with ids and splits of its own; tests only read it."""
    sections = _sample(shared)
    del sections["published"]
    return build_once("own-build", sections)


@pytest.fixture(scope="session")
def digests() -> Callable[..., dict[str, str]]:
    """Hash the files of a dataset by their relative names, leftovers of killed processes aside."""

    def hashed(directory: Path, pattern: str = "**/*") -> dict[str, str]:
        files = sorted(
            path for path in directory.glob(pattern) if path.is_file() and SCRATCH not in path.name
        )
        return {
            str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
        }

    return hashed


@pytest.fixture(scope="session")
def samples() -> Callable[[Path, str], dict[str, dict[str, bytes]]]:
    """Read the samples of a split out of its shards: members by name (as written), by id, in their order."""

    def read(directory: Path, split: str) -> dict[str, dict[str, bytes]]:
        found: dict[str, dict[str, bytes]] = {}
        for shard in sorted((directory / "224x224" / split).glob("*.tar")):
            with tarfile.open(shard) as tar:
                for member in tar:
                    key, _, name = member.name.partition(".")
                    content = tar.extractfile(member)
                    assert content is not None
                    assert name not in found.setdefault(key, {}), f"{member.name} is there twice"
                    found[key][name] = content.read()
        return found

    return read


@pytest.fixture(scope="session")
def ledger() -> Callable[[Path], list[dict[str, Any]]]:
    """Read every row of every ledger file of a dataset, those of train_small aside."""

    def read(directory: Path) -> list[dict[str, Any]]:
        files = [*directory.glob("ledger/*.parquet"), *directory.glob("224x224/records/*/*/*.ledger.parquet")]
        return [
            row
            for path in sorted(files)
            if "train_small" not in path.parts
            for row in pq.read_table(path).to_pylist()
        ]

    return read
