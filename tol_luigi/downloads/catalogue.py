"""What a full build needs: every file, where it comes from, where it goes, and which setting then names it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "BASES",
    "COUNTS",
    "PLACES",
    "SOURCES",
    "UNPACKED",
    "Remote",
    "Table",
    "places",
    "remotes",
    "tables",
]

SOURCES = ("metadata", "eol", "inat21", "bioscan")
"""What is fetched together, as one task: the small tables of all sources, then the images of each."""

BASES = {
    "huggingface": "https://huggingface.co/datasets/imageomics/TreeOfLife-10M/resolve/main",
    "inat_competition": "https://ml-inat-competition-datasets.s3.amazonaws.com/2021",
    "zenodo": "https://zenodo.org/records/8030065/files",
    "inaturalist": "https://www.inaturalist.org/taxa",
    "eol_open_data": "https://opendata.eol.org/dataset",
}
"""By key of the settings: where files come from. Their paths below that are the published ones."""

COUNTS = {"bioscan": 1_128_313}
"""Files in the archives of a source, where that is published."""

# Name below the folder, base, path below the base, the setting that names it.
_METADATA: tuple[tuple[str, str, str, tuple[str, str] | None], ...] = (
    ("catalog.csv", "huggingface", "metadata/catalog.csv", None),
    ("licenses.csv", "huggingface", "metadata/licenses.csv", None),
    ("mapping.sqlite", "huggingface", "metadata/mapping.sqlite", ("published", "mapping")),
    ("taxon.tab", "huggingface", "metadata/taxon.tab", ("eol", "taxon_tab")),
    (
        "species_level_taxonomy_chains.csv",
        "huggingface",
        "metadata/species_level_taxonomy_chains.csv",
        ("itis", "chains"),
    ),
    *(
        (
            f"naming/{source}_name_lookup.json",
            "huggingface",
            f"metadata/naming/{source}_name_lookup.json",
            None,
        )
        for source in ("eol", "inat21", "bioscan")
    ),
    ("inaturalist-taxonomy.dwca.zip", "inaturalist", "inaturalist-taxonomy.dwca.zip", None),
    (
        "dh21.zip",
        "eol_open_data",
        "0a023d9a-f8c3-4c80-a8d1-1702475cda18/resource/00adb47b-57ed-4f6b-8f66-83bfdb5120e8/download/dh21.zip",
        None,
    ),
    (
        "vernacularnames.csv",
        "eol_open_data",
        "d40073b7-1da7-428a-a404-9233f5153147/resource/bf63dc02-a7ff-416e-b252-e77e23c29d5c/download/vernacularnames.csv",
        ("eol", "vernacular_names"),
    ),
)

_ARCHIVES = {
    "inat21": ("train.tar.gz", "inat_competition"),
    "bioscan": ("cropped_256.zip", "zenodo"),
}

UNPACKED = {"eol": "eol/unpacked", "inat21": "inat21/unpacked", "bioscan": "bioscan/unpacked"}
"""Below the folder of the downloads: where archives are unpacked, if that is asked for."""

_INSIDE = {"bioscan": "bioscan/images/cropped_256"}
"""Where, within its archive, lie the folders that the build looks for."""

PLACES: dict[tuple[str, str], str] = {
    **{setting: f"metadata/{name}" for name, _, _, setting in _METADATA if setting},
    ("published", "names"): "metadata/naming",
    ("inat21", "taxa"): "metadata/inaturalist-taxonomy/taxa.csv",
    ("inat21", "vernacular_names"): "metadata/inaturalist-taxonomy/VernacularNames-english.csv",
    ("eol", "images"): "eol",
    **{(source, "images"): f"{source}/{name}" for source, (name, _) in _ARCHIVES.items()},
}
"""By section and key of the settings: where the file lies below the folder of the downloads."""


@dataclass(frozen=True)
class Remote:
    """A file to fetch.

    Attributes:
        source: What it is fetched with, of :data:`SOURCES`.
        name: How ``sources.lock`` calls it, whatever it is fetched from and wherever it goes.
        url: An address (``http``, ``https``, ``file``) or a path.
        path: Where it goes.
        checksum: ``md5:`` or ``sha256:`` and hexadecimal digits, "" where none is given.
    """

    source: str
    name: str
    url: str
    path: Path
    checksum: str = ""

    def to_json(self) -> dict[str, str]:
        """Give what :meth:`from_json` takes."""
        return {**asdict(self), "path": str(self.path)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Remote:
        """Take what :meth:`to_json` gives."""
        return cls(**{**values, "path": Path(values["path"])})


@dataclass(frozen=True)
class Table:
    """A table that lies in an archive, and that the build can read only outside of it.

    Attributes:
        archive: The archive.
        member: Its name in there.
        path: Where it goes.
    """

    archive: Path
    member: str
    path: Path


def places(folder: Path, sources: Iterable[str], *, extract: bool) -> dict[tuple[str, str], Path]:
    """Tell, by section and key, where a build finds what has been fetched.

    Args:
        folder: The folder of the downloads.
        sources: Which are fetched, of :data:`SOURCES`.
        extract: Whether archives of images are unpacked.
    """
    given = set(sources)
    chosen = {
        setting: folder / name
        for setting, name in PLACES.items()
        if (setting[0] if setting[1] == "images" else "metadata") in given
    }
    if extract:
        for source in given & set(UNPACKED):
            chosen[source, "images"] = folder / UNPACKED[source] / _INSIDE.get(source, "")
    return chosen


def remotes(
    bases: Mapping[str, str],
    folder: Path,
    given: Mapping[tuple[str, str], Path],
    eol_sets: Iterable[int],
    checksums: Mapping[str, str],
) -> list[Remote]:
    """List every file of all sources.

    Args:
        bases: By key of :data:`BASES`, where files come from.
        folder: The folder of the downloads.
        given: By section and key, the places that the settings name; all else goes below the folder.
        eol_sets: The numbers of the image sets of EOL.
        checksums: By name, what the file has to have.
    """

    def remote(source: str, name: str, base: str, path: str, place: Path) -> Remote:
        return Remote(source, name, _joined(bases[base], path), place, checksums.get(name, ""))

    found = []
    for name, base, path, setting in _METADATA:
        place = given.get(setting) if setting else None
        if name.startswith("naming/") and ("published", "names") in given:
            place = given["published", "names"] / name.removeprefix("naming/")
        found.append(remote("metadata", f"metadata/{name}", base, path, place or folder / "metadata" / name))
    eol = given.get(("eol", "images"), folder / "eol")
    for number in eol_sets:
        name = f"image_set_{number:02d}.tar.gz"
        found.append(remote("eol", f"eol/{name}", "huggingface", f"dataset/EOL/{name}", eol / name))
    for source, (name, base) in _ARCHIVES.items():
        place = given.get((source, "images"), folder / source / name)
        found.append(remote(source, f"{source}/{name}", base, name, place))
    return found


def tables(folder: Path, given: Mapping[tuple[str, str], Path]) -> list[Table]:
    """List the tables to take out of archives."""
    archive = folder / "metadata" / "inaturalist-taxonomy.dwca.zip"
    keys = (("inat21", "taxa"), ("inat21", "vernacular_names"))
    return [Table(archive, Path(PLACES[key]).name, given.get(key, folder / PLACES[key])) for key in keys]


def _joined(base: str, path: str) -> str:
    return f"{base.rstrip('/')}/{path}"


def unpacked(folder: Path, source: str, name: str) -> Path | None:
    """Tell into which folder an archive of images is unpacked, None of what is none.

    Args:
        folder: The folder of the downloads.
        source: What it is fetched with.
        name: How ``sources.lock`` calls it.
    """
    if source not in UNPACKED:
        return None
    stem = Path(name).name.partition(".")[0]
    return folder / UNPACKED[source] / stem if source == "eol" else folder / UNPACKED[source]
