"""Extractors over shards: one row for each sample, whatever happens to it, and nothing twice."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shards
from shards import Mean, extract, extraction, png, sample, write_samples, write_tar

from tol_luigi.core.errors import FeatureError, SettingsError, ShardError
from tol_luigi.features.d2m.fields import JsonFields
from tol_luigi.features.extraction import Extraction, ExtractionSpec, families
from tol_luigi.features.extractor import Extractor, Options
from tol_luigi.features.family_files import FamilyFiles
from tol_luigi.features.reading import sample_features
from tol_luigi.features.registry import register, resolve
from tol_luigi.features.samples import MAX_TEXT
from tol_luigi.features.tars import TarSamples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.features.extractor import Columns
    from tol_luigi.features.samples import FeatureSample

BATCH = 4


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files but the receipts, which note when a tar was modified."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".json"
    }


def test_rows_are_in_the_order_of_the_tar_with_ids_and_vectors(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 11)
    _, files = extract(tar, tmp_path / "out", ["mean", "words"])
    rows = pq.read_table(files["mean"].table).to_pylist()
    assert [row["key"] for row in rows] == [f"s{number}" for number in range(11)]
    assert [row["uid"] for row in rows] == [f"{number:032x}" for number in range(11)]
    assert [row["row"] for row in rows] == list(range(11))
    assert {row["status"] for row in rows} == {"ok"}
    vectors = np.load(files["mean"].vector("channels"), mmap_mode="r")
    assert vectors.shape == (11, 3)
    assert vectors.dtype == np.float16
    assert np.allclose(vectors.astype(float).mean(axis=1), [row["mean"] for row in rows], rtol=1e-3)
    assert pq.read_table(files["words"].table)["words"].to_pylist() == [2] * 11


def test_threads_do_not_change_a_byte(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 30)
    for threads in (1, 4):
        extract(tar, tmp_path / str(threads), ["doubled"], ExtractionSpec(batch=BATCH, threads=threads))
    assert contents(tmp_path / "1") == contents(tmp_path / "4") != {}


def test_a_second_run_does_nothing_and_a_further_extractor_only_its_own_part(tmp_path: Path) -> None:
    tar, out = write_samples(tmp_path / "a.tar", 9), tmp_path / "out"
    assert extract(tar, out, ["mean"])[0] == ["mean"]
    assert extract(tar, out, ["mean"])[0] == []
    assert extract(tar, out, ["mean", "words"])[0] == ["words"]
    assert extract(tar, out, ["doubled"])[0] == ["doubled"]  # what it depends on is there


def test_a_new_version_is_computed_again_with_all_that_depends_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar, out = write_samples(tmp_path / "a.tar", 9), tmp_path / "out"
    extract(tar, out, ["doubled", "words"])
    monkeypatch.setattr(Mean, "version", 2)
    assert extract(tar, out, ["doubled", "words"])[0] == ["mean", "doubled"]


def test_a_tar_that_was_touched_is_not_computed_again_and_a_changed_one_is(tmp_path: Path) -> None:
    tar, out = write_samples(tmp_path / "a.tar", 9), tmp_path / "out"
    extract(tar, out, ["mean"])
    tar.touch()
    assert extract(tar, out, ["mean"])[0] == []
    write_samples(tar, 9, s3=sample(77))
    assert extract(tar, out, ["mean"])[0] == ["mean"]


@pytest.mark.parametrize("damage", ["truncated", "missing", "flipped"])
def test_damaged_results_are_made_again(tmp_path: Path, damage: str) -> None:
    tar, out = write_samples(tmp_path / "a.tar", 9), tmp_path / "out"
    _, files = extract(tar, out, ["mean"])
    vectors = files["mean"].vector("channels")
    before = vectors.read_bytes()
    changed = {"truncated": before[:-1], "flipped": before[:-1] + bytes([before[-1] ^ 1])}
    vectors.unlink() if damage == "missing" else vectors.write_bytes(changed[damage])
    assert extract(tar, out, ["mean"])[0] == ["mean"]
    assert vectors.read_bytes() == before


def test_vectors_are_complete_or_the_task_fails_if_another_process_removes_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar, out = write_samples(tmp_path / "a.tar", 9), tmp_path / "out"
    write_vector = FamilyFiles._write_vector  # what follows the table

    def removed(self: FamilyFiles[Extractor], *values: Any) -> None:
        self.remove_parts()
        write_vector(self, *values)

    with monkeypatch.context() as patch:
        patch.setattr(FamilyFiles, "_write_vector", removed)
        with pytest.raises(FeatureError, match="another process works on the same files"):
            extract(tar, out, ["mean"])
    _, files = extract(tar, out, ["mean"])
    assert files["mean"].read_vector("channels").shape == (9, 3)


def test_of_two_processes_the_slower_one_keeps_what_the_faster_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards.engine, "PART_ROWS", 4)
    monkeypatch.setattr(shards.family_files, "PART_ROWS", 4)
    tar, names = write_samples(tmp_path / "a.tar", 9), ["mean", "doubled", "words"]
    _, alone = extract(tar, tmp_path / "alone", names)
    write_part = FamilyFiles.write_part

    def overtaken(self: FamilyFiles[Extractor], number: int, columns: Mapping[str, Any]) -> None:
        if number:  # the other one begins and ends while this one is within the tar
            monkeypatch.setattr(FamilyFiles, "write_part", write_part)
            extract(tar, tmp_path / "out", names)
        write_part(self, number, columns)

    monkeypatch.setattr(FamilyFiles, "write_part", overtaken)
    _, files = extract(tar, tmp_path / "out", names)
    assert all(one.checked_receipt() for one in files.values())
    assert contents(tmp_path / "out") == contents(tmp_path / "alone") != {}
    assert list(alone) == list(files)


def test_names_and_json_that_are_no_unicode_are_stored(tmp_path: Path) -> None:
    strange = {"png": png(2), "json": b'{"caption": "\\udfff \\ud83d\\ude00", "uid": "\\ud800"}'}
    tar = write_tar(tmp_path / "a.tar", [("caf\udce9", sample(1)), ("s2", strange)])
    assert [one.key for one in TarSamples(str(tar))] == ["caf\\udce9", "s2"]
    fields = JsonFields(["caption", "uid"])
    made = families(tmp_path / "out", "a", [fields], {fields.name: "0"})
    spec = ExtractionSpec(max_error_percent=50)
    Extraction(str(tar), made, spec).run()
    rows = pq.read_table(made[0].table).to_pylist()
    assert [row["key"] for row in rows] == ["caf\\udce9", "s2"]
    assert json.loads(rows[1]["fields"]) == {"caption": "\ufffd \U0001f600", "uid": "\ufffd"}


@pytest.mark.parametrize(
    ("members", "status", "reason"),
    [
        ({"png": b"no picture"}, "decode_error", "cannot identify"),
        ({"png": png(1)[:-60]}, "truncated", "truncated"),
        ({"txt": b"text"}, "missing_image", "no member is an image"),
        ({"png": b""}, "decode_error", "cannot identify"),
    ],
)
def test_an_unusable_sample_costs_its_row(
    tmp_path: Path, members: dict[str, bytes], status: str, reason: str
) -> None:
    tar = write_samples(tmp_path / "a.tar", 9, s5=members)
    _, files = extract(tar, tmp_path / "out", ["mean", "doubled"])
    rows = pq.read_table(files["mean"].table).to_pylist()
    assert [row["key"] for row in rows if row["status"] != "ok"] == ["s5"]
    assert rows[5]["status"] == status
    assert reason in rows[5]["error"]
    assert rows[5]["mean"] is None
    assert np.isnan(np.load(files["mean"].vector("channels"))[5]).all()
    after = pq.read_table(files["doubled"].table).to_pylist()[5]
    assert (after["status"], after["doubled"]) == ("dependency_error", None)


def test_a_sample_without_text_costs_its_row_where_text_is_read(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 9, s5={"png": png(5)})
    _, files = extract(tar, tmp_path / "out", ["mean", "words"])
    assert pq.read_table(files["words"].table)["status"].to_pylist()[5] == "missing_text"
    assert pq.read_table(files["mean"].table)["status"].to_pylist()[5] == "ok"


def test_any_text_is_read_up_to_a_length(tmp_path: Path) -> None:
    texts = {
        "s1": b"a\0b c",
        "s2": b"word " * 2**18,
        "s3": b"\xff\xfe caf\xe9",
        "s4": b"",
        "s5": b"\x1b[31m\r\n x",
    }
    changed = {key: {"png": png(1), "txt": text} for key, text in texts.items()}
    tar = write_samples(tmp_path / "a.tar", 6, **changed)
    assert [len(one.text) for one in TarSamples(str(tar))][1:3] == [4, MAX_TEXT]
    _, files = extract(tar, tmp_path / "out", ["words"])
    rows = pq.read_table(files["words"].table)
    assert rows["words"].to_pylist() == [2, 2, MAX_TEXT // 5, 2, 0, 2]
    assert set(rows["status"].to_pylist()) == {"ok"}


def test_two_members_of_one_name_cost_the_row(tmp_path: Path) -> None:
    pairs = [("s0", sample(0)), ("s1", sample(1)), ("s1", {"png": png(9)}), ("s2", sample(2))]
    _, files = extract(write_tar(tmp_path / "a.tar", pairs), tmp_path / "out", ["mean"])
    rows = pq.read_table(files["mean"].table).to_pylist()
    assert [row["status"] for row in rows] == ["ok", "decode_error", "ok"]
    assert "two members png" in rows[1]["error"]


def test_too_many_unusable_samples_stop_with_one_line(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 9, s5={"png": b"x"}, s6={"png": b"y"})
    with pytest.raises(
        FeatureError, match="2 of 9 samples cannot be used by mean; the first is s5"
    ) as caught:
        extract(tar, tmp_path / "out", ["mean"])
    assert "\n" not in str(caught.value)
    assert extract(tar, tmp_path / "out", ["mean"], ExtractionSpec(BATCH, max_error_percent=30))[0] == [
        "mean"
    ]


@register("picky")
class Picky(Extractor):
    """Fails for some samples, and for batches that are too large."""

    columns = (pa.field("number", pa.int64()),)
    most = 100
    poisoned: tuple[int, ...] = ()

    def prepare(self, sample: FeatureSample) -> int:
        """Return the number of the sample."""
        return int(sample.fields["number"])

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return the numbers."""
        assert not before
        if len(batch) > self.most:
            raise MemoryError(f"{len(batch)} samples do not fit")
        if set(batch) & set(self.poisoned):
            raise RuntimeError("poisoned")
        return {"number": batch}


