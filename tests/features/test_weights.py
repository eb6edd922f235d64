"""Digests of weights: a file is read again only if it has changed, also by the next process."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from tol_luigi import settings_from
from tol_luigi.features import weights
from tol_luigi.features.models import Model
from tol_luigi.features.weights import remembered, sha256_weights
from tol_luigi.tasks.feature_settings import feature_set

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR_NS = 3_600_000_000_000

OWN = """
import pyarrow as pa
from tol_luigi.features.extractor import Extractor
from tol_luigi.features.registry import register

@register("weighed")
class Weighed(Extractor):
    columns = (pa.field("weight", pa.int64()),)

    def identity(self):
        return {"model": self.options.models["own"].sha256}

    def prepare(self, sample):
        return 1

    def run(self, batch, before):
        return {"weight": batch}
"""


@pytest.fixture
def new_process(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Forget what this process knows."""

    def forget() -> None:
        monkeypatch.setattr(weights, "_known", {})

    forget()
    return forget


def write(path: Path, content: bytes, ns: int = 0) -> None:
    """Write a file with a modification time of an hour ago, and further ns."""
    path.write_bytes(content)
    when = time.time_ns() // HOUR_NS * HOUR_NS - HOUR_NS + ns
    os.utime(path, ns=(when, when))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_again_only_if_it_has_changed(new_process: Any, tmp_path: Path) -> None:
    file, known = tmp_path / "model é.onnx", tmp_path / "weights.json"
    write(file, b"one")
    for _ in range(2):
        with remembered(known):
            assert sha256_weights(file) == digest(b"one")
        new_process()
    write(file, b"two")  # as nothing shows the change, the stored digest is what is returned
    with remembered(known):
        assert sha256_weights(file) == digest(b"one")
    write(file, b"two", ns=1)
    assert sha256_weights(file) == digest(b"two")
    write(file, b"three", ns=1)
    assert sha256_weights(file) == digest(b"three")
    with pytest.raises(FileNotFoundError):
        sha256_weights(tmp_path / "missing")


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b"\xff\x00", b'{"m": 3}', b'{"%s": [1, 2, "no digest"]}', b'{"%s": [1]}']
)
def test_a_damaged_file_of_digests_is_written_again(new_process: Any, content: bytes, tmp_path: Path) -> None:
    del new_process
    file, known = tmp_path / "model.onnx", tmp_path / "weights.json"
    write(file, b"one")
    known.write_bytes(content.replace(b"%s", bytes(file)))
    with remembered(known):
        assert sha256_weights(file) == digest(b"one")
    entry = [3, file.stat().st_mtime_ns, digest(b"one")]
    assert json.loads(known.read_text(encoding="utf-8")) == {str(file): entry}


def test_a_file_that_may_still_be_written_is_not_stored(new_process: Any, tmp_path: Path) -> None:
    del new_process
    (tmp_path / "model.onnx").write_bytes(b"one")
    with remembered(tmp_path / "weights.json"):
        sha256_weights(tmp_path / "model.onnx")
    assert not (tmp_path / "weights.json").exists()
    write(tmp_path / "model.onnx", b"one")
    with remembered(tmp_path / "missing" / "weights.json"):
        sha256_weights(tmp_path / "model.onnx")
    assert not (tmp_path / "missing").exists()


def test_the_models_of_the_settings_are_remembered_in_the_folder_of_the_dataset(
    new_process: Any, settings_file: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    model = tmp_path / "model"
    model.mkdir()
    write(model / "a.bin", b"one")
    write(model / "b.json", b"{}")
    own = {"files": tmp_path / "own.py", "extractors": "weighed", "models": f"own = {model}"}
    dataset = {"dataset": {"root": tmp_path / "out", "tag": "one"}}

    def prints(threads: int) -> dict[str, str]:
        new_process()
        with settings_from(settings_file(dataset | {"features": {**own, "threads": threads}})) as settings:
            return feature_set(settings).prints

    first = prints(1)
    known = tmp_path / "out" / "one" / "sightings" / "weights.json"
    assert not (tmp_path / "out").exists()
    known.parent.mkdir(parents=True)
    assert prints(2) == first
    assert set(json.loads(known.read_text(encoding="utf-8"))) == {str(path) for path in model.iterdir()}
    write(model / "a.bin", b"two")
    assert prints(3) == first
    write(model / "a.bin", b"two", ns=1)
    assert prints(4) != first
    assert Model("own", model).sha256 == digest(f"a.bin {digest(b'two')}\nb.json {digest(b'{}')}\n".encode())
