"""Fixtures for all tests: the reference material, and builds as users run them, each in a process of its own."""

from __future__ import annotations

import compileall
import contextlib
import ctypes
import fcntl
import hashlib
import http.server
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pyarrow.parquet as pq
import pytest
from light_sample import write_light_sample
from optional import unavailable
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from xdist.scheduler import LoadScopeScheduling

import tol_luigi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Sections = dict[str, dict[str, Any]]

ON_SLURM = ("test_slurm", "test_submit", "test_download_jobs")
"""The files of tests that need a Slurm. One process runs them all, since one Slurm at a time is enough for a machine."""

# No test is timed: machines are slow at times.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


class OneSlurm(LoadScopeScheduling):
    """Deals tests to processes one by one, but those that need a Slurm together."""

    def _split_scope(self, nodeid: str) -> str:
        return "slurm" if Path(nodeid.partition("::")[0]).name.startswith(ON_SLURM) else nodeid


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once: hundreds of commands would each do so where PYTHONDONTWRITEBYTECODE is set, as in containers."""
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(tol_luigi.__file__).parent, quiet=2)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneSlurm:
    """Deal tests so; xdist has groups for that, but forgets them under pytest 9.2."""
    return OneSlurm(config, log)


# What is started where nobody sits at a terminal may be deaf to Ctrl-C, and so would be the builds that are started here.
signal.signal(signal.SIGINT, signal.default_int_handler)

TASKS = ["luigi", "--module", "tol_luigi"]
OURS = "tol_luigi: "
SCRATCH = ".attempt-"

CHROMIUM, CHROMEDRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")


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
    log_level: str | None = "INFO",  # at which Luigi tells which tasks have run
) -> subprocess.Popen[str]:
    folder = cwd or (settings.parent if settings else None)
    assert folder is not None
    script = Path(sys.executable).with_name(TASKS[0])
    level = ["--log-level", log_level] if log_level and "--log-level" not in arguments else []
    return subprocess.Popen(
        [script, *TASKS[1:], task, "--local-scheduler", *level, *arguments],
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


def _sections(sample: Path, *, page: bool = False) -> Sections:
    """Settings of the sample; the page of the report takes a third of a build's time, so few tests have it."""
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
        "report": {"page": page},
    }


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference material: sample sources and golden answers.

    It lies beside the repository, or where TOL_SHARED says.
    """
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("TOL_SHARED") or beside)
    if not (folder / "golden").is_dir():
        unavailable("no reference material: set TOL_SHARED to its folder")
    return folder


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


_OVERRIDES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, by which root reads what nobody may read."""

_UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
"""Starts a program that has no such rights, though it is root."""


@contextlib.contextmanager
def _without_overrides() -> Iterator[None]:
    libc, header = ctypes.CDLL(None, use_errno=True), _CapabilityHeader(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(ctypes.byref(header), ctypes.byref(sets)) == 0
    effective = sets[0]
    sets[0] = effective & ~_OVERRIDES
    assert libc.capset(ctypes.byref(header), ctypes.byref(sets)) == 0
    try:
        yield
    finally:
        sets[0] = effective
        assert libc.capset(ctypes.byref(header), ctypes.byref(sets)) == 0


@pytest.fixture(scope="session")
def unprivileged() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """Have rights of files count in this process for a while, also if it is root's."""
    return _without_overrides


@pytest.fixture(scope="session")
def unprivileged_prefix() -> tuple[str, ...]:
    """The beginning of a command line for which the rights of files count, also if it is root's."""
    if os.geteuid():
        return ()
    if shutil.which(_UNPRIVILEGED[0]) is None:
        pytest.skip("root may read everything, and there is no setpriv")
    return _UNPRIVILEGED


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system in memory with such options, or mount it anew with others; it goes at the end."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        if os.geteuid():
            pytest.skip("only root may mount a file system")
        again = ["-o", f"remount,{options}"] if mounted else ["-t", "tmpfs", "-o", options]
        done = subprocess.run(["mount", *again, "tmpfs", folder], capture_output=True, text=True, check=False)
        if done.returncode:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"cannot mount: {done.stderr.strip()}")
        mounted = True
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


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


@pytest.fixture(scope="session")
def light_sample(shared: Path, once: Callable[..., Path]) -> Path:
    """The folder of the sample with small photographs, made once for all test processes."""
    return once("light-sample", lambda folder: write_light_sample(shared / "sample", folder))


@pytest.fixture
def sample_settings(light_sample: Path) -> Sections:
    """The sample with small photographs and the published mapping; the dataset is ``out/sample`` beside the settings file, without a page."""
    return _sections(light_sample)


@pytest.fixture
def original_settings(shared: Path) -> Sections:
    """The same with the photographs as they are, and with the page."""
    return _sections(shared / "sample", page=True)


@pytest.fixture
def bioscan_settings(sample_settings: Sections) -> Sections:
    """The smallest source alone, without the published mapping: 18 images, of which one is val, two train_small."""
    kept = {name: sample_settings[name] for name in ("dataset", "bioscan", "itis", "resolved", "report")}
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
                shutil.rmtree(folder, ignore_errors=True)  # another process may have failed
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
def sample_build(light_sample: Path, build_once: Callable[[str, Sections], Path]) -> Path:
    """The folder of the sample with small photographs, built with the published mapping; tests only read it."""
    return build_once("sample-build", _sections(light_sample))


@pytest.fixture(scope="session")
def build_with_page(light_sample: Path, sample_build: Path, once: Callable[..., Path]) -> Path:
    """The same as ``sample_build``, with the page of its report."""

    def fill(folder: Path) -> None:
        shutil.copytree(sample_build, folder / "out" / "sample")
        sections = _sections(light_sample, page=True)
        finished = _build(_write(folder / "settings.cfg", sections))
        assert finished.returncode == 0, finished.stderr

    return once("build-with-page", fill) / "out" / "sample"


