"""A Slurm that is really there, and datasets built without it to compare with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from processes import digests
from slurm_rig import Build, Rig, missing, running, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from slurm_rig import Sections

MOST_ELEMENTS = 4

PHOTOGRAPHS = 192
SPECIES = ("Vulpes vulpes", "Corvus corax", "Bombus terrestris", "Quercus robur")


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    """A Slurm of four nodes."""
    with running(lambda folder: Rig(folder, array=MOST_ELEMENTS), missing()) as started:
        yield started


@pytest.fixture
def build(rig: Rig, tmp_path: Path) -> Iterator[Callable[..., Build]]:
    """Prepare a build on the rig: sections of its settings; whatever it leaves there is cancelled."""
    yield lambda **sections: Build(rig, written(tmp_path / "my.cfg", sections))
    rig.clear()


def built_locally(folder: Path, sections: Sections) -> dict[str, str]:
    settings = written(folder / "local.cfg", sections)
    luigi = str(Path(sys.executable).with_name("luigi"))
    done = subprocess.run(
        [luigi, "--module", "tol_luigi", "BuildCatalog", "--local-scheduler", "--workers", "2"],
        cwd=folder,
        env={**os.environ, "LUIGI_CONFIG_PATH": str(settings)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return digests(folder / "out" / "built")


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of the demonstration."""
    return built_locally(tmp_path_factory.mktemp("demonstration"), {})


@pytest.fixture(scope="session")
def sample_sections(shared: Path) -> Sections:
    """The sources of the sample, the published mapping, and features."""
    sample = shared / "sample"
    tables = sample / "metadata"
    return {
        "eol": {"images": sample / "eol-original", "taxon_tab": tables / "eol" / "dh21" / "taxon.tab"},
        "inat21": {"images": sample / "inat21", "partitions": 4},
        "bioscan": {
            "images": sample / "bioscan",
            "metadata": tables / "bioscan" / "BIOSCAN_Insect_Dataset_metadata.jsonld",
        },
        "itis": {"chains": tables / "itis" / "species_level_taxonomy_chains.csv"},
        "published": {"mapping": tables / "mapping.sqlite"},
        "features": {"profile": "light"},
    }


@pytest.fixture(scope="session")
def sample(sample_sections: Sections, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of the sample."""
    return built_locally(tmp_path_factory.mktemp("sample"), sample_sections)


@pytest.fixture(scope="session")
def large_sections(tmp_path_factory: pytest.TempPathFactory) -> Sections:
    """A collection of photographs of 12 megapixels: a fifth of a second each, so that there is time for faults."""
    folder = tmp_path_factory.mktemp("photographs")
    noise = Image.effect_noise((400, 300), 80).resize((4000, 3000))
    picture = Image.merge("RGB", (noise, noise.transpose(Image.Transpose.ROTATE_180), noise))
    picture.save(folder / "first.jpg", quality=80)
    images = folder / "images"
    images.mkdir()
    lines = ["file,kingdom,phylum,class,order,family,genus,species"]
    for number in range(PHOTOGRAPHS):
        (images / f"{number:04}.jpg").hardlink_to(folder / "first.jpg")
        genus, species = SPECIES[number % len(SPECIES)].split()
        lines.append(f"{number:04}.jpg,Animalia,,,,,{genus},{species}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"folder": {"images": images, "labels": folder / "labels.csv", "partitions": 24}}


@pytest.fixture(scope="session")
def large(large_sections: Sections, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests of that collection's dataset."""
    return built_locally(tmp_path_factory.mktemp("large"), large_sections)


@pytest.fixture
def asked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """The rig, as the Slurm that this very process asks."""
    for name, value in rig.environment.items():
        monkeypatch.setenv(name, value)
    return rig


def pytest_report_header() -> str:
    """Say at once whether the tests of the cluster can run."""
    return f"slurm: {missing() or 'a rig of four nodes'}"
