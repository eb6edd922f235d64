"""A publication is complete, verified and last of all described, whatever cut it; what has arrived is not sent again."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tol_luigi.command.line import main
from tol_luigi.core.errors import DamagedError, PublicationError, SettingsError, TolError
from tol_luigi.core.layout import Layout
from tol_luigi.publication.listed import in_groups, listed_files
from tol_luigi.publication.publish import PublicationPlan, open_destination, plan_publication, publish

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from conftest import Publisher, Server

HOSTILE = "old\x1b[31m\n.txt"
SHARD = "224x224/train/shard-000000.tar"


@pytest.fixture
def copied(small_build: Path, tmp_path: Path) -> Path:
    """A copy of it, of hard links: a file may be replaced, but not changed in place."""
    folder = tmp_path / "copied"
    subprocess.run(["cp", "-al", small_build, folder], check=True)
    return folder


def layout(dataset: Path) -> Layout:
    return Layout(dataset, "224x224")


def published(
    dataset: Path, destination: str | Path, *, delete: bool = False, jobs: int = 2
) -> PublicationPlan:
    place = open_destination(str(destination), dataset, jobs=jobs, part_size=1 << 16)
    plan = plan_publication(layout(dataset), place, lambda _: None)
    publish(plan, place, lambda _: None, delete=delete)
    return plan


def replace_file(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def test_a_published_folder_is_the_dataset_and_verifies_itself(small_build: Path, tmp_path: Path) -> None:
    plan = published(small_build, tmp_path / "there")
    assert plan.missing == plan.files
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path / "there", check=False
    )
    assert done.returncode == 0
    names = {
        str(path.relative_to(tmp_path / "there"))
        for path in (tmp_path / "there").rglob("*")
        if path.is_file()
    }
    assert names == {file.name for file in plan.files}
    assert (
        plan_publication(
            layout(small_build),
            open_destination(str(tmp_path / "there"), small_build, jobs=2, part_size=1),
            lambda _: None,
        ).missing
        == []
    )


def test_the_cards_are_sent_last_and_what_names_files_before_them(small_build: Path) -> None:
    names = [file.name for group in in_groups(listed_files(layout(small_build))) for file in group]
    assert names[-2:] == ["224x224/README.md", "README.md"]
    naming = {"manifest.json", "SHA256SUMS", "croissant.json"}
    assert min(map(names.index, naming)) > max(map(names.index, set(names) - naming - set(names[-40:])))
    assert all(
        names.index(name) < min(map(names.index, naming)) for name in names if name.startswith("224x224/t")
    )


def test_only_what_differs_is_sent(small_build: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    published(small_build, there)
    (there / "plan.json").unlink()
    content = bytearray((there / SHARD).read_bytes())
    content[1000] ^= 1
    replace_file(there / SHARD, bytes(content))
    assert {file.name for file in published(small_build, there).missing} == {"plan.json", SHARD}
    assert (there / SHARD).read_bytes() == (small_build / SHARD).read_bytes()


@pytest.mark.parametrize("name", [SHARD, "manifest.json"])
def test_a_damaged_file_is_not_published(copied: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((copied / name).read_bytes())
    content[700] ^= 1
    replace_file(copied / name, bytes(content))
    with pytest.raises(DamagedError, match=name):
        published(copied, tmp_path / "there")
    assert not list((tmp_path / "there").glob("**/README.md"))
    assert not (tmp_path / "there" / name).exists()


def test_a_missing_file_stops_before_anything_is_sent(copied: Path, tmp_path: Path) -> None:
    (copied / SHARD).unlink()
    with pytest.raises(DamagedError, match=r"shard-000000\.tar: differs from the manifest"):
        published(copied, tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_files_of_an_earlier_publication_are_named_and_removed_on_request(
    small_build: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    published(small_build, there)
    earlier = json.loads((there / "manifest.json").read_text())
    earlier["files"] |= {"old.txt": {}, "224x224/train/shard-000009.tar": {}}
    (there / "manifest.json").write_text(json.dumps(earlier))
    for name in ("old.txt", "own.txt"):
        (there / name).write_text("x")
    assert published(small_build, there).unlisted == ["old.txt"]
    (there / "manifest.json").write_text(json.dumps(earlier))
    (there / "224x224/train/shard-000009.tar").write_text("x")
    with pytest.raises(PublicationError, match="shard of an earlier publication"):
        published(small_build, there)
    assert json.loads((there / "manifest.json").read_text()) == earlier
    published(small_build, there, delete=True)
    assert not (there / "old.txt").exists()
    assert not (there / "224x224/train/shard-000009.tar").exists()
    assert (there / "own.txt").exists()


def test_what_is_no_destination_is_one_line(small_build: Path, tmp_path: Path) -> None:
    for name, text in {
        str(small_build / "inside"): "it is in the dataset itself",
        "nowhere://x/y": "Protocol not known: nowhere",
        "hf://models": "not a dataset repository",
    }.items():
        with pytest.raises(SettingsError, match=text):
            open_destination(name, small_build, jobs=1, part_size=1)
    (tmp_path / "file").write_text("")
    with pytest.raises(TolError, match="is a file, not a folder"):
        published(small_build, tmp_path / "file" / "there")


def test_a_place_that_cannot_be_written_is_one_line(
    small_build: Path, tmp_path: Path, unprivileged: Callable[[], AbstractContextManager[None]]
) -> None:
    tmp_path.joinpath("there").mkdir(mode=0o500)
    with unprivileged(), pytest.raises(PublicationError) as raised:
        published(small_build, tmp_path / "there", jobs=1)
    assert "run the same command again" in str(raised.value)
    assert not list((tmp_path / "there").iterdir())


def test_any_store_of_fsspec(small_build: Path) -> None:
    plan = published(small_build, "memory://there/small")
    assert plan.missing == plan.files
    plan = published(small_build, "memory://there/small")
    assert plan.missing == []


def test_the_command_lists_sends_and_reports(
    small_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "tol_luigi.command.publish.settings", lambda: type("S", (), {"layout": layout(small_build)})
    )
    there = str(tmp_path / "there")
    assert main(["publish", there, "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert not Path(there).exists()
    assert planned["bytes"] == sum(file["bytes"] for file in planned["send"])
    assert main(["publish", there, "--dry-run"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == len(planned["send"])
    assert last.startswith(f"To send: {len(lines)} files, ")
    assert main(["publish", there]) == 0
    assert "All are verified by checksum." in capsys.readouterr().out
    assert main(["publish", there, "--dry-run"]) == 0
    assert capsys.readouterr().out == f"To send: 0 files, 0 bytes; {len(lines)} unchanged\n"
    earlier = json.loads(Path(there, "manifest.json").read_text())
    earlier["files"] |= {HOSTILE: {}}
    Path(there, "manifest.json").write_text(json.dumps(earlier))
    Path(there, HOSTILE).write_text("x")
    for more in (["--dry-run"], ["--delete"]):
        assert main(["publish", there, *more]) == 0
        said = capsys.readouterr().out
        assert all(line.isprintable() for line in said.splitlines())
        assert r"old\x1b[31m\n.txt (of an earlier publication, not of this dataset)" in said
    assert not Path(there, HOSTILE).exists()


def cut_until_complete(
    publishes: Publisher, server: Server, dataset: Path, destination: str, cuts: list[int], **environment: str
) -> list[list[tuple[str, str, int]]]:
    """Publish, and be killed with -9 at a request of each attempt but the last; return what each attempt sent."""
    attempts = []
    for number in [*cuts, 0]:
        before = len(server.sent)
        if number:
            server.cut(number)
        else:
            server.serve_all()
        code, text = publishes(dataset, destination, pid=server.folder / "pid", **environment)
        assert code == (0 if not number else -9), text
        attempts.append(server.sent[before:])
    return attempts


def sent_once(attempts: list[list[tuple[str, str, int]]]) -> bool:
    return set(Counter((path, part) for attempt in attempts for path, part, _ in attempt).values()) == {1}


def test_a_cut_publication_to_s3_is_continued_and_sends_nothing_twice(
    publishes: Publisher, s3: Server, small_build: Path
) -> None:
    import requests  # noqa: PLC0415

    destination = "s3://datasets/cut"
    files = listed_files(layout(small_build))
    first = itertools.takewhile(lambda file: file.name != SHARD, in_groups(files)[0])
    before = sum(max(1, -(-file.size // publishes.part_size)) for file in first)
    # killed at the third file, at the third part of the first shard, and at one part after that
    attempts = cut_until_complete(
        publishes, s3, small_build, destination, [3, before - 2 + 3, 2], **s3.environment
    )
    assert sent_once(attempts)
    assert [len(attempt) for attempt in attempts[:3]] == [2, before, 1]
    assert {path for path, *_ in attempts[2]} == {f"/datasets/cut/{SHARD}"} == {attempts[1][-1][0]}
    assert attempts[3][0][:2] == (f"/datasets/cut/{SHARD}", "4")
    parts = Counter(path for attempt in attempts for path, _, _ in attempt)
    assert max(parts.values()) > 3  # shards were sent in parts
    assert sum(length for attempt in attempts for *_, length in attempt) == sum(file.size for file in files)
    for file in files:
        content = requests.get(f"{s3.url}/datasets/cut/{file.name}", timeout=60).content
        assert hashlib.sha256(content).hexdigest() == file.sha256
    assert attempts[-1][-1][0] == "/datasets/cut/README.md"
    # An object that was replaced, with its metadata kept, is found by the checksum that S3 keeps, and sent again.
    before = len(s3.sent)
    program = (
        "import s3fs; s = s3fs.S3FileSystem(); h = s.call_s3('head_object', Bucket='datasets', Key='cut/plan.json');"
        " s.call_s3('put_object', Bucket='datasets', Key='cut/plan.json', Body=b'x' * h['ContentLength'],"
        " ChecksumAlgorithm='SHA256', Metadata=h['Metadata'])"
    )
    subprocess.run([sys.executable, "-c", program], env={**os.environ, **s3.environment}, check=True)
    assert publishes(small_build, destination, **s3.environment)[0] == 0
    assert [path for path, *_ in s3.sent[before + 1 :]] == ["/datasets/cut/plan.json"]
    code, text = publishes(small_build, "s3://nowhere/at/all", **s3.environment)
    assert (code, text.count("\n")) == (40, 1)
    assert "The specified bucket does not exist" in text


def test_a_cut_publication_to_the_hub_is_continued_and_sends_nothing_twice(
    publishes: Publisher, hub: Server, small_build: Path
) -> None:
    given = {"HF_TOKEN": "hf_tests"}
    destination = "hf://datasets/owner/name"
    code, text = publishes(small_build, destination, HF_TOKEN="hf_wrong")  # noqa: S106 (one that is refused)
    assert (code, text.count("\n")) == (40, 1)
    assert "Check credentials" in text
    large = {
        file.sha256
        for file in listed_files(layout(small_build))
        if file.path.suffix in {".tar", ".parquet", ".sqlite"}
    }
    attempts = cut_until_complete(publishes, hub, small_build, destination, [2, len(large)], **given)
    assert sent_once(attempts)
    assert {oid for attempt in attempts for oid, *_ in attempt} == large
    commits = [json.loads(line) for line in (hub.folder / "commits").read_text().splitlines()]
    assert commits[-1] == ["224x224/README.md", "README.md"]
    assert {name for commit in commits for name in commit} == {
        file.name for file in listed_files(layout(small_build))
    }
    assert publishes(small_build, destination, **given) == (0, "")
    assert len((hub.folder / "commits").read_text().splitlines()) == len(commits)


def test_a_cut_copy_to_a_folder_is_continued_and_copies_nothing_twice(
    publishes: Publisher, small_build: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    files = listed_files(layout(small_build))
    size = sum(file.size for file in files)
    copied: dict[str, int] = {}
    for kill_at in (1, size // 3, size // 3, 0):
        code, text = publishes(small_build, str(there), kill_at=kill_at)
        assert code == (-9 if kill_at else 0), text
        found = {file.name: (there / file.name) for file in files if (there / file.name).exists()}
        assert all(
            hashlib.sha256(found[file.name].read_bytes()).hexdigest() == file.sha256
            for file in files
            if file.name in found
        )
        assert kill_at == 0 or "README.md" not in found
        times = {name: path.stat().st_mtime_ns for name, path in found.items()}
        assert copied.items() <= times.items()
        copied = times
    assert set(copied) == {file.name for file in files}
    assert not list(there.rglob("*.attempt-*"))


def test_a_full_disk_is_one_line_and_the_copy_is_continued(
    publishes: Publisher, small_build: Path, small_disk: Callable[[str], Path]
) -> None:
    size = sum(file.size for file in listed_files(layout(small_build)))
    there = small_disk(f"size={size // 2}") / "there"
    code, text = publishes(small_build, str(there))
    assert (code, text.count("\n")) == (40, 1)
    assert "the disk is full" in text
    assert "run the same command again" in text
    kept = {path: path.stat().st_mtime_ns for path in there.rglob("*") if path.is_file()}
    assert kept
    assert not list(there.rglob("*.attempt-*"))
    assert not (there / "README.md").exists()
    small_disk(f"size={size * 3}")
    assert publishes(small_build, str(there)) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


OLD_SHARD = "224x224/train/shard-000009.tar"


def put_on_s3(s3: Server, files: dict[str, bytes]) -> None:
    import requests  # noqa: PLC0415

    for name, content in files.items():
        assert requests.put(f"{s3.url}/datasets/again/{name}", content, timeout=60).ok


def names_on_s3(s3: Server) -> set[str]:
    import requests  # noqa: PLC0415

    listing = requests.get(f"{s3.url}/datasets?list-type=2&prefix=again/", timeout=60).text
    return set(re.findall(r"<Key>again/([^<]+)</Key>", listing))


def put_on_hub(hub: Server, files: dict[str, bytes]) -> None:
    import requests  # noqa: PLC0415

    contents = {name: base64.b64encode(content).decode() for name, content in files.items()}
    lines = [
        {"key": "file", "value": {"path": f"again/{name}", "content": text}}
        for name, text in contents.items()
    ]
    answer = requests.post(
        f"{hub.url}/api/datasets/owner/name/commit/main",
        "\n".join(map(json.dumps, lines)),
        headers={"Authorization": "Bearer hf_tests"},
        timeout=60,
    )
    assert answer.ok


def names_on_hub(hub: Server) -> set[str]:
    import requests  # noqa: PLC0415

    tree = requests.get(f"{hub.url}/api/datasets/owner/name/tree/main", timeout=60).json()
    return {one["path"].removeprefix("again/") for one in tree if one["path"].startswith("again/")}


@pytest.mark.parametrize("store", ["s3", "hub"])
def test_files_of_an_earlier_publication_are_removed_from_stores_on_request(
    store: str, publishes: Publisher, small_build: Path, request: pytest.FixtureRequest
) -> None:
    server: Server = request.getfixturevalue(store)
    destination, environment, put, names = {
        "s3": ("s3://datasets/again", server.environment, put_on_s3, names_on_s3),
        "hub": ("hf://datasets/owner/name/again", {"HF_TOKEN": "hf_tests"}, put_on_hub, names_on_hub),
    }[store]
    manifest = json.loads((small_build / "manifest.json").read_text())
    earlier = {"files": {**manifest["files"], "old.txt": {}}}
    old = dict.fromkeys(("old.txt", "own.txt", OLD_SHARD), b"x")
    put(server, {**old, "manifest.json": json.dumps(earlier).encode()})

    code, text = publishes(small_build, destination, **environment)
    assert (code, text.count("\n")) == (40, 1)
    assert f"{OLD_SHARD} is a shard of an earlier publication" in text
    assert names(server) == {*old, "manifest.json"}
    assert publishes(small_build, destination, delete=True, **environment) == (0, "")
    assert names(server) == {file.name for file in listed_files(layout(small_build))} | {"own.txt"}
    assert publishes(small_build, destination, delete=True, **environment) == (0, "")
