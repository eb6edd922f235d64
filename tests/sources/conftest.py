from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Pack = Callable[..., Path]


def _folder(place: Path, files: Mapping[str, bytes]) -> None:
    place.mkdir()
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


def _tar(place: Path, files: Mapping[str, bytes]) -> None:
    mode = "w" if place.suffix == ".tar" else "w:gz"
    with tarfile.open(place, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))


def _zip(place: Path, files: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """Write files as ``folder``, ``tar``, ``tar.gz``, ``tgz`` or ``zip``, in a new place each time."""

    def write(form: str, files: Mapping[str, bytes], name: str = "images") -> Path:
        place = tmp_path_factory.mktemp("place")
        place /= name if form == "folder" else f"{name}.{form}"
        {"folder": _folder, "zip": _zip}.get(form, _tar)(place, files)
        return place

    return write