def test_a_batch_that_does_not_fit_is_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picky, "most", 1)
    _, files = extract(write_samples(tmp_path / "a.tar", 10), tmp_path / "out", ["picky"])
    assert pq.read_table(files["picky"].table)["number"].to_pylist() == list(range(10))


def test_a_sample_that_an_extractor_fails_for_costs_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Picky, "poisoned", (6,))
    _, files = extract(write_samples(tmp_path / "a.tar", 10), tmp_path / "out", ["picky"])
    rows = pq.read_table(files["picky"].table).to_pylist()
    assert [row["key"] for row in rows if row["status"] == "extractor_error"] == ["s6"]
    assert rows[6]["error"] == "RuntimeError: poisoned"


def test_an_extractor_that_fails_for_whole_batches_stops_and_can_be_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tar = write_samples(tmp_path / "a.tar", 10)
    with monkeypatch.context() as broken:
        broken.setattr(Picky, "poisoned", tuple(range(4, 10)))
        with pytest.raises(FeatureError, match="extractor picky: it fails for every sample of a batch"):
            extract(tar, tmp_path / "out", ["picky"])
    _, files = extract(tar, tmp_path / "out", ["picky"])
    assert pq.read_table(files["picky"].table)["number"].to_pylist() == list(range(10))


@register("short")
class Short(Picky):
    """Returns too few values."""

    def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
        """Return too few values."""
        assert not before
        return {"number": batch[1:]}


