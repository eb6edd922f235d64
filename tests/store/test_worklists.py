from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from tol_luigi.core.copying import SampleRef
from tol_luigi.core.images import ImageMetadata
from tol_luigi.core.keys import image_id
from tol_luigi.core.ledger import State
from tol_luigi.core.packing import Outcome
from tol_luigi.store.ledger import write_ledger
from tol_luigi.store.worklists import WorkList, copy_list, work_list

if TYPE_CHECKING:
    from collections.abc import Sequence

COPIED = {"offset": 1024, "bytes": 512}


def _in_order(ids: Sequence[str]) -> list[int]:
    return list(range(len(ids)))


def foretold(world: Any, split: str, partition: str = "a") -> set[str]:
    rows = pq.read_table(world.predicted).to_pylist()
    return {row["treeoflife_id"] for row in rows if row["split"] == split and row["partition"] == partition}


def test_train_and_val_together_are_the_partition(world: Any) -> None:
    lists = [work_list(world.predicted, world.listings["a"], split, "eol", "a") for split in ("train", "val")]
    ids = [{*(s.id for s in work.samples), *(row["id"] for row in work.rejected)} for work in lists]

    assert ids == [foretold(world, "train"), foretold(world, "val")]
    assert len(ids[0] | ids[1]) == 20


def test_samples_come_in_the_order_of_their_source_with_their_place(world: Any) -> None:
    work = work_list(world.predicted, world.listings["a"], "train", "eol", "a")
    numbers = [int(member.name.removesuffix(".jpg")) for member in work.members]

    assert numbers == sorted(numbers)
    assert [sample.id for sample in work.samples] == [image_id("eol", f"{n + 1}/10") for n in numbers]
    assert [member.offset for member in work.members] == [n * 1000 for n in numbers]
    assert work.samples[0].ranks[-2:] == ("Setophaga", "coronata")
    assert work.samples[0].common == 'Myrtle "Yellow-Rumped", Warbler'


def test_excluded_images_are_not_written_but_accounted_for(world: Any) -> None:
    lists = [work_list(world.predicted, world.listings["a"], split, "eol", "a") for split in ("train", "val")]
    [left_out] = [row for work in lists for row in work.rejected]

    assert left_out == {
        "id": image_id("eol", "7/10"),
        "source": "eol",
        "partition": "a",
        "name": "6.jpg",
        "state": "excluded_image",
        "reason": "on the list unseen",
    }
    assert image_id("eol", "7/10") not in {sample.id for work in lists for sample in work.samples}


def replaced(work: WorkList, **changes: Any) -> WorkList:
    """Change the first sample, or its file."""
    samples, members = list(work.samples), list(work.members)
    for key, value in changes.items():
        if key in {"id", "ranks", "common"}:
            samples[0] = replace(samples[0], **{key: value})
        else:
            members[0] = replace(members[0], **{key: value})
    return replace(work, samples=samples, members=members)


def test_the_digest_is_of_all_that_shards_are_made_of(world: Any) -> None:
    works = [work_list(world.predicted, world.listings["a"], split, "eol", "a") for split in ("train", "val")]
    work = next(work for work in works if work.rejected)
    first, member = work.samples[0], work.members[0]
    others = [
        replaced(work, id="another"),
        replaced(work, ranks=(*first.ranks[:-2], "Setophaga coronata", "")),
        replaced(work, ranks=first.ranks[:-1], common=f"{first.ranks[-1]}{first.common}"),
        replaced(work, common=""),
        replaced(work, name=f"{member.name}x"),
        replaced(work, size=member.size + 1),
        replaced(work, offset=member.offset + 1),
        replaced(work, size=member.offset, offset=member.size),
        replace(work, samples=work.samples[1:], members=work.members[1:]),
        replace(work, samples=work.samples[::-1], members=work.members[::-1]),
        replace(work, rejected=[]),
        replace(work, rejected=[{**work.rejected[0], "reason": "another"}]),
        replace(work, rejected=work.rejected * 2),
    ]

    assert replaced(work).digest == work.digest
    assert len({one.digest for one in [work, *others]}) == 1 + len(others)


def test_the_ledger_has_a_row_for_every_image(world: Any) -> None:
    work = work_list(world.predicted, world.listings["a"], "train", "eol", "a")
    picture = ImageMetadata(90, 60, "L", "PNG", ("grey", "not_jpeg"))
    written = Outcome(State.WRITTEN, "", "sha", "md5", picture, shard=1, position=4, offset=1024, length=512)
    broken = Outcome(State.UNREADABLE, "not a picture", "sha", "md5")
    outcomes = [written, *[broken] * (len(work.samples) - 1)]
    rows = list(work.ledger(outcomes, range(7, 9)))
    first, second = rows[len(work.rejected) :][:2]

    assert {row["id"] for row in rows} == foretold(world, "train")
    assert (first["state"], first["shard"], first["position"], first["offset"], first["bytes"]) == (
        "written", 8, 4, 1024, 512
    )  # fmt: skip
    assert (first["width"], first["height"], first["mode"], first["flags"]) == (
        90,
        60,
        "L",
        ["grey", "not_jpeg"],
    )
    assert (second["state"], second["reason"], second["md5"]) == ("unreadable", "not a picture", "md5")
    assert "shard" not in second


def test_train_small_is_copied_in_the_order_of_train(world: Any, tmp_path: Path) -> None:
    rows = pq.read_table(world.predicted).to_pylist()
    small = [row["treeoflife_id"] for row in rows if row["is_train_small"] and row["partition"] == "a"]
    common = {"source": "eol", "partition": "a", "name": "x.jpg"}
    ledger = tmp_path / "train.parquet"
    written = [
        {"id": image, **common, "state": "written", "shard": 9 - n % 2, "position": n, **COPIED}
        for n, image in enumerate([*small[1:], "another"])
    ]
    write_ledger(ledger, [*written, {"id": small[0], **common, "state": "unreadable", "reason": "broken"}])
    work = copy_list(world.predicted, ledger, lambda shard: Path(f"{shard}.tar"), "eol", "a", order=_in_order)
    order = [*small[2::2], *small[1::2]]

    assert len(small) > 3
    assert [copy.id for copy in work.copies] == order
    assert work.copies[-1] == SampleRef(order[-1], Path("9.tar"), 1024, 512)
    assert [row["id"] for row in work.broken] == [small[0]]


def test_the_ledger_of_train_small_tells_its_own_places(world: Any, tmp_path: Path) -> None:
    rows = pq.read_table(world.predicted).to_pylist()
    image = next(row["treeoflife_id"] for row in rows if row["is_train_small"] and row["partition"] == "a")
    ledger = tmp_path / "train.parquet"
    place = {"state": "written", "shard": 3, "position": 5, "width": 90, "md5": "m"}
    write_ledger(
        ledger, [{"id": image, "source": "eol", "partition": "a", "name": "x.jpg", **place, **COPIED}]
    )
    work = copy_list(world.predicted, ledger, lambda shard: Path(f"{shard}.tar"), "eol", "a", order=_in_order)
    outcome = Outcome(State.WRITTEN, shard=0, position=0, offset=0, length=512)
    [row] = work.ledger([outcome], range(1, 2))

    assert (row["shard"], row["position"], row["offset"], row["bytes"]) == (1, 0, 0, 512)
    assert (row["width"], row["md5"], row["name"]) == (90, "m", "x.jpg")
