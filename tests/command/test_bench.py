"""``tol bench``: figures of this machine, in a table and as JSON."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tol_luigi.bench.cases import CASES
from tol_luigi.bench.measure import measured, median_ratio
from tol_luigi.bench.partitions import members, packed, samples, stored
from tol_luigi.bench.pictures import drawn, images_of, jpeg
from tol_luigi.bench.published_loop import write_and_check
from tol_luigi.command.bench_verb import CASE_NAMES
from tol_luigi.command.line import main
from tol_luigi.core.errors import SourceError
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.resampling import PILLOW

if TYPE_CHECKING:
    from pathlib import Path

FILES = [jpeg(drawn((90 + number, 70), number)) for number in range(3)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three images that can be measured, and three files that cannot."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for number, content in enumerate(FILES):
        (folder / "deep" / f"{number}.jpg").write_bytes(content)
    (folder / "cut.jpg").write_bytes(FILES[0][:500])
    (folder / "grey.png").write_bytes(_png(Image.new("L", (9, 9))))
    (folder / "empty.jpg").write_bytes(b"")
    return folder


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_every_case_is_measured_against_its_baseline(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--images", str(photos), "--seconds", "1", "--json"]) == 0
    figures: dict[str, Any] = json.loads(capsys.readouterr().out)
    rows = figures["measurements"]
    assert list(dict.fromkeys(row["case"] for row in rows)) == list(CASE_NAMES)
    assert all(row["ms"] > 0 for row in rows)
    assert {row["ratio"] for row in rows if row["variant"] == row["baseline"]} == {1.0}
    [images] = figures["images"]
    assert (images["count"], images["skipped"]) == (3, 3)
    assert all({"Pillow", "published loop"} & {row["baseline"]} for row in rows)


def test_the_table_has_the_chosen_cases_and_names_what_is_absent(
    photos: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tol_luigi.bench.opencv.cv2", None)
    assert main(["bench", "--images", str(photos), "--cases", "stage", "resize", "--seconds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("host: ")
    assert [line for line in lines if "baseline:" in line] == [
        "stage, baseline: published loop",
        "resize, baseline: Pillow",
    ]
    assert "images of photos: 3 images of " in "\n".join(lines)
    assert "3 files left out" in "\n".join(lines)
    assert "OpenCV is left out, since cv2 is not installed" in " ".join(lines)
    assert "Core-hours for ten million images" in " ".join(lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param({}, "has no image", id="empty"),
        pytest.param({"a.jpg": FILES[0][:300]}, "has no complete RGB image", id="broken"),
    ],
)
def test_a_place_without_images_is_one_line(content: dict[str, bytes], says: str, tmp_path: Path) -> None:
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=says):
        images_of(tmp_path)


def test_a_place_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none: cannot be read"):
        images_of(tmp_path / "none")


def test_the_parser_knows_all_cases() -> None:
    assert tuple(CASES) == CASE_NAMES


@pytest.mark.parametrize("form", ["folder", "tar.gz"])
def test_the_published_loop_makes_the_samples_that_tol_luigi_makes(form: str, tmp_path: Path) -> None:
    place, spec = stored(tmp_path, form, FILES), ImageSpec(kernel=PILLOW)
    listed = write_and_check(place, samples(3), tmp_path / "loop.tar", (spec.width, spec.height))
    packed(place, members(place), tmp_path / "ours", spec)
    assert listed == [sample.id for sample in samples(3)]
    [ours] = (tmp_path / "ours").glob("*.tar")
    assert _members(tmp_path / "loop.tar") == _members(ours)


def _members(shard: Path) -> dict[str, bytes]:
    with tarfile.open(shard) as tar:
        return {member.name.lower(): _content(tar, member) for member in tar}


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def test_rounds_end_with_the_time_but_not_before_one_is_counted() -> None:
    runs: list[str] = []
    taken = measured({"a": lambda: runs.append("a"), "b": lambda: runs.append("b")}, 1000, seconds=0)
    assert runs == ["a", "b", "a", "b"]
    assert {name: len(values) for name, values in taken.items()} == {"a": 1, "b": 1}


def test_a_ratio_is_that_of_the_medians() -> None:
    assert median_ratio([3.0, 1.0, 2.0], [4.0, 100.0, 4.0]) == 0.5
    assert str(median_ratio([1.0], [0.0])) == "nan"
