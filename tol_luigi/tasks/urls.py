"""The stage that fetches a partition of URLs into an archive."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import luigi
import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.errors import DamagedError
from tol_luigi.core.files import read_object, remove, write_json
from tol_luigi.core.shards import sample_record, write_shard
from tol_luigi.downloads.fetch_outcomes import OF_SERVERS
from tol_luigi.downloads.image_content import ending_of
from tol_luigi.report.text import counted
from tol_luigi.sources.url_partitions import server_of
from tol_luigi.sources.url_reader import (
    FETCHED,
    FETCHED_SCHEMA,
    OUTCOME_COLUMNS,
    box_of,
    fetched_archive,
    fetched_requests,
    fetched_table,
    stem_of,
)
from tol_luigi.sources.url_rows import Box
from tol_luigi.store.row_groups import rows_with, write_rows
from tol_luigi.tasks.messages import write_line
from tol_luigi.tasks.partitions import SourceParameter, SourceTask
from tol_luigi.tasks.stage import StageTask
from tol_luigi.tasks.url_lists import ListUrls
from tol_luigi.tasks.url_settings import earlier_dataset, fetch_policy, url_reader

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from tol_luigi.downloads.fetch_outcomes import Outcome, StoredImage
    from tol_luigi.downloads.fetch_urls import Images, Wanted
    from tol_luigi.downloads.kept_images import Answers, KeptImage
    from tol_luigi.sources.url_reader import UrlReader
    from tol_luigi.tasks.image_store import ImageStore

__all__ = ["FetchPartition"]

_REQUESTS = pa.schema(
    [
        ("url", pa.string()),
        ("server", pa.string()),
        ("state", pa.string()),
        ("tries", pa.int32()),
        ("seconds", pa.float64()),
        ("kept", pa.bool_()),
    ]
)


class FetchPartition(SourceTask, StageTask):
    """Fetch the images of one partition into an archive, with a table of what became of each URL."""

    source: str = SourceParameter(description="the source's name")
    partition: str = luigi.Parameter(description="the partition's name")

    is_listed = False

    def requires(self) -> ListUrls:
        """Require the list of URLs."""
        return self.clone(ListUrls)

    @property
    def resources(self) -> dict[str, int]:  # type: ignore[override]  # a constant in Luigi
        """Return the lanes of the partition's servers, of which Luigi has one each: a server is asked by one task at a time."""
        return {f"fetch_lane_{lane}": 1 for lane in self._lanes}

    @property
    def _lanes(self) -> Sequence[int]:
        return self._reader.partitioning.lanes(self.partition)

    @property
    def _reader(self) -> UrlReader:
        return url_reader(self.settings, self.source)

    def _lanes_held(self) -> contextlib.AbstractContextManager[None]:
        """Return a context in which no other build that shares the budgets asks servers of these lanes."""
        from tol_luigi.downloads.shared_lanes import lanes_held  # noqa: PLC0415 (only where something is fetched)

        what = "waits for another build that asks servers of the same lane ([fetch] shared_budgets)"
        folder = self.settings.fetch.shared_budgets
        return lanes_held(folder, self._lanes, lambda: write_line(what, self.label))

    def files(self) -> list[Path]:
        """Return the archive and the table."""
        folder = self.layout.fetched(self.source)
        return [fetched_archive(folder, self.partition), fetched_table(folder, self.partition)]

    def inputs(self) -> dict[str, str]:
        """Return the digest of the rows of this partition, so that changes of others do not matter."""
        listed = self.requires()
        receipt = listed.receipt()
        return {listed.label: receipt.more["partitions"].get(self.partition, "") if receipt else ""}

    def make(self) -> None:
        """Fetch what is not fetched yet, and write the archive in the order of the listing."""
        from tol_luigi.downloads.fetch_urls import fetch_urls  # noqa: PLC0415 (slow to load)
        from tol_luigi.downloads.fetched_parts import FetchedParts  # noqa: PLC0415 (as above)
        from tol_luigi.downloads.kept_images import Answers  # noqa: PLC0415 (as above)
        from tol_luigi.tasks.image_store import image_store  # noqa: PLC0415 (as above)

        store = image_store(self.settings)
        rows = rows_with(self.layout.urls(self.source), {"partition": [self.partition]}).to_pylist()
        wanted = _wanted(rows)
        archive, table = self.files()
        with FetchedParts(self._parts, store.name) as parts:
            if self.is_complete_now():  # another process had the lock
                return
            unanswered = {
                url: one for url, one in wanted.items() if not _is_answered(parts.outcomes.get(url))
            }
            kept = self._kept(unanswered)
            left = [one for url, one in unanswered.items() if url not in kept]
            with self.progress("URLs", len(wanted)) as progress:
                before = len(wanted) - len(left)
                asked = itertools.count(before + 1)

                def done(url: str, outcome: Outcome, images: Images) -> None:
                    parts.add(url, outcome, images)
                    progress(next(asked))

                progress(before)
                with self._lanes_held() if left else contextlib.nullcontext():
                    policy = fetch_policy(self.settings.fetch)
                    fetch_urls(left[::-1], policy, done, store.images, store.threads)
            with Answers(parts, kept) as answers:
                placed: list[dict[str, Any]] = []
                write_shard(archive, self._records(rows, answers, store, placed))
                write_rows(table, placed, FETCHED_SCHEMA)
                requests = fetched_requests(self.layout.fetched(self.source), self.partition)
                write_rows(requests, (_request(url, answers) for url in wanted), _REQUESTS)
                self._report_lost(answers.outcome(url) for url in wanted)

    @staticmethod
    def _records(
        rows: list[dict[str, Any]], answers: Answers, store: ImageStore, placed: list[dict[str, Any]]
    ) -> Iterator[bytes]:
        """Yield the records of the archive, and append the rows of the table; of two rows with the same key, the mapping uses the first."""
        found = (
            (answers.image(row["url"], box_of(row)), box_of(row)) for row in rows if _is_image(row, answers)
        )
        images = store.in_order(found)  # those of an earlier archive can be stored otherwise
        for row in rows:
            if not _is_image(row, answers):
                placed.append(_fetched(row, answers))
                continue
            image = next(images)
            stem, ending = stem_of(row["key"]), ending_of(image.content)
            yield sample_record(stem, {ending.removeprefix("."): image.content})
            placed.append({**_fetched(row, answers), "member": stem + ending, **_stored(image)})

    def _kept(self, wanted: dict[str, Wanted]) -> dict[str, KeptImage]:
        """Return the earlier answers that are kept, of URLs without a new one: those that are not requested again."""
        from tol_luigi.downloads.kept_images import kept_images  # noqa: PLC0415 (slow to load)

        again = read_object(self._again).get("states", OF_SERVERS)
        own = kept_images(self.layout.fetched(self.source), self.partition, wanted)
        own = {url: image for url, image in own.items() if image.outcome.state not in again}
        return own | self._copied({url: one for url, one in wanted.items() if url not in own})

    def _copied(self, wanted: dict[str, Wanted]) -> dict[str, KeptImage]:
        """Return the images that an earlier dataset has fetched from URLs, if the settings name one."""
        from tol_luigi.downloads.kept_images import kept_images  # noqa: PLC0415 (slow to load)
        from tol_luigi.tasks.image_store import is_stored_alike  # noqa: PLC0415 (as above)

        earlier = earlier_dataset(self.settings)
        if earlier is None or not (count := len(earlier.partitions(self.source))):
            return {}
        partitions = self._reader.partitioning.divided(count)
        dealt: dict[str, dict[str, Wanted]] = {}
        for url, one in wanted.items():
            dealt.setdefault(partitions.partition_of(url), {})[url] = one
        is_alike = is_stored_alike(earlier.record, self.settings.determining)
        folder, most = earlier.layout.fetched(self.source), self.settings.fetch.max_mib << 20
        return {
            url: image
            for partition, urls in sorted(dealt.items())
            for url, image in kept_images(folder, partition, urls, is_stored_alike=is_alike).items()
            if image.outcome.state == FETCHED and image.outcome.bytes <= most
        }

    def write_receipt(self, inputs: dict[str, str]) -> None:
        """Write the receipt; then the answers are no longer needed, whatever happens."""
        super().write_receipt(inputs)
        self._remove_notes()

    def withdraw(self, *, has_receipt: bool = True) -> None:
        """Remove the receipt, and what a task that was killed after it left: answers of that time are not those of now."""
        if has_receipt and self.receipt_path.exists():
            self._remove_notes()
        super().withdraw(has_receipt=has_receipt)

    def ask_again(self, states: Collection[str]) -> int:
        """Have the next run ask again for the URLs in some states; return their number.

        Nothing is done if there are none, or if the partition has not been fetched completely.

        Raises:
            DamagedError: Its table cannot be read.
        """
        if not self.complete():
            return 0
        path = self.files()[1]
        try:
            table = pq.read_table(path, columns=["url", "state"], page_checksum_verification=True)
        except (OSError, ValueError) as error:
            raise DamagedError(path, "is damaged", "Remove it, and run tol build") from error
        urls = {row["url"] for row in table.to_pylist() if row["state"] in states}
        if urls:
            self._remove_notes()
            write_json(self._again, {"states": sorted(states)})
            remove(self.receipt_path)
        return len(urls)

    def _remove_notes(self) -> None:
        remove(self._again)
        remove(self._parts)

    @property
    def _parts(self) -> Path:
        return self.layout.fetched(self.source) / f".{self.partition}.parts"

    @property
    def _again(self) -> Path:
        return self.layout.fetched(self.source) / f".{self.partition}.again"

    def _report_lost(self, outcomes: Iterator[Outcome]) -> None:
        """Write one line if URLs have no image because of their servers, not because of the image."""
        states = Counter(outcome.state for outcome in outcomes)
        lost = {state: states[state] for state in OF_SERVERS if states[state]}
        if lost:
            which = ", ".join(f"{count:,} {state}" for state, count in lost.items())
            write_line(f"{counted(sum(lost.values()), 'URL')} without an answer to use: {which}", self.label)


