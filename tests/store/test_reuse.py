"""What is taken out of an older dataset in place of the files: what is surely the same, and whole."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tol_luigi.core.errors import ShardError
from tol_luigi.core.images import ImageSpec
from tol_luigi.core.ledger import State
from tol_luigi.core.packing import Content, Sample, pack
from tol_luigi.core.reader import Found, Member
from tol_luigi.core.shards import ShardReader
from tol_luigi.sources.eol import EOL
from tol_luigi.store.ledger import ledger_row, write_ledger
from tol_luigi.store.listings import collect_listing, write_listing
from tol_luigi.store.previous import PreviousFiles, previously_unlisted, reused_contents
from tol_luigi.store.worklists import WorkList

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Key

RANKS = ("Animalia", "Arthropoda", "Insecta", "Hymenoptera", "Apidae", "Apis", "mellifera")


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (shade, 0, 0)).save(file, "PNG")
    return file.getvalue()


def nothing(_: int) -> None:
    """Be told of progress."""


def listing(path: Path, files: Sequence[Found]) -> Path:
    write_listing(path, collect_listing(files, EOL.columns, nothing))
    return path


def image(name: str, key: Key | str, size: int = 100) -> Found:
    """An image of the partition ``a``, by its natural key or its published id."""
    known = {"id": key} if isinstance(key, str) else {"key": key}
    return Found(Member(name, size), "a", **known)  # type: ignore[arg-type]


def work_of(files: Sequence[Found]) -> WorkList:
    samples = [Sample(f"new-{number}", RANKS, "") for number in range(len(files))]
    return WorkList("eol", "a", samples, [file.member for file in files], [])


@dataclass
class Before:
    """An older dataset, of one partition with two shards.

    Attributes:
        folder: Its folder.
        pictures: The finished picture of each of its files.
        asked: What was asked of the files: their positions, and which shards were damaged.
    """

    folder: Path
    pictures: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[list[int], list[str]]] = field(default_factory=list)

    @property
    def files(self) -> PreviousFiles:
        return PreviousFiles(self.folder / "receipt.json", self.folder / "ledger.parquet", self.folder)

    def build(self, files: Sequence[Found], contents: Mapping[str, bytes | OSError]) -> None:
        """Build it of these files; what has no content is not in the ledger."""
        listing(self.folder / "listing.parquet", files)
        chosen = [file for file in files if file.member.name in contents]
        work = WorkList(
            "eol",
            "a",
            [Sample(f"old-{file.member.name[0]}", RANKS, "") for file in chosen],
            [file.member for file in chosen],
            [],
        )
        shards, outcomes, _ = pack(
            work.samples,
            enumerate(contents[file.member.name] for file in chosen),
            [self.folder / f"shard-00000{number}.tar" for number in (3, 4)],
            where="x",
            spec=ImageSpec(width=8, height=8),
            seed=1,
            shuffled=False,
            max_bad_percent=100,
            progress=nothing,
        )
        write_ledger(self.files.ledger, work.ledger(outcomes, range(3, 5)))
        self.files.receipt.write_text(json.dumps({"shards": [asdict(shard) for shard in shards]}))
        for shard in shards:
            for key, members in ShardReader(self.folder / shard.name):
                self.pictures[key.removeprefix("old-")] = members["jpg"]

    def taken(self, files: Sequence[Found], *, try_again: bool = False) -> dict[int, Content]:
        """Give the last content of each of these files of a new dataset; one that is decoded is its name."""
        work = work_of(files)

        def decode(positions: list[int], damaged: list[Path]) -> Iterator[tuple[int, bytes | OSError]]:
            self.asked.append((positions, [path.name for path in damaged]))
            yield from enumerate(work.members[position].name.encode() for position in positions)

        return dict(
            reused_contents(
                work,
                EOL.columns,
                listing=listing(self.folder / "new.parquet", files),
                previous_listing=self.folder / "listing.parquet",
                previous=[self.files],
                decode=decode,
                try_again=try_again,
            )
        )

    def shown(self, files: Sequence[Found], *, try_again: bool = False) -> list[str]:
        """Tell for each file whose picture in the older dataset it gets, or ``decoded``, or its older state."""
        names = {jpeg: name for name, jpeg in self.pictures.items()}
        contents = self.taken(files, try_again=try_again)
        assert sorted(contents) == list(range(len(files)))
        shown = []
        for position, file in enumerate(files):
            content = contents[position]
            if isinstance(content, bytes):
                assert content == file.member.name.encode()
                shown.append("decoded")
            else:
                assert not isinstance(content, OSError)
                shown.append(names[content.image] if content.image else str(content.outcome.state))
        return shown


@pytest.fixture
def before(tmp_path: Path) -> Before:
    return Before(tmp_path)


FOUR = [image(f"{number}.jpg", (number, 7)) for number in range(4)]
CONTENTS = {f"{number}.jpg": picture(60 * number) for number in range(4)}


def test_all_pictures_are_taken_if_all_files_are_the_same(before: Before) -> None:
    before.build(FOUR, CONTENTS)

    assert before.shown(FOUR[::-1]) == ["3", "2", "1", "0"]
    assert before.asked == []


def test_what_is_known_of_a_picture_is_taken_with_it(before: Before) -> None:
    before.build(FOUR, CONTENTS)
    content = before.taken(FOUR)[2]

    assert not isinstance(content, (bytes, OSError))
    assert (content.outcome.state, content.outcome.shard, content.outcome.offset) == (State.WRITTEN, -1, -1)
    assert len(content.outcome.sha256) == 64
    assert content.outcome.image_metadata is not None
    assert (content.outcome.image_metadata.width, content.outcome.image_metadata.format) == (20, "PNG")


def test_a_file_is_known_by_its_key_and_not_by_its_name(before: Before) -> None:
    before.build(FOUR, CONTENTS)
    renamed = [image("x/1.jpg", (0, 7)), image("0.jpg", (1, 7)), image("1.jpg", (7, 1))]

    assert before.shown(renamed) == ["0", "1", "decoded"]
    assert before.asked == [([2], [])]


def test_a_file_named_by_a_published_id_is_known_by_that(before: Before) -> None:
    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(4)]
    before.build([image(f"{number}.jpg", ids[number]) for number in range(4)], CONTENTS)

    assert before.shown([image("a.jpg", ids[2]), image("b.jpg", ids[1]), image("c.jpg", (2, 7))]) == [
        "2",
        "1",
        "decoded",
    ]


@pytest.mark.parametrize("size", [99, 101])
def test_a_file_of_another_length_is_another_file(before: Before, size: int) -> None:
    before.build(FOUR, CONTENTS)

    assert before.shown([FOUR[0], image("1.jpg", (1, 7), size)]) == ["0", "decoded"]


def test_of_two_files_with_one_key_the_first_is_the_image(before: Before) -> None:
    first, second = image("0.jpg", (5, 7), 100), image("1.jpg", (5, 7), 200)
    before.build([first, second, *FOUR[2:]], {name: CONTENTS[name] for name in ("0.jpg", "2.jpg", "3.jpg")})

    assert before.shown([first]) == ["0"]
    assert before.shown([image("1.jpg", (5, 7), 200)]) == ["decoded"]


def test_files_of_other_partitions_and_those_left_out_are_no_images_of_this_one(before: Before) -> None:
    other = Found(Member("0.jpg", 100), "b", key=(0, 7))
    out = Found(Member("0.jpg", 100), "a", key=(0, 7), state=State.UNSAFE)
    before.build([other, out, *FOUR[1:]], {name: CONTENTS[name] for name in ("1.jpg", "2.jpg", "3.jpg")})

    assert before.shown(FOUR) == ["decoded", "1", "2", "3"]


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # behind all pictures: only the checksum tells
    path.write_bytes(content)


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(damage, id="damaged"),
        pytest.param(lambda path: path.unlink(), id="gone"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:700]), id="cut off"),
    ],
)
def test_of_a_shard_that_is_not_whole_nothing_is_taken(before: Before, harm: object) -> None:
    before.build(FOUR, CONTENTS)
    assert callable(harm)
    harm(before.folder / "shard-000003.tar")

    assert before.shown(FOUR) == ["decoded", "decoded", "2", "3"]
    assert before.asked == [([0, 1], ["shard-000003.tar"])]


@pytest.mark.parametrize("try_again", [False, True])
def test_a_file_that_gave_no_picture_gives_none_unless_it_could_not_be_read(
    before: Before, *, try_again: bool
) -> None:
    unread = OSError(5, "Input/output error")
    before.build(FOUR, {**CONTENTS, "1.jpg": b"no picture", "2.jpg": unread})

    last = "decoded" if try_again else "unreadable"
    assert before.shown(FOUR[:3], try_again=try_again) == ["0", "unreadable", last]


def test_what_an_older_list_has_kept_out_is_another_matter_now(before: Before) -> None:
    before.build(FOUR, CONTENTS)
    row = ledger_row("old", "eol", "a", "0.jpg", State.EXCLUDED_IMAGE, "x")
    write_ledger(before.files.ledger, [{**row, "sha256": "0" * 64}])

    assert before.shown(FOUR[:1]) == ["decoded"]


@pytest.mark.parametrize("lost", ["listing.parquet", "receipt.json", "ledger.parquet"])
def test_what_an_older_dataset_does_not_tell_is_decoded(before: Before, lost: str) -> None:
    before.build(FOUR, CONTENTS)
    (before.folder / lost).unlink()

    assert before.shown(FOUR) == ["decoded"] * 4


@pytest.mark.parametrize("harmed", ["listing.parquet", "receipt.json", "ledger.parquet"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"x" * 99])
def test_a_damaged_file_of_an_older_dataset_is_named(before: Before, harmed: str, content: bytes) -> None:
    before.build(FOUR, CONTENTS)
    (before.folder / harmed).write_bytes(content)

    with pytest.raises(ShardError, match=rf"{harmed}: it cannot be read \(.+\)\. Repair that dataset"):
        before.taken(FOUR)


def test_what_lay_beside_the_listings_is_told_again(tmp_path: Path) -> None:
    listed = Found(Member("a/listed.txt", 1), "a", state=State.NO_IMAGE, reason="by its name")
    rows = [
        ledger_row("", "eol", "a", "a/listed.txt", State.NO_IMAGE, "by its name"),
        ledger_row("", "eol", "b", "a/listed.txt", State.NO_IMAGE, "of another partition"),
        ledger_row("", "eol", "", "b.tar.gz", State.BAD_ARCHIVE, "breaks off"),
        ledger_row("1", "eol", "a", "1.jpg", State.DUPLICATE_NAME, ""),
        ledger_row("2", "eol", "a", "2.jpg", State.NOT_IN_MAPPING, ""),
        ledger_row("3", "eol", "", "3.jpg", State.MISSING, ""),
        ledger_row("", "bioscan", "", "c.zip", State.BAD_ARCHIVE, "breaks off"),
    ]
    write_ledger(tmp_path / "ledger.parquet", rows)
    listings = [listing(tmp_path / "listing.parquet", [listed, *FOUR])]

    told = list(previously_unlisted(tmp_path / "ledger.parquet", "eol", listings))
    assert [(found.partition, found.member.name, found.state, found.reason) for found in told] == [
        ("b", "a/listed.txt", State.NO_IMAGE, "of another partition"),
        ("", "b.tar.gz", State.BAD_ARCHIVE, "breaks off"),
    ]
