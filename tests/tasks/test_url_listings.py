"""iNaturalist Open Data and a download of GBIF, from their tables to shards: images come from a server on loopback."""

from __future__ import annotations

import csv
import gzip
import http.server
import io
import json
import threading
import zipfile
from argparse import Namespace
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from tol_luigi import settings_from
from tol_luigi.command.plan import plan
from tol_luigi.command.refetch import refetch
from tol_luigi.command.source_estimate import source_stats
from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Sections = dict[str, dict[str, Any]]
Rows = list[dict[str, Any]]

PHOTOS = 8
BUCKET = "https://inaturalist-open-data.s3.amazonaws.com/photos"
"""Where GBIF's tables say that iNaturalist's photographs are; nothing may ask for them there."""

GONE = 3
"""The number of the photograph that the server does not have, though the tables list it."""

META = """<archive xmlns="http://rs.tdwg.org/dwc/text/">
  <core rowType="http://rs.tdwg.org/dwc/terms/Occurrence"><files><location>occurrence.txt</location></files></core>
  <extension rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files><location>multimedia.txt</location></files></extension>
</archive>"""
CC_BY = "http://creativecommons.org/licenses/by/4.0/"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each address with an image of its own, or with that of the path after ``?same=``; but for one."""

    def do_GET(self) -> None:
        """Answer a request."""
        if f"/{GONE}/" in self.path:
            self.send_error(404)
            return
        _, _, same = self.path.partition("?same=")
        shade = sum((same or self.path).encode()) * 7 % 256
        file = io.BytesIO()
        Image.new("RGB", (30, 20), (shade, 99, 255 - shade)).save(file, "JPEG")
        self.send_response(200)
        self.send_header("Content-Type", "image/jpeg")
        self.send_header("Content-Length", str(len(file.getvalue())))
        self.end_headers()
        self.wfile.write(file.getvalue())

    def log_message(self, *arguments: object) -> None:
        """Write nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of the server."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def write_tables(folder: Path, server: str) -> None:
    """Write the tables of both sources."""
    tables: dict[str, list[tuple[object, ...]]] = {
        "taxa": [
            ("taxon_id", "ancestry", "rank", "name"),
            (1, "", "kingdom", "Animalia"),
            (2, "1", "genus", "Corvus"),
            (3, "1/2", "species", "Corvus corax"),
        ],
        "observers": [("observer_id", "login", "name"), (1, "ana", 'Ana "Nan" Lima')],
        "observations": [
            ("observation_uuid", "taxon_id", "quality_grade"),
            ("o-1", 3, "research"),
            ("o-2", 3, "casual"),
        ],
        "photos": [
            ("photo_id", "observation_uuid", "observer_id", "extension", "license"),
            *((number, "o-1", 1, "jpg", "CC-BY-NC") for number in range(PHOTOS)),
            (99, "o-2", 1, "jpg", "CC-BY-NC"),
        ],
    }
    for name, rows in tables.items():
        text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    media = [("gbifID", "type", "identifier", "license", "rightsHolder")]
    media += [
        ("7", "StillImage", f"{server}/museum/a{number}.jpg?size=2", CC_BY, "Bo") for number in range(4)
    ]
    media += [("7", "StillImage", f"{BUCKET}/{number}/original.jpg", CC_BY, "Bo") for number in (5, GONE)]
    media += [("7", "StillImage", f"{server}/museum/copy.jpg?same=/photos/6/medium.jpg", CC_BY, "Bo")]
    media += [
        ("7", "Sound", f"{server}/museum/song.mp3", CC_BY, "Bo"),
        ("8", "StillImage", f"{server}/x.jpg", "", ""),
    ]
    with zipfile.ZipFile(folder / "dwca.zip", "w") as archive:
        archive.writestr("meta.xml", META)
        archive.writestr("occurrence.txt", "gbifID\tkingdom\tgenus\tspecies\n7\tPlantae\tRosa\tRosa canina\n")
        archive.writestr("multimedia.txt", "".join("\t".join(row) + "\n" for row in media))


