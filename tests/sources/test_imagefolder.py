"""Images in folders that are named after what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tol_luigi.core.higher_ranks import HigherRankTable
from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.core.vernacular import CommonNames
from tol_luigi.sources.imagefolder import IMAGEFOLDER, ImageFolderLabeler, ImageFolderReader
from tol_luigi.sources.path_names import FolderPattern, PathPattern

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Pack = Callable[..., Path]

RAVEN = ("Animalia", "Chordata", "Aves", "Passeriformes", "Corvidae", "Corvus", "corax")
INAT21 = "{}_{kingdom}_{phylum}_{class}_{order}_{family}_{genus}_{species}"


def ranks(**known: str) -> tuple[str, ...]:
    return tuple(known.get(rank.replace("class", "cls"), "") for rank in RANK_LABELS)


@pytest.mark.parametrize(
    ("pattern", "path", "name", "found"),
    [
        ("{name}", "Corvus_corax/1.jpg", "Corvus corax", ranks()),
        ("{name}", "birds/Corvus corax/1.jpg", "Corvus corax", ranks()),
        ("{genus}_{species}", "Corvus_corax/1.jpg", "", ranks(genus="Corvus", species="corax")),
        ("{genus}_{species}", "Corvus_corax_x/1.jpg", "", ranks(genus="Corvus", species="corax x")),
        ("{family}/{genus}", "a/Corvidae/Corvus/1.jpg", "", ranks(family="Corvidae", genus="Corvus")),
        ("{class}/{}/{name}", "Aves/day 1/Pica_pica/1.jpg", "Pica pica", ranks(cls="Aves")),
        ("/{name}/{}/", "Pica_pica/cam1/1.jpg", "Pica pica", ranks()),
        ("[{name}]", "[Pica pica]/1.jpg", "Pica pica", ranks()),
        (INAT21, f"00017_{'_'.join(RAVEN)}/1.jpg", "", RAVEN),
    ],
)
def test_what_folders_say(pattern: str, path: str, name: str, found: tuple[str, ...]) -> None:
    assert PathPattern(pattern).match(path) == (name, found)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{name}", "1.jpg"),
        ("{genus}_{species}", "Corvus/1.jpg"),
        ("{family}/{genus}", "Corvus/1.jpg"),
        ("x{name}", "y/1.jpg"),
    ],
)
def test_folders_of_another_form_say_nothing(pattern: str, path: str) -> None:
    assert PathPattern(pattern).match(path) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "{}",
        "plain",
        "{split}/{group}",
        "{split}/{split}/{name}",
        "{nam}",
        "{genus}/{genus}",
        "{name}/{species}",
        "{genus",
        "{} {}",
    ],
)
def test_a_pattern_that_names_no_taxon_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        FolderPattern().parse(pattern)


WORDS = st.text("abcdefghijklmnopqrstuvwxyz-é", min_size=1, max_size=9)


@given(st.lists(WORDS, min_size=7, max_size=7), st.sampled_from(["/", "_", " "]))
def test_a_path_says_what_it_was_made_of(words: list[str], joint: str) -> None:
    pattern = joint.join(f"{{{rank}}}" for rank in RANK_LABELS)
    assert PathPattern(pattern).match(f"top/{joint.join(words)}/1.jpg") == ("", tuple(words))


@pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "zip"])
def test_every_file_ends_somewhere(pack: Pack, form: str) -> None:
    files = dict.fromkeys(["Pica_pica/a.jpg", "Pica_pica/b.txt", "stray.jpg", "x/Corvus/c.png"], b"x")
    reader = ImageFolderReader(pack(form, files), PathPattern("{name}"), "mine", 4)
    rows = {row.member.name: row for listing in reader.listings() for row in reader.scan(listing)}

    assert {name: (row.state, row.key) for name, row in rows.items()} == {
        "Pica_pica/a.jpg": (None, ("mine", "Pica_pica/a.jpg")),
        "Pica_pica/b.txt": (State.NO_IMAGE, None),
        "stray.jpg": (State.BAD_NAME, None),
        "x/Corvus/c.png": (None, ("mine", "x/Corvus/c.png")),
    }
    assert rows["stray.jpg"].reason == "its folder is not of the form {name}"
    assert {row.partition for row in rows.values()} <= set(reader.partitions())
    assert list(reader.unlisted()) == []
    image = rows["Pica_pica/a.jpg"]
    assert list(reader.read(image.partition, [image.member])) == [(0, b"x")]


def test_higher_ranks_are_looked_up() -> None:
    lookup = HigherRankTable()
    lookup.add_chain(Taxon.of(*RAVEN))
    labeler = ImageFolderLabeler(PathPattern("{name}"))
    images = [("mine", f"{folder}/1.jpg", folder) for folder in ("Corvus_corax", "Corvidae", "Unknown_thing")]
    taxa = {entry.key: entry.taxon for entry in labeler.entries(images, lookup, CommonNames())}

    assert taxa["Corvus_corax"] == Taxon.of(*RAVEN)
    assert taxa["Corvidae"] == Taxon.of(*RAVEN[:5])
    assert taxa["Unknown_thing"].ranks[4:] == ("", "", "thing")


@pytest.mark.parametrize(
    ("pattern", "path", "split", "group"),
    [
        ("{split}/{name}", "train/Corvus_corax/1.jpg", "train", ""),
        ("{split}/{name}", "birds/Test/Corvus_corax/1.jpg", "val", ""),
        ("{name}/{group}", "Corvus_corax/camera_1/1.jpg", "", "camera_1"),
        ("{split}_{name}_{group}", "val_Corvus corax_7/1.jpg", "val", "7"),
        ("{name}", "train/Corvus_corax/1.jpg", "", ""),
    ],
)
def test_folders_give_splits_and_groups(pattern: str, path: str, split: str, group: str) -> None:
    labeler = ImageFolderLabeler(PathPattern(pattern))

    [hint] = labeler.split_hints([("mine", path, "an id")])
    assert (hint.split, hint.group) == (split, group)
    assert (labeler.has_split_hints, labeler.has_groups) == (bool(split or group), bool(group))


def test_folders_of_splits_are_recognised(tmp_path: Path) -> None:
    assert IMAGEFOLDER.suggest
    files = [f"{split}/{name}/1.jpg" for split in ("train", "test") for name in ("Pica_pica", "Corvus_corax")]
    suggestion = IMAGEFOLDER.suggest(tmp_path, files)

    assert suggestion
    assert suggestion.settings["pattern"] == "{split}/{name}"
    assert suggestion.named == 4


def test_a_folder_that_is_no_split_is_of_another_form() -> None:
    assert PathPattern("{split}/{name}").match("holdout/Corvus_corax/1.jpg") is None


def test_it_is_a_source_like_others() -> None:
    assert IMAGEFOLDER.fault() == ""
    assert [column.catalog for column in IMAGEFOLDER.columns] == ["imagefolder_name", "imagefolder_file"]
