"""The description of a Darwin Core archive: which files it has, how they are written, and what their columns mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from dwca.descriptors import ArchiveDescriptor, shorten_term
from dwca.exceptions import InvalidArchive

from tol_luigi.core.errors import SourceError, TableError
from tol_luigi.taxonomy.importers.sheet import Dialect
from tol_luigi.taxonomy.importers.text import open_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tol_luigi.taxonomy.importers.files import Files

__all__ = ["META", "Part", "archive_about", "archive_parts"]

META = "meta.xml"
ROW_ID = "row id"
"""The column with the id of a row of the core, or of the row of the core that a row of an extension belongs to."""

_NAMESPACE = re.compile(r'\sxmlns(:\w+)?="[^"]*"|\s\w+:schemaLocation="[^"]*"')
_UTF_8 = "UTF-8"
_MAX_BYTES = 1 << 24
_ABOUT = {"title": "title", "pubDate": "date", "intellectualRights": "license"}


@dataclass(frozen=True)
class Part:
    """A table of an archive.

    Attributes:
        kind: What its rows are, such as ``Taxon`` or ``VernacularName``.
        names: Its files; of an extension, those that are not empty.
        dialect: How it is written.
        header_lines: The number of lines before its first row.
        places: The place of each term, and of ``ROW_ID``.
        defaults: The value of a term where it has no column, or an empty cell.
    """

    kind: str
    names: tuple[str, ...]
    dialect: Dialect
    header_lines: int
    places: Mapping[str, int]
    defaults: Mapping[str, str]


def archive_parts(files: Files) -> list[Part]:
    """Return the tables of an archive, the core first.

    Raises:
        SourceError: It has no description, or lacks a file that is described.
        TableError: The description is not valid.
    """
    meta = files.find(META)
    if meta is None:
        remedy = "Name the table in it, with the format of that table, or fetch the archive again"
        raise SourceError(files.path, f"contains no {META}, so it is no Darwin Core archive", remedy)
    where = files.where(meta)
    folder = meta.rpartition("/")[0]
    try:
        described = ArchiveDescriptor(_with_encodings(_NAMESPACE.sub("", _text(files, meta))))
        sections = [described.core, *described.extensions]
        return [_part(files, where, folder, section) for section in sections]
    except (ET.ParseError, InvalidArchive, AttributeError, TypeError, ValueError, LookupError) as error:
        what = f"is not a valid description of a Darwin Core archive ({error})"
        raise TableError(where, what, "Fetch the archive again, or correct it") from error


def archive_about(files: Files) -> dict[str, str]:
    """Return what an archive says of itself: title, date, license, as far as its metadata can be read."""
    name = files.find("eml.xml", "metadata.xml")
    if name is None:
        return {}
    try:
        root = ET.fromstring(_text(files, name))  # noqa: S314 (expat bounds the expansion of entities)
    except ET.ParseError:
        return {}
    found = {}
    for tag, key in _ABOUT.items():
        element = root.find(f".//dataset/{tag}")
        text = " ".join("".join(element.itertext()).split()) if element is not None else ""
        if text:
            found[key] = text
    return found


def _text(files: Files, name: str) -> str:
    with open_text(files, name) as stream:
        content = stream.readall()
    return (content or b"")[:_MAX_BYTES].decode("utf-8", "replace")


def _with_encodings(text: str) -> str:
    """Return a description with the encodings that it leaves out."""
    root = ET.fromstring(text)  # noqa: S314 (expat bounds the expansion of entities)
    for section in root:
        if not section.get("encoding"):
            section.set("encoding", _UTF_8)
    return ET.tostring(root, encoding="unicode")


def _part(files: Files, where: str, folder: str, section: Any) -> Part:  # noqa: ANN401 (dwca ships no types)
    delimiter, quote = section.fields_terminated_by, section.fields_enclosed_by
    if len(delimiter) != 1 or quote not in {"", '"'}:
        what = f"describes cells between {quote!r}, separated by {delimiter!r}"
        raise TableError(
            where, what, "Write the tables with one character between cells, and quotes or none around them"
        )
    names = []
    for location in section.raw_element.findall("./files/location"):
        name = f"{folder}/{location.text.strip()}".lstrip("/")
        if name not in files.names:
            raise SourceError(files.path, f"lacks {name}, which {META} describes", "Fetch the archive again")
        if section.represents_corefile or not files.is_empty(name):
            names.append(name)
    places = {
        shorten_term(field["term"]): field["index"] for field in section.fields if field["index"] is not None
    }
    defaults = {shorten_term(field["term"]): field["default"] for field in section.fields if field["default"]}
    row_id = section.id_index if section.represents_corefile else section.coreid_index
    return Part(
        shorten_term(section.type or ""),
        tuple(names),
        Dialect(delimiter, bool(quote), encoding=section.file_encoding),
        section.lines_to_ignore,
        places | {ROW_ID: row_id},
        defaults,
    )