def test_an_extractor_that_returns_too_few_values_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="returns 3 values of number for 4 samples"):
        extract(write_samples(tmp_path / "a.tar", 10), tmp_path / "out", ["short"])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"mean": ["high"] * 4}, "mean are no double (", id="a column"),
        pytest.param({"channels": [[1.0]] * 4}, "channels have the shape (1,), not (3,)", id="a vector"),
    ],
)
def test_an_extractor_that_returns_other_types_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], said: str
) -> None:
    run = Mean.run
    monkeypatch.setattr(Mean, "run", lambda *batch: {**run(*batch), **values})
    with pytest.raises(FeatureError, match=re.escape(f"extractor mean: its values of {said}")):
        extract(write_samples(tmp_path / "a.tar", 4), tmp_path / "out", ["mean"])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content[: len(content) // 2], ""),
        (lambda content: content[:1536] + b"x" * 512 + content[2048:], "damaged"),
        (lambda _: b"no tar at all" * 100, "not a complete tar file"),
        (lambda _: b"", "not a complete tar file"),
    ],
)
def test_a_malformed_tar_is_one_line(tmp_path: Path, damage: Any, said: str) -> None:
    tar = write_samples(tmp_path / "a.tar", 20)
    tar.write_bytes(damage(tar.read_bytes()))
    with pytest.raises(ShardError) as caught:
        extract(tar, tmp_path / "out", ["mean"])
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tar))