def _is_answered(outcome: Outcome | None) -> bool:
    """Return whether a task that was killed has an answer that is kept: if it is not of the image, the URL is asked for again."""
    return outcome is not None and outcome.state not in OF_SERVERS


def _wanted(rows: list[dict[str, Any]]) -> dict[str, Wanted]:
    """Return the URLs of some rows; the first row with a URL has the checksums that count."""
    from tol_luigi.downloads.fetch_urls import Wanted  # noqa: PLC0415 (slow to load)

    boxes: dict[str, set[Box | None]] = {}
    for row in rows:
        boxes.setdefault(row["url"], set()).add(box_of(row))
    return {
        row["url"]: Wanted(row["url"], row["sha256"], row["md5"], frozenset(boxes[row["url"]]))
        for row in reversed(rows)
        if not row["state"]
    }


def _stored(image: StoredImage) -> dict[str, Any]:
    """Return the cells of the table for what the archive contains."""
    digest = hashlib.sha256(image.content).hexdigest() if image.stored else ""
    return {
        "stored": image.stored,
        "stored_sha256": digest,
        "image_width": image.width,
        "image_height": image.height,
    }


def _is_image(row: dict[str, Any], answers: Answers) -> bool:
    """Return whether a row has an image."""
    return not row["state"] and answers.outcome(row["url"]).state == FETCHED


def _fetched(row: dict[str, Any], answers: Answers) -> dict[str, Any]:
    """Return the row of the table, as for a URL without an image."""
    box = {name: row[name] for name in Box._fields}
    about = {"key": row["key"], "url": row["url"], "server": server_of(row["url"])}
    common = {**about, "member": "", **box, "stored": "", "stored_sha256": ""}
    if row["state"]:
        return {**common, "excluded": row["state"], "state": "", "reason": row["reason"]}
    outcome = answers.outcome(row["url"])
    cells = {name: getattr(outcome, name) for name in OUTCOME_COLUMNS}
    return {**common, "excluded": "", "state": str(outcome.state), **cells}


def _request(url: str, answers: Answers) -> dict[str, Any]:
    outcome = answers.outcome(url)
    return {
        "url": url,
        "server": server_of(url),
        "state": str(outcome.state),
        "tries": outcome.tries,
        "seconds": outcome.seconds,
        "kept": url in answers.kept,
    }
