"""The files of a group of tars: a Parquet file, an npz file with the same rows, and a record of both.

The record, ``<name>.json``, is written last. It has the numbers that dataset2metadata writes, and under the key
``tol_luigi`` what the files were made of: files without a record that fits are made again.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tol_luigi.core.digests import json_digest
from tol_luigi.core.files import sha256_file
from tol_luigi.features.d2m.fields import TypedValues
from tol_luigi.features.family_files import FamilyFiles
from tol_luigi.features.npz import Rows, write_npz
from tol_luigi.features.usable import Dropped, UsableRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tol_luigi.features.d2m.folders import Folder
    from tol_luigi.features.d2m.jobs import Group
    from tol_luigi.features.d2m.outputs import Work
    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.usable import Output

__all__ = ["Twins", "families_of", "records"]

_VERSION = 1
"""To be raised with every change of what is written."""

_MARK = "tol_luigi"


def families_of(folder: Folder, tar: str, work: Work) -> list[FamilyFiles[Extractor]]:
    """Return the files of each extractor for a tar, wherever it is listed."""
    place = tar if ":" in tar else str(Path(tar).absolute())
    last = tar.rpartition("/")[2].partition(" ")[0]
    stem = re.sub(r"[^\w.-]", "_", last, flags=re.ASCII).removesuffix(".tar")[:80] or "tar"
    name = f"{stem}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    return [FamilyFiles(folder.families, name, one, work.prints[one.name]) for one in work.extractors]


class Twins:
    """The files of a group.

    Args:
        folder: Their folder.
        group: The group.
        work: What the job computes.
        run: What distinguishes this run from others, if everything is to be made again; else "".
    """

    def __init__(self, folder: Folder, group: Group, work: Work, run: str = "") -> None:
        self.folder, self.group, self.work, self.run = folder, group, work, run

    @property
    def names(self) -> list[str]:
        """The names of the files that the record lists."""
        table = [f"{self.group.name}.parquet"] if self.work.columns else []
        return [*table, *([f"{self.group.name}.npz"] if self.work.features else [])]

    @property
    def _errors(self) -> str:
        return f"{self.group.name}.errors.csv"

    @property
    def record_name(self) -> str:
        """The name of the record."""
        return f"{self.group.name}.json"

    @property
    def _request(self) -> str:
        """A hash of everything that determines the files, except the tars."""
        outputs = [[vars(one) for one in part] for part in (self.work.columns, self.work.features)]
        content = [_VERSION, outputs, sorted(self.work.prints.items())]
        return json_digest(content)

    def record(self) -> dict[str, Any] | None:
        """Return what the files were made of; None if there is no such record."""
        sizes = self.folder.sizes()
        if self.record_name not in sizes:
            return None
        try:
            content = json.loads(self.folder.read(self.record_name))
        except ValueError:
            return None
        return content.get(_MARK) if isinstance(content, dict) else None

    def is_complete(self) -> bool:
        """Return whether the files are there and are what the job asks for.

        Local tars are compared by size and time; a tar behind a URL or command, or one that is no longer there,
        counts as unchanged.
        """
        record = self.record()
        if (
            record is None
            or record.get("request") != self._request
            or (self.run and record.get("run") != self.run)
        ):
            return False
        sizes = self.folder.sizes()
        return (
            all(sizes.get(name) == size for name, size in record["files"].items())
            and sorted(record["files"]) == sorted(self.names)
            and list(record["tars"]) == list(self.group.tars)
            and all(_state(tar) in ([], state) for tar, state in record["tars"].items())
        )

    def write(self, seconds: float, max_error_percent: float) -> tuple[int, list[Dropped]]:
        """Write the files from the results of the extractors; return the number of rows, and the dropped samples.

        Args:
            seconds: How long the extractors ran.
            max_error_percent: The largest percentage of dropped samples of a tar; one is always allowed.

        Raises:
            FeatureError: More samples of a tar are unusable, or all.
        """
        outputs = (*self.work.columns, *self.work.features)
        states = {tar: _state(tar) for tar in self.group.tars}
        tars = [UsableRows(tar, families_of(self.folder, tar, self.work), outputs) for tar in self.group.tars]
        for tar in tars:
            tar.validate(max_error_percent)
        dropped = [one for tar in tars for one in tar.dropped]
        rows = sum(tar.count for tar in tars)
        self.folder.remove(self.record_name)
        written = {}
        for name in self.names:
            with self.folder.write(name) as scratch:
                (self._write_table if name.endswith(".parquet") else self._write_arrays)(scratch, tars, rows)
                written[name] = (scratch.stat().st_size, sha256_file(scratch))
        self._remove_other_files()
        self._write_errors(dropped)
        record = {
            "sample time (s)": round(seconds, 3),
            "loader time (s)": 0.0,
            "number of samples": rows if self.work.columns else -1,
            _MARK: {
                "request": self._request,
                "run": self.run,
                "files": {name: size for name, (size, _) in written.items()},
                "sha256": {name: digest for name, (_, digest) in written.items()},
                "tars": states,
                "dropped": len(dropped),
            },
        }
        with self.folder.write(self.record_name) as scratch:
            scratch.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        return rows, dropped

    def _remove_other_files(self) -> None:
        """Remove what an earlier job of this group has written and this one does not."""
        for ending in (".parquet", ".npz"):
            if (name := self.group.name + ending) not in self.names:
                self.folder.remove(name)

    def _write_table(self, path: Path, tars: Sequence[UsableRows], rows: int) -> None:
        del rows
        typed = {output.name: TypedValues(output.name) for output in self.work.columns if output.key}
        for output in self.work.columns:
            if output.key:
                for tar in tars:
                    typed[output.name].see(tar.values(output))
        schema = pa.schema(
            [
                pa.field(output.name, typed[output.name].type if output.key else _widened(self._kind(output)))
                for output in self.work.columns
            ]
        )
        with pq.ParquetWriter(path, schema, compression="snappy") as writer:
            for tar in tars:
                arrays = [
                    typed[output.name].array(tar.values(output))
                    if output.key
                    else tar.column(output).cast(schema.field(output.name).type)
                    for output in self.work.columns
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    def _kind(self, output: Output) -> pa.DataType:
        (extractor,) = (one for one in self.work.extractors if one.name == output.extractor)
        return next(column.type for column in extractor.columns if column.name == output.column)

    def _write_arrays(self, path: Path, tars: Sequence[UsableRows], rows: int) -> None:
        write_npz(path, self._arrays(tars, rows), "<f4", deflate=True)

    def _arrays(self, tars: Sequence[UsableRows], rows: int) -> Iterator[Rows]:
        for output in self.work.features:
            width = next(tar.rows(output).shape[1] for tar in tars if tar.count)
            pieces = (tar.rows(output) for tar in tars if tar.count)
            yield Rows(output.name, (rows, width), pieces)

    def _write_errors(self, dropped: Sequence[Dropped]) -> None:
        if not dropped:
            self.folder.remove(self._errors)
            return
        with (
            self.folder.write(self._errors) as scratch,
            scratch.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(Dropped.__annotations__)
            writer.writerows(vars(one).values() for one in dropped)


def _widened(kind: pa.DataType) -> pa.DataType:
    """Return the type that dataset2metadata has: numbers with a point are double."""
    return pa.float64() if pa.types.is_floating(kind) else kind


def _state(tar: str) -> list[int]:
    """Return size and time of modification of a local tar; nothing for others."""
    try:
        status = Path(tar).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def records(folder: Folder) -> dict[str, Mapping[str, Any]]:
    """Return the records of all groups of a folder, by name."""
    found = {}
    for file in sorted(folder.sizes()):
        if file.endswith(".json"):
            try:
                content = json.loads(folder.read(file))
            except ValueError:
                continue
            if isinstance(content, dict) and isinstance(content.get(_MARK), dict):
                found[file.removesuffix(".json")] = content[_MARK]
    return found