def test_an_empty_tar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match="it has no samples"):
        extract(write_tar(tmp_path / "a.tar", []), tmp_path / "out", ["mean"])


def test_a_missing_tar_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="it cannot be read"):
        extract(tmp_path / "none.tar", tmp_path / "out", ["mean"])


def test_a_tar_from_a_command_gives_the_same_and_a_failing_command_is_one_line(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 9)
    extract(tar, tmp_path / "file", ["mean"])
    made, files = extraction(tar, tmp_path / "pipe", ["mean"])
    made.url = f"pipe:cat {tar}"
    made.run()
    assert contents(tmp_path / "pipe") == contents(tmp_path / "file")
    files["mean"].receipt_path.unlink()
    made.url = f"pipe:cat {tar}; exit 3"
    with pytest.raises(ShardError, match=r"the command failed \(exit code 3\)"):
        made.run()


def test_types_do_not_depend_on_the_values(tmp_path: Path) -> None:
    _, files = extract(write_samples(tmp_path / "a.tar", 3), tmp_path / "out", ["mean"])
    assert pq.read_schema(files["mean"].table).field("boxes").type == pa.list_(pa.list_(pa.float64()))


def test_types_without_counterpart_in_parquet_or_json_are_read_back(tmp_path: Path) -> None:
    @register("typed")
    class Typed(Mean):
        columns = (pa.field("taken", pa.timestamp("s")), pa.field("digest", pa.binary(2)))

        def run(self, batch: list[Any], before: Mapping[str, Columns]) -> Columns:
            means = super().run(batch, before)
            return {
                "taken": [0] * len(batch),
                "digest": [b"\xff\x00"] * len(batch),
                "channels": means["channels"],
            }

    extract(write_samples(tmp_path / "a.tar", 3), tmp_path / "out", ["typed"])
    read = sample_features(tmp_path / "out", "a", 2)
    assert read == {
        "typed": {"status": "ok", "error": None, "taken": "1970-01-01T00:00:00", "digest": "ff00"}
    }


def test_unknown_extractors_and_circles_are_settings_errors() -> None:
    with pytest.raises(SettingsError, match="there is no extractor nothing"):
        resolve(["nothing"], Options())
    with pytest.raises(SettingsError, match=r"there is no extractor mean, words\. Write one per line"):
        resolve(["mean, words"], Options())

    @register("first")
    class First(Picky):
        depends = ("second",)

    @register("second")
    class Second(Picky):
        depends = ("first",)

    with pytest.raises(SettingsError, match="depend on each other in a circle"):
        resolve(["first"], Options())
    assert First.depends != Second.depends


KILLED = """
import sys
from pathlib import Path
import shards
shards.kill_after(int(sys.argv[3]))
shards.extract(Path(sys.argv[1]), Path(sys.argv[2]), ["doubled"])
print(shards.Mean.calls)
"""


def test_a_killed_extraction_goes_on_within_the_shard(tmp_path: Path) -> None:
    tar = write_samples(tmp_path / "a.tar", 30)  # four parts of each family

    def run(out: str, parts: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(tar), str(tmp_path / out), str(parts)]
        folder = Path(shards.__file__).parent
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    whole = run("whole", 0)
    assert whole.returncode == 0, whole.stderr
    assert run("killed", 5).returncode == -9  # amid the third part
    rest = run("killed", 0)
    assert int(rest.stdout) == int(whole.stdout) // 2
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob(".*parts*"))
