"""Images leave a dataset by a takedown or for their licence: their shards are written again, and nothing else changes."""

from __future__ import annotations

import csv
import io
import shutil
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.parquet as pq
import pytest
from killed import attempts
from sessions import Ended, Session

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '=1+1\x1b[31m<script>alert("x")</script>'
KEY = "eol/90000009/90000200"
"""An image of EOL by its content id and page id."""


class State(NamedTuple):
    """A dataset after a build: its files by digest, some of their texts, and the ledger."""

    ended: Ended
    files: dict[str, str]
    texts: dict[str, str]
    ledger: dict[str, dict[str, Any]]

    @property
    def shards(self) -> dict[str, str]:
        """The digests of the shards."""
        return {name: digest for name, digest in self.files.items() if name.endswith(".tar")}

    def rows(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a table."""
        return list(csv.DictReader(io.StringIO(self.texts[name])))


def looked_at(dataset: Path, ended: Ended, digests: Any, ledger: Any) -> State:
    names = ["takedowns.csv", "224x224/changes.csv", "224x224/licenses.csv", "224x224/rights-report.txt"]
    names += ["README.md", "DATASHEET.md"]
    names += [path.relative_to(dataset).as_posix() for path in dataset.glob("224x224/attribution/**/*.csv")]
    found = [name for name in names if (dataset / name).exists()]
    texts = {name: (dataset / name).read_bytes().decode() for name in found}
    return State(ended, digests(dataset), texts, {row["id"]: row for row in ledger(dataset) if row["id"]})


def ids_in(dataset: Path) -> set[str]:
    """Return the ids of all samples in all shards, whatever their split."""
    found = set()
    for path in dataset.glob("224x224/*/*.tar"):
        with tarfile.open(path) as tar:
            found.update(name.partition(".")[0] for name in tar.getnames())
    return found


_made: dict[str, Any] = {}
"""The states of the dataset, which the first test of a process makes; the fixtures that this needs are those of functions."""


@pytest.fixture
def world(  # noqa: PLR0917 (fixtures)
    sample_settings: Any, settings_file: Any, sample_build: Path, digests: Any, ledger: Any, tmp_path: Path
) -> Any:
    """The sample after a takedown, the same again, without a list, with a restriction, and released anew."""
    if not _made:
        _made.update(make_world(sample_settings, settings_file, sample_build, digests, ledger, tmp_path))
    return _made


def make_world(  # noqa: PLR0917 (fixtures)
    sections: Any, settings_file: Any, sample_build: Path, digests: Any, ledger: Any, folder: Path
) -> dict[str, Any]:
    shutil.copytree(sample_build, folder / "out" / "sample")
    manifests = folder / "manifests"
    shutil.copytree(sections["eol"]["media_manifests"], manifests)
    content, page = KEY.split("/")[1:]
    for path in manifests.iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        for row in rows:
            row[5] = HOSTILE if row[:2] == [content, page] else row[5]
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    sections["eol"]["media_manifests"] = manifests
    (folder / "list.csv").write_text("id\n", encoding="utf-8")
    settings = settings_file({**sections, "rights": {"takedowns": "list.csv"}})
    dataset, listed = folder / "out" / "sample", folder / "list.csv"
    small = next(row["id"] for row in ledger(sample_build) if row["id"] in trained_small(sample_build))
    states: dict[str, State] = {}
    rebuild = {"changed_sources": "rebuild"}
    with Session(settings) as session:

        def build(name: str, text: str, **more: str) -> None:
            listed.write_text(text, encoding="utf-8")
            ended = session.run(settings={**rebuild, **more})
            states[name] = looked_at(dataset, ended, digests, ledger)

        owner = HOSTILE.replace('"', '""')
        build(
            "taken", f'id,owner,date,reason\n{small},,2026-03-01,asked by mail\n,"{owner}",,\nno-such-id,,,\n'
        )
        build(
            "again",
            f'reason,owner,id,date\n,,no-such-id,\n,"{owner}",,\nasked by mail,,{small},2026-03-01\n',
        )
        build("forgotten", "id\n")
        build("restricted", "id\n", **{"rights.allow": "CC-BY, CC-BY-SA, cc0, public domain, unknown"})
        stated = {"bioscan.license": "CC BY-NC 4.0", "inat21.license": "as <b>agreed</b>"}
        build("stated", "id\n", **stated, **{"rights.allow": "CC-BY, CC-BY-SA, cc0, public domain, CC-BY-NC"})
        build("allowed", "id\n", **dict.fromkeys(stated, ""), **{"rights.allow": ""})
        reused = {"rights.takedowns": "", "dataset.reuse": str(dataset), "dataset.tag": "next"}
        ended = session.run(settings={**rebuild, **reused})
        states["released"] = looked_at(folder / "out" / "next", ended, digests, ledger)
    ended = Ended(succeeded=True, errors=[])
    states["before"] = looked_at(sample_build, ended, digests, ledger)
    gone = {small, hostile_image(states["before"])}
    assert not gone & ids_in(dataset)
    assert not gone & ids_in(folder / "out" / "next")
    return {**states, "small": small}


def trained_small(dataset: Path) -> set[str]:
    found = set()
    for path in sorted(dataset.glob("224x224/train_small/*.tar"))[:1]:
        with tarfile.open(path) as tar:
            found.update(name.partition(".")[0] for name in tar.getnames())
    return found


def hostile_image(before: State) -> str:
    """Return the id of the image that gets a hostile owner."""
    rows = before.rows("224x224/licenses.csv")
    return next(
        row["treeoflife_id"] for row in rows if f"eol/{row['eol_content_id']}/{row['eol_page_id']}" == KEY
    )


def shards_of(state: State, *images: str) -> set[str]:
    rows = [state.ledger[one] for one in images]
    return {f"224x224/train/shard-{row['shard']:06}.tar" for row in rows}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name, digest in before.items() if after[name] != digest}


def test_only_the_shards_of_what_is_taken_down_change(world: dict[str, Any]) -> None:
    before, taken = world["before"], world["taken"]
    gone = {world["small"], hostile_image(before)}

    ended = {name: state.ended for name, state in world.items() if isinstance(state, State)}
    assert all(one.succeeded for one in ended.values()), ended
    found = changed(before.shards, taken.shards)
    assert {name for name in found if "/train/" in name} == shards_of(before, *gone)
    assert len([name for name in found if "/train_small/" in name]) == 1
    assert not any("/val/" in name for name in found)
    states = {
        one: (row["state"], row["reason"])
        for one, row in taken.ledger.items()
        if row["state"] == "taken_down"
    }
    assert states.keys() == gone
    assert states[world["small"]][1] == f"taken down by its id, {world['small']} on 2026-03-01: asked by mail"
    assert len(taken.ledger) == len(before.ledger)


def test_a_line_that_is_about_no_image_is_named(world: dict[str, Any]) -> None:
    [line] = world["taken"].ended.errors

    assert line.endswith("list.csv: line 4: no image has the id 'no-such-id'")


def test_the_changes_name_images_and_shards(world: dict[str, Any]) -> None:
    rows = world["taken"].rows("224x224/changes.csv")

    assert [(row["date"], row["kind"], row["images"]) for row in rows] == [
        ("2026-03-01", "id", "1"),
        ("", "owner", "1"),
    ]
    assert rows[0]["reason"] == "asked by mail"
    assert rows[0]["shards"].split()[0].startswith("train/shard-")
    assert any(name.startswith("train_small/") for name in rows[0]["shards"].split())
    assert rows[1]["value"].startswith("'=1+1 [31m<script>")


def test_another_order_of_the_list_changes_nothing(world: dict[str, Any]) -> None:
    assert changed(world["taken"].files, world["again"].files) == set()


def test_what_was_taken_down_stays_out_without_the_list_and_whatever_is_allowed(
    world: dict[str, Any],
) -> None:
    assert changed(world["taken"].files, world["forgotten"].files) == set()
    assert changed(world["taken"].files, world["allowed"].files) == set()
    assert world["small"] not in {
        row["id"] for row in world["released"].rows("224x224/attribution/train.csv")
    }
    assert world["released"].texts["takedowns.csv"] == world["taken"].texts["takedowns.csv"]
    assert world["released"].shards == world["taken"].shards


def test_a_restriction_leaves_the_other_shards_alone(world: dict[str, Any]) -> None:
    before, after = world["forgotten"], world["restricted"]
    refused = {one: row for one, row in after.ledger.items() if row["state"] == "license_not_allowed"}
    names = {row["treeoflife_id"]: row["license_name"] for row in before.rows("224x224/licenses.csv")}

    assert refused
    assert {names[one] for one in refused} == {"No known copyright restrictions"}
    assert refused.keys() == {one for one, name in names.items() if name == "No known copyright restrictions"}
    assert {row["reason"] for row in refused.values()} == {
        "its licence is no-known-copyright-restrictions (No known copyright restrictions)"
    }
    sources = {"bioscan", "inat21"}
    untouched = {
        row["shard"]
        for row in before.ledger.values()
        if row["source"] in sources and row["shard"] is not None
    }
    assert untouched
    kept = changed(before.shards, after.shards)
    assert all(before.ledger[one]["source"] == "eol" for one in refused)
    assert 0 < len(kept) < len(before.shards) / 2


def test_the_licence_that_is_stated_for_a_source_is_that_of_images_without_one(world: dict[str, Any]) -> None:
    restricted, stated = world["restricted"], world["stated"]
    rows = {row["treeoflife_id"]: row for row in stated.rows("224x224/licenses.csv")}
    before = {row["treeoflife_id"]: row for row in restricted.rows("224x224/licenses.csv")}
    refused = {
        one: row["reason"]
        for one, row in stated.ledger.items()
        if row["state"] == "license_not_allowed" and row["source"] != "eol"
    }

    assert {row["reason"] for one, row in stated.ledger.items() if one in refused} == {
        "its licence is not a known one (as <b>agreed</b>)"
    }
    assert {stated.ledger[one]["source"] for one in refused} == {"inat21"}
    insects = [row for one, row in rows.items() if stated.ledger[one]["source"] == "bioscan"]
    assert {(row["license_name"], row["license_link"]) for row in insects} == {
        ("CC BY-NC 4.0", "https://creativecommons.org/licenses/by-nc/4.0/")
    }
    own = {
        one: row for one, row in rows.items() if stated.ledger[one]["source"] == "eol" and row["license_name"]
    }
    assert own.items() <= before.items()
    credited = stated.rows("224x224/attribution/train.csv")
    assert {row["license"] for row in credited if row["source"] == "bioscan"} == {"CC-BY-NC-4.0"}
    for name in ("README.md", "DATASHEET.md"):
        assert "bioscan: CC BY\\-NC 4.0" in stated.texts[name]
        assert "<b>agreed" not in stated.texts[name]


def test_every_sample_has_its_attribution_in_its_split_and_in_its_shard(world: dict[str, Any]) -> None:
    state = world["taken"]
    written = {one for one, row in state.ledger.items() if row["state"] == "written"}
    found = [
        row["id"] for split in ("train", "val") for row in state.rows(f"224x224/attribution/{split}.csv")
    ]

    assert sorted(found) == sorted(written)
    for split in ("train", "val", "train_small"):
        folder = f"224x224/attribution/{split}"
        names = sorted(name for name in state.texts if name.startswith(f"{folder}/"))
        header, *lines = state.texts[f"{folder}.csv"].splitlines(keepends=True)
        parts = [state.texts[name].splitlines(keepends=True) for name in names]
        assert [part[0] for part in parts] == [header] * len(parts)
        assert [line for part in parts for line in part[1:]] == lines
        shards = {name.rpartition("/")[2] for name in state.shards if f"/{split}/" in name}
        assert {name.rpartition("/")[2].replace(".csv", ".tar") for name in names} == shards


def test_hostile_owners_are_text(world: dict[str, Any]) -> None:
    taken = world["taken"]

    assert taken.ledger[hostile_image(world["before"])]["reason"] == f"taken down by its owner, {HOSTILE}"
    assert "\x1b" not in taken.texts["224x224/rights-report.txt"]
    assert "\x1b" not in taken.texts["224x224/changes.csv"]
    assert HOSTILE not in taken.texts["224x224/licenses.csv"]


def test_killed_at_any_moment_it_ends_the_same(
    sample_settings: Any, settings_file: Any, sample_build: Path, tmp_path: Path, digests: Any
) -> None:
    ledgers = sample_build.glob("224x224/records/train/eol/*.ledger.parquet")
    ledger = min(
        (path for path in ledgers if pq.read_metadata(path).num_rows > 2),
        key=lambda path: pq.read_metadata(path).num_rows,
    )
    image = pq.read_table(ledger, filters=[("state", "==", "written")])["id"][0].as_py()
    unit = f"split=train source=eol partition={ledger.name.removesuffix('.ledger.parquet')}"
    for name in ("killed", "undisturbed"):
        shutil.copytree(sample_build, tmp_path / name / "out" / "sample")
        (tmp_path / name / "list.csv").write_text(f"id\n{image}\n", encoding="utf-8")
        settings_file({**sample_settings, "rights": {"takedowns": "list.csv"}}, f"{name}/luigi.cfg")
    kills = {}
    for name in ("killed", "undisturbed"):
        for attempt in attempts(tmp_path / name):
            for stage in ("WithholdImages", f"WriteShards {unit}"):
                moment = 0
                while name == "killed" and attempt(moment + 1, stage) == -9:
                    moment += 1
                assert attempt(0, stage) == 0
                kills[stage] = max(moment, kills.get(stage, 0))

    assert min(kills.values()) > 3
    undisturbed = digests(tmp_path / "undisturbed" / "out" / "sample")
    assert digests(tmp_path / "killed" / "out" / "sample") == undisturbed
    assert (
        len(
            changed(
                digests(sample_build, "224x224/*/*.tar"),
                digests(tmp_path / "killed/out/sample", "224x224/*/*.tar"),
            )
        )
        == 1
    )
