"""Read the names of the class folders of iNat21, which contain the seven ranks: ``00001_Animalia_…_Genus_epithet``."""

from __future__ import annotations

import io
import itertools
import re
from typing import TYPE_CHECKING

import pyarrow as pa

from tol_luigi.core.errors import SourceError, TolError
from tol_luigi.core.ledger import State
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.sources import archives
from tol_luigi.sources.disk import entries, is_folder
from tol_luigi.sources.faults import CHECK_PATH
from tol_luigi.sources.member_filter import is_junk
from tol_luigi.taxonomy.importers.assemble import assemble, repairs_of
from tol_luigi.taxonomy.importers.files import files_of, form_of
from tol_luigi.taxonomy.importers.importer import Importer
from tol_luigi.taxonomy.importers.paths import known_names, placed_taxa
from tol_luigi.taxonomy.importers.sheet import LINE, Sheet
from tol_luigi.taxonomy.importers.text import open_text
from tol_luigi.taxonomy.records import REPAIRS, Repair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["INAT21_CLASSES"]

_CLASS = re.compile(r"0*([0-9]{1,18})" + r"_([^_]*)" * (len(RANK_LABELS) - 1) + r"_(.+)")
_TOP = "train"
_LOOKED_AT = 10


def _read(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    """Return the classes as species, each with its number as its id, and the taxa above them."""
    del vernaculars
    names = list(_names(path))
    rows: list[tuple[str, ...]] = []
    lines: list[int | None] = []
    wrong: list[tuple[int | None, str]] = []
    for line, name in names:
        if found := _CLASS.fullmatch(name):
            number, *higher, epithet = found.groups()
            genus = higher[-1]
            species = f"{genus} {epithet.replace('_', ' ')}".strip()
            rows.append((number, species, "species", *higher, species))
            lines.append(line)
        else:
            wrong.append((line, name))
    if not rows:
        remedy = "Name the folder or archive of the class folders, or a text with one name of a class folder per line"
        raise SourceError(path, "contains no class folder (00000_Animalia_… and so on)", remedy)
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    table = pa.table(columns, names=["uid", "name", "rank", *RANK_LABELS])
    table = table.append_column(LINE, pa.array(lines, pa.int64()))
    for rank, known in known_names({rank: table[rank] for rank in RANK_LABELS[:-1]}).items():
        table = table.set_column(table.column_names.index(rank), rank, known)
    sheet = Sheet(str(path), table, REPAIRS.empty_table(), len(names))
    return assemble(prefix, [sheet], taxa=placed_taxa(table), repairs=[_left_out(wrong)])


def _left_out(wrong: list[tuple[int | None, str]]) -> pa.Table:
    lines = pa.array([line for line, _ in wrong], pa.int64())
    names = pa.array([name for _, name in wrong], pa.string())
    return repairs_of(Repair.NO_ID, pa.array([""] * len(wrong), pa.string()), lines, names)


def _names(path: Path) -> Iterator[tuple[int | None, str]]:
    """Yield the names of class folders, in order, with the line for a text."""
    try:
        form = form_of(path)
    except OSError as error:
        raise SourceError(path, f"cannot be read ({error.strerror})", CHECK_PATH) from error
    if form == "folder":
        yield from ((None, name) for name in sorted(_folders(path)))
    elif form in {"zip", "tar", "tar.gz"}:
        yield from ((None, name) for name in sorted(_in_archive(path)))
    else:
        yield from _lines(path)


def _folders(path: Path) -> set[str]:
    names = {entry.name for entry in entries(path) if is_folder(entry) and not is_junk(entry.name)}
    return _folders(path / _TOP) if _TOP in names else names


def _in_archive(path: Path) -> set[str]:
    found = set()
    for each in archives.scan(path):
        folder = each.member.name.removeprefix(f"{_TOP}/").partition("/")
        if folder[1] and each.state is not State.NO_IMAGE:
            found.add(folder[0])
    return found


def _lines(path: Path) -> Iterator[tuple[int | None, str]]:
    """Yield the lines of a text; what is before the last slash of a path does not count."""
    files = files_of(path)
    with open_text(files, files.names[0]) as stream:
        for number, line in enumerate(io.TextIOWrapper(io.BufferedReader(stream), "utf-8"), 1):
            if name := line.strip().rstrip("/").rpartition("/")[2]:
                yield number, name


def _recognises(path: Path) -> bool:
    try:
        form = form_of(path)
        if form == "folder":
            return any(map(_CLASS.fullmatch, _folders(path)))
        if form in {"zip", "tar", "tar.gz"}:
            first = itertools.islice(archives.scan(path), _LOOKED_AT)
            return any(
                map(_CLASS.fullmatch, (part for each in first for part in each.member.name.split("/")))
            )
        return any(_CLASS.fullmatch(name) for _, name in itertools.islice(_lines(path), _LOOKED_AT))
    except (TolError, OSError):
        return False


INAT21_CLASSES = Importer(
    name="inat21-classes",
    description="the class folders of iNat21",
    place="the folder of the class folders, the archive, or a text with one name per line",
    read=_read,
    recognises=_recognises,
)