@pytest.fixture(scope="session")
def original_build(shared: Path, build_once: Callable[[str, Sections], Path]) -> Path:
    """The same with the photographs as they are, and with the page."""
    return build_once("original-build", _sections(shared / "sample", page=True))


@pytest.fixture(scope="session")
def own_build(light_sample: Path, build_once: Callable[[str, Sections], Path]) -> Path:
    """The folder of the sample with small photographs, built with ids and splits of its own and the page; tests only read it."""
    sections = _sections(light_sample, page=True)
    del sections["published"]
    return build_once("own-build", sections)


@pytest.fixture(scope="session")
def reference_build(light_sample: Path, build_once: Callable[[str, Sections], Path]) -> Path:
    """The same as ``own_build``, named by a reference taxonomy."""
    sections = _sections(light_sample)
    del sections["published"]
    return build_once("reference-build", sections | {"names": {"method": "reference"}})


@pytest.fixture(scope="session")
def digests() -> Callable[..., dict[str, str]]:
    """Hash the files of a dataset by their relative names, but leftovers of killed processes and what sources looked like."""

    def hashed(directory: Path, pattern: str = "**/*") -> dict[str, str]:
        files = sorted(
            path
            for path in directory.glob(pattern)
            if path.is_file()
            and SCRATCH not in path.name
            and not {"sightings", "logs"}.intersection(path.relative_to(directory).parts)
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


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser that knows no host but this one."""
    missing = [str(path) for path in (CHROMIUM, CHROMEDRIVER) if not path.exists()]
    if missing:
        unavailable(f"no browser: {', '.join(missing)} missing (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "disable-dev-shm-usage",
        "no-proxy-server",
        "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "window-size=1400,1000",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    with webdriver.Chrome(options, Service(str(CHROMEDRIVER))) as driver:
        yield driver


EOL_OPEN_DATA = {
    "0a023d9a-f8c3-4c80-a8d1-1702475cda18/resource/00adb47b-57ed-4f6b-8f66-83bfdb5120e8/download/dh21.zip": "dh21",
    "d40073b7-1da7-428a-a404-9233f5153147/resource/bf63dc02-a7ff-416e-b252-e77e23c29d5c/download/vernacularnames.csv": "",
}


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _zip_folder(folder: Path, target: Path, prefix: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, f"{prefix}{path.relative_to(folder)}")


def _publish(shared: Path, site: Path) -> None:
    """Lay out the sample as the sources are published."""
    sample, hub = shared / "sample", site / "hub" / "datasets" / "TreeOfLife-10M" / "resolve" / "main"
    tables = sample / "metadata"
    for archive in (sample / "eol-hf").iterdir():
        _copy(archive, hub / "dataset" / "EOL" / archive.name)
    for name, path in {
        "mapping.sqlite": tables / "mapping.sqlite",
        "taxon.tab": tables / "eol" / "dh21" / "taxon.tab",
        "species_level_taxonomy_chains.csv": tables / "itis" / "species_level_taxonomy_chains.csv",
        "catalog.csv": shared / "golden" / "predicted-catalog.csv",
        "licenses.csv": tables / "eol" / "media_manifest" / "media_manifest_1.csv",
    }.items():
        _copy(path, hub / "metadata" / name)
    for source in ("eol", "inat21", "bioscan"):
        name = f"{source}_name_lookup.json"
        _copy(shared / "golden" / "naming" / name, hub / "metadata" / "naming" / name)
    (site / "inat").mkdir()
    with tarfile.open(site / "inat" / "train.tar.gz", "w:gz") as packed:
        packed.add(sample / "inat21" / "train", "train")
    _zip_folder(sample / "bioscan", site / "zenodo" / "cropped_256.zip", "bioscan/images/cropped_256/")
    _zip_folder(tables / "inat" / "dwca", site / "taxa" / "inaturalist-taxonomy.dwca.zip", "")
    dh21, vernacular = EOL_OPEN_DATA
    _zip_folder(tables / "eol" / "dh21", site / "eol" / dh21, "")
    _copy(tables / "eol" / "vernacularnames.csv", site / "eol" / vernacular)


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list[str]

    def log_message(self, *_: Any) -> None:
        self.asked.append(self.path)


@pytest.fixture
def published_site(shared: Path, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A server with the published paths: its address, and what it was asked for."""
    folder = tmp_path / "site"
    _publish(shared, folder)
    asked: list[str] = []

    class Handler(_Handler):
        def __init__(self, *args: Any) -> None:
            self.asked = asked
            super().__init__(*args, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture
def download_sections(published_site: tuple[str, list[str]], tmp_path: Path) -> Sections:
    """Settings with the base addresses of the server, and as many image sets and images as the sample has."""
    address = published_site[0]
    train = hashlib.md5((tmp_path / "site" / "inat" / "train.tar.gz").read_bytes()).hexdigest()  # noqa: S324
    return {
        "dataset": {"root": "out", "tag": "sample"},
        "inat21": {"partitions": 4},
        "bioscan": {"partitions": 3},
        "download": {
            "folder": "sources",
            "huggingface": f"{address}/hub/datasets/TreeOfLife-10M/resolve/main",
            "inat_competition": f"{address}/inat",
            "zenodo": f"{address}/zenodo",
            "inaturalist": f"{address}/taxa",
            "eol_open_data": f"{address}/eol",
            "eol_sets": "1-3",
            "checksums": f"inat21/train.tar.gz=md5:{train}",
            "counts": "bioscan=18",
            "retries": 1,
            "pause_seconds": 0,
        },
    }