@pytest.fixture(scope="module")
def settings(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings file of both sources."""
    folder = tmp_path_factory.mktemp("listings")
    (folder / "tables").mkdir()
    write_tables(folder / "tables", server)
    sections: Sections = {
        "dataset": {"root": "out", "tag": "urls", "val_percent": 0},
        "images": {"duplicates": "drop"},
        "inat_open": {"images": "tables", "address": f"{server}/photos", "partitions": 1},
        "gbif": {"images": "tables/dwca.zip", "partitions": 1},
        "fetch": {
            "contact": "ana@example.org",
            "private_networks": "127.0.0.0/8",
            "requests_per_second": 1000,
            "tries": 1,
        },
    }
    lines = [
        line
        for name, keys in sections.items()
        for line in (f"[{name}]", *(f"{key} = {value}" for key, value in keys.items()))
    ]
    (folder / "urls.cfg").write_text("\n".join(lines), encoding="utf-8")
    return folder / "urls.cfg"


@pytest.fixture(scope="module")
def built(settings: Path, build: Any) -> Path:
    """The dataset."""
    done = build(settings)
    assert done.returncode == 0, done.stderr
    return settings.parent / "out" / "urls"


def test_a_plan_counts_the_selected_rows_before_anything_is_fetched(settings: Path) -> None:
    with settings_from(settings) as read:
        stats = source_stats(read, 20)
    assert {each.name: each.images for each in stats} == {
        "inat_open": PHOTOS,
        "gbif": 4 + 3,  # with those of both sources
    }

    resized = _changed(settings, "store = resized\nresized_size = 256")
    with settings_from(resized) as read:
        smaller = source_stats(read, 20)
    for each, small in zip(stats, smaller, strict=True):
        assert 0 < small.left_bytes < each.left_bytes / 10


def test_a_plan_says_that_images_of_both_sources_are_counted_twice(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with settings_from(settings):
        plan(Namespace(seconds=5, json=False))
    shown = " ".join(capsys.readouterr().out.split())
    note = "Images of gbif: at most. Those that inat_open lists, too, are not requested, but are counted for each."
    assert note in shown
    assert "Images of inat_open: at most" not in shown


def _changed(settings: Path, fetch: str) -> Path:
    """Write a settings file next to another one, with further lines of its last section."""
    path = settings.with_name("changed.cfg")
    path.write_text(f"{settings.read_text(encoding='utf-8')}\n{fetch}\n", encoding="utf-8")
    return path


def test_a_second_run_has_nothing_to_do(settings: Path, built: Path, build: Any) -> None:
    assert built.is_dir()
    again = build(settings)
    assert (again.returncode, again.ran) == (0, [])


def test_every_selected_row_ends_in_one_state(built: Path, ledger: Callable[[Path], Rows]) -> None:
    rows = ledger(built)

    counts = Counter((row["source"], row["state"]) for row in rows)
    assert counts == {
        ("inat_open", "written"): PHOTOS - 1,
        ("inat_open", "not_fetched"): 1,
        ("gbif", "written"): 4,
        ("gbif", "in_other_source"): 2,
        ("gbif", "duplicate"): 1,
    }


def test_a_photograph_of_both_sources_is_found_by_its_number_and_fetched_once(
    built: Path, ledger: Callable[[Path], Rows]
) -> None:
    rows = {row["name"]: row for row in ledger(built) if row["state"] == "in_other_source"}

    assert set(rows) == {f"inaturalist/{number}" for number in (5, GONE)}
    assert {row["reason"] for row in rows.values()} == {
        "the same image as one of inat_open ([dataset] prefer)"
    }
    requests = pq.read_table(built / "fetched" / "gbif" / "00000-requests.parquet")["server"].to_pylist()
    assert set(requests) == {"127.0.0.1"}


def test_a_photograph_of_both_sources_is_found_by_its_bytes(
    built: Path, ledger: Callable[[Path], Rows]
) -> None:
    (copy,) = [row for row in ledger(built) if row["state"] == "duplicate"]
    assert copy["source"] == "gbif"


def test_the_other_source_can_be_preferred(settings: Path, build: Any) -> None:
    arguments = ("--dataset-tag", "other", "--dataset-prefer", "gbif", "--source", "inat_open")
    done = build(settings, *arguments, task="ListUrls")

    assert done.returncode == 0, done.stderr
    table = settings.parent / "out" / "other" / "fetched" / "inat_open" / "urls.parquet"
    rows = {row["key"]: row["state"] for row in pq.read_table(table).to_pylist()}
    assert {key for key, state in rows.items() if state} == {"5", str(GONE)}
    assert len(rows) == PHOTOS


def test_names_and_licences_are_those_of_the_tables(built: Path) -> None:
    catalog = pq.read_table(built / "224x224" / "catalog.parquet").to_pylist()
    rows = [row for row in catalog if row["split"] != "train_small"]
    inat = {row["inat_open_photo_id"]: row for row in rows if row["source"] == "inat_open"}
    gbif = {row["gbif_image"]: row for row in rows if row["source"] == "gbif"}

    assert set(inat) == set(range(PHOTOS)) - {GONE}
    assert (inat[0]["genus"], inat[0]["species"], inat[0]["kingdom"]) == ("Corvus", "corax", "Animalia")
    assert {(row["genus"], row["species"]) for row in gbif.values()} == {("Rosa", "canina")}
    with (built / "224x224" / "licenses.csv").open(encoding="utf-8", newline="") as file:
        licenses = {row["treeoflife_id"]: row for row in csv.DictReader(file)}
    mine = licenses[inat[0]["treeoflife_id"]]
    assert (mine["license_name"], mine["copyright_owner"]) == ("CC-BY-NC", 'Ana "Nan" Lima')
    assert mine["medium_source_url"] == "https://www.inaturalist.org/observations/o-1"
    for key, row in gbif.items():
        other = licenses[row["treeoflife_id"]]
        assert (other["license_name"], other["copyright_owner"]) == (CC_BY, "Bo")
        assert other["eol_full_size_copy_url"] == key


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (None, "is not a dataset: its dataset.json cannot be read"),
        ({"format": 99}, "built with a later version of tol_luigi: its format is 99"),
        ({"partitions of inat_open": [], "partitions of gbif": []}, "it has no images of inat_open, gbif"),
        ({"fetch.obey_opt_out": False}, "it was fetched with [fetch] obey_opt_out = false"),
        ("itself", "it is this dataset itself"),
    ],
)
def test_an_earlier_dataset_that_cannot_be_used_is_refused(
    settings: Path, built: Path, tmp_path: Path, record: Any, what: str
) -> None:
    earlier = built if record == "itself" else tmp_path
    if isinstance(record, dict):
        stored = json.loads((built / "dataset.json").read_text(encoding="utf-8"))
        (earlier / "dataset.json").write_text(json.dumps(stored | record), encoding="utf-8")

    with pytest.raises(SettingsError) as caught, settings_from(_changed(settings, f"previous = {earlier}")):
        pass

    assert "[fetch] previous" in str(caught.value)
    assert what in str(caught.value)
    assert "Set it to" in str(caught.value)


@pytest.mark.parametrize("state", ["fetched", "lost"])
def test_only_states_without_an_image_are_asked_for_again(settings: Path, state: str) -> None:
    with settings_from(settings), pytest.raises(SettingsError) as caught:
        refetch(Namespace(states=["gone", state], json=False))

    assert f"--states: {state} is not a state of a URL without an image" in str(caught.value)
    assert "gone, forbidden" in str(caught.value)
