"""The files of the report on a build, compared with the catalog that they are made from."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from base64 import b64decode
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from PIL import Image

from tol_luigi.report.sprites import SIDE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
RANKS = ["kingdom", "phylum", "class", "order", "family", "genus", "species"]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def images_of(shards: Path) -> list[dict[str, Any]]:
    rows = pq.read_table(shards / "catalog.parquet").to_pylist()
    return [row for row in rows if row["split"] != "train_small"]


def script_data(page: Path) -> Any:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL
    )
    assert found
    return json.loads(found[1])


def drawn_thumbnails(page: Path) -> Image.Image:
    """The first sheet of thumbnails of a page."""
    sheet = re.search(r"base64,([^)]+)", page.read_text("utf-8").partition(".s0{")[2])
    assert sheet
    return Image.open(io.BytesIO(b64decode(sheet[1]))).convert("RGB")


def test_the_distinct_lineages_are_those_of_the_catalog(build_with_page: Path) -> None:
    shards = build_with_page / "224x224"
    catalog = [row for row in rows_of(shards / "catalog.csv") if row["split"] != "train_small"]
    source = {"eol": "eol_content_id", "bioscan": "bioscan_filename", "inat21": "inat21_filename"}

    for stats in rows_of(shards / "taxa_stats.csv"):
        own = [row for row in catalog if stats["source"] == "all" or row[source[stats["source"]]]]
        lineages = {tuple(row[rank] for rank in RANKS) for row in own}
        assert (int(stats["images"]), int(stats["lineages"])) == (len(own), len(lineages))
        for depth, rank in enumerate(RANKS, 1):
            assert int(stats[rank]) == len({one[:depth] for one in lineages if one[depth - 1]}), rank


def test_the_tables_next_to_the_page_add_up(build_with_page: Path, ledger: Callable[..., Any]) -> None:
    shards = build_with_page / "224x224"
    folder, images = shards / "report", images_of(shards)

    states = rows_of(folder / "states.csv")
    assert sum(int(row["images"]) for row in states) == len(ledger(build_with_page))
    assert sum(int(row["images"]) for row in states if row["state"] == "written") == len(images)
    for row in rows_of(folder / "flags.csv"):
        with_flag = [one for one in images if row["flag"] in one["flags"] and one["source"] == row["source"]]
        assert int(row["images"]) == len(with_flag)
    for name in ("sides", "aspects", "modes", "formats"):
        counts = [row for row in rows_of(folder / "properties.csv") if row["property"] == name]
        assert sum(int(row["images"]) for row in counts) == len(images), name
    tree = rows_of(folder / "tree.csv")
    species = {tuple(row[rank] for rank in RANKS) for row in images if row["species"]}
    assert {tuple(row[rank] for rank in RANKS) for row in tree if row["rank"] == "species"} == species
    assert json.loads((folder / "report.json").read_bytes())["samples"]["val"]


def test_every_image_of_a_small_dataset_is_shown_at_its_place(
    build_with_page: Path, samples: Callable[..., dict[str, dict[str, bytes]]]
) -> None:
    shards = build_with_page / "224x224"
    page, images = shards / "report" / "report.html", images_of(shards)
    data = script_data(page)
    ids = data["labels"].index("id") + 2

    assert [thumb[ids] for thumb in data["thumbs"]] == [row["treeoflife_id"] for row in images]
    drawn = drawn_thumbnails(page)
    val = samples(build_with_page, "val")
    place = next(place for place, row in enumerate(images) if row["treeoflife_id"] in val)
    assert place >= len(images) - len(val)
    original = Image.open(io.BytesIO(samples(build_with_page, "train")[images[25]["treeoflife_id"]]["jpg"]))
    shown = drawn.crop((5 * SIDE, SIDE, 6 * SIDE, 2 * SIDE)).resize((4, 4), Image.Resampling.BOX)
    expected = original.convert("RGB").resize((4, 4), Image.Resampling.BOX)
    differences = [abs(one - other) for one, other in zip(shown.tobytes(), expected.tobytes(), strict=True)]
    assert max(differences) < 24
    assert sum(differences) / len(differences) < 8


def test_excluded_images_are_shown_as_the_source_has_them_or_why_they_cannot_be(
    build_with_page: Path, light_sample: Path, ledger: Callable[..., Any]
) -> None:
    page = build_with_page / "logs" / "excluded.html"
    rows = {row["name"]: row for row in ledger(build_with_page) if row["state"] != "written"}
    text = page.read_text("utf-8")
    shown = re.findall(
        r'class="t s0" style="background-position:-(\d+)px -(\d+)px" role="img" aria-label="(.*?)"', text
    )

    assert {name for *_, name in shown} == {
        name for name, row in rows.items() if row["state"] != "unreadable"
    }
    assert all(f"<bdi>{name}</bdi>" in text for name in rows)
    assert text.count('class="t none"') == sum(row["state"] == "unreadable" for row in rows.values()) > 0
    sheet = drawn_thumbnails(page)
    for left, top, name in shown:
        with (
            tarfile.open(light_sample / "eol-original" / f"{rows[name]['partition']}.tar.gz") as tar,
            Image.open(tar.extractfile(name)) as image,
        ):
            small = image.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        start = int(left) + (SIDE - small.width) // 2, int(top) + (SIDE - small.height) // 2
        drawn = sheet.crop((*start, start[0] + small.width, start[1] + small.height))
        pairs = zip(
            *(one.resize((4, 4), Image.Resampling.BOX).tobytes() for one in (drawn, small)), strict=True
        )
        assert max(abs(one - other) for one, other in pairs) < 24, name


def test_each_taxon_has_its_images_by_source(build_with_page: Path) -> None:
    shards = build_with_page / "224x224"
    images = images_of(shards)
    data, rows = script_data(shards / "report" / "report.html"), rows_of(shards / "report" / "tree.csv")

    for row in rows:
        depth = RANKS.index(row["rank"]) + 1
        own = [one for one in images if all(one[rank] == row[rank] for rank in RANKS[:depth])]
        counts = Counter(one["source"] for one in own if any(one[rank] for rank in RANKS[depth - 1 :]))
        assert {source: int(row[f"images_{source}"]) for source in data["sources"]} == {
            source: counts[source] for source in data["sources"]
        }, row
    *first, last = data["sources"]
    assert data["bySource"]["images"] == [
        [sum(one["source"] == source for one in images), *(int(row[f"images_{source}"]) for row in rows)]
        for source in first
    ]
    assert last not in first


def test_a_report_is_made_again_if_it_is_asked_for_otherwise_and_not_if_it_is_unwanted(
    settings_file: Callable[..., Path], bioscan_settings: Sections, build: Callable[..., Any]
) -> None:
    unwanted = settings_file(bioscan_settings)
    folder = unwanted.parent / "out" / "sample" / "224x224"
    first = build(unwanted)
    assert first.returncode == 0, first.stderr
    assert not (folder / "report").exists()

    few = settings_file({**bioscan_settings, "report": {"thumbnails": 3}})
    assert build(few).ran == ["BuildReport", "WriteManifest", "BuildCatalog"]
    assert len(script_data(folder / "report" / "report.html")["thumbs"]) == 3
    listed = (folder.parent / "SHA256SUMS").read_text("utf-8")
    assert all(name in listed for name in ("report/report.html", "report/tree.pdf", "taxa_stats.csv"))
