"""The interface of a source of images: everything that the rest of the program knows about it.

A source is one module with one :class:`SourcePlugin`. ``tol_luigi.sources`` lists the built-in ones; another
package adds one through an entry point of the group ``tol_luigi.sources`` (docs/architecture.md).
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from tol_luigi.core.sections import SourceSection
from tol_luigi.core.source import IMAGE_ID, LABEL, NaturalKey, Source, license_tables
from tol_luigi.core.source_names import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from tol_luigi.core.reader import Reader
    from tol_luigi.core.remote import SourceDownloads
    from tol_luigi.core.source import Column, Labeler, License
    from tol_luigi.core.vernacular import CommonNames

__all__ = ["SourcePlugin", "Suggestion", "TaxonomyTable"]

S = TypeVar("S", bound=SourceSection)

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Suggestion:
    """Settings with which a source would name the images of a folder.

    Attributes:
        settings: Values of its section, as text.
        reason: What was found, as one line.
        named: How many of the images it would name.
    """

    settings: Mapping[str, str]
    reason: str
    named: int


@dataclass(frozen=True)
class TaxonomyTable:
    """A table of a source that is a taxonomy, so that reference taxonomies use it.

    Attributes:
        name: The prefix of its ids.
        key: The key of the section that names the table.
        form: The name of the importer of its format.
        vernaculars: The key of the table with its vernacular names, "" if there is none.
        priority: Where settings name no order, the lowest number comes first.
    """

    name: str
    key: str
    form: str
    vernaculars: str = ""
    priority: int = 100


@dataclass(frozen=True, kw_only=True)
class SourcePlugin(Generic[S]):
    """A source of images.

    Attributes:
        name: Its name in settings, mapping and catalogs: lower-case letters, digits and ``_``. Image ids
            depend on it.
        section: Its section of the settings file, which has the name of the source.
        key: The natural key of its images.
        reader: Returns the reader of its files, given its settings, the path of its images, and the path
            where the scan of a ``.tar.gz`` may store an index.
        labeler: Returns the labeler of its images.
        licenses: Yields the licences of its images.
        add_common_names: Adds the common names of its tables, which all sources use.
        listing_tables: Keys of its section: the tables that determine which files are listed.
        name_tables: The same: the tables that name its images, in the order of their precedence.
        common_name_tables: The same: the tables of common names.
        license_tables: The same: the tables, or folders of tables, with the licences.
        split_tables: The same: the tables with the splits and groups of its images; see ``Labeler.split_hints``.
        required_table: The key without which its images have no names, or "".
        collection_key: The key with the name of the collection, if there may be several: further ones have sections
            ``[<name>:<label>]``. The name must be a part of the natural key. "" if there is only one.
        named_by: What names its images if no table does.
        precedence: Sources with a lower number are named first: class indexes follow this order, and the
            first of two common names is used.
        is_upgraded: Whether missing higher ranks of its images are filled in from other tables.
        is_published: Whether it is part of the published dataset, so that the published mapping and lookups
            can be used.
        is_fetched: Whether its images are a listing of URLs, so that its reader is given the folder of what is fetched.
        fetched_labeler: Returns the labeler of its images, given its settings and the folder of what is fetched, which contains
            the rows of the listing.
        fetched_licenses: Yields the licences of its images, given the same, in tables with the fields of ``License``.
        bytes_per_pixel: The size of its files, for estimates.
        downloads: The files that ``DownloadSources`` can fetch.
        taxonomies: Its tables that are taxonomies.
        suggest: Returns settings for undescribed images, given their folder or archive and the paths of some of them;
            None if the source cannot name them.
    """

    name: str
    section: type[S]
    key: NaturalKey
    reader: Callable[[S, Path, Path | None], Reader]
    labeler: Callable[[S], Labeler]
    licenses: Callable[[S], Iterator[License]] | None = None
    add_common_names: Callable[[S, CommonNames], None] | None = None
    listing_tables: tuple[str, ...] = ()
    name_tables: tuple[str, ...] = ()
    common_name_tables: tuple[str, ...] = ()
    license_tables: tuple[str, ...] = ()
    split_tables: tuple[str, ...] = ()
    required_table: str = ""
    collection_key: str = ""
    named_by: str = "no table"
    precedence: int = 100
    is_upgraded: bool = False
    is_published: bool = False
    is_fetched: bool = False
    fetched_labeler: Callable[[S, Path], Labeler] | None = None
    fetched_licenses: Callable[[S, Path], Iterator[pa.Table]] | None = None
    bytes_per_pixel: float = 0.25
    downloads: SourceDownloads | None = None
    taxonomies: tuple[TaxonomyTable, ...] = ()
    suggest: Callable[[Path, Sequence[str]], Suggestion | None] | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The natural key."""
        return self.key.columns

    @property
    def tables(self) -> tuple[str, ...]:
        """The keys of all tables, each once."""
        every = (
            *self.listing_tables,
            *self.name_tables,
            *self.common_name_tables,
            *self.license_tables,
            *self.split_tables,
        )
        return tuple(dict.fromkeys(every))

    def labelled(self, label: str) -> SourcePlugin[S]:
        """Return the plugin of the collection with a label, ``[<name>:<label>]``."""
        section = self.section.labelled(label, self.collection_key)
        return replace(self, name=source_of(section.section), section=section)

    def open(self, section: S, images: Path, index: Path | None = None) -> Source:
        """Return the source with the given settings.

        Args:
            section: Its settings.
            images: The path of its images, which may differ from the path in the section.
            index: The path where the scan of a ``.tar.gz`` may store an index.
        """
        labeler = self.fetched_labeler(section, images) if self.fetched_labeler else self.labeler(section)
        licenses, fetched = self.licenses, self.fetched_licenses
        own: dict[str, Callable[[], Iterator[pa.Table]]] = {}
        if fetched:
            own["licenses"] = lambda: fetched(section, images)
        elif licenses:
            own["licenses"] = lambda: license_tables(licenses(section))
        return Source(self, self.reader(section, images, index), labeler, section.license or "", **own)

    def fault(self) -> str:
        """Return what is wrong with the plugin, "" if it is valid."""
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            return f"its name {self.name!r} does not consist of lower-case letters, digits and _"
        if not isinstance(self.section, type) or not issubclass(self.section, SourceSection):
            return "its section is not a subclass of SourceSection"
        if getattr(self.section, "section", None) != self.name:
            return f"its section is called {getattr(self.section, 'section', None)!r}, not {self.name!r}"
        keys = set(self.section.settings())
        taxonomies = itertools.chain.from_iterable((each.key, each.vernaculars) for each in self.taxonomies)
        optional = filter(None, [self.required_table, self.collection_key, *taxonomies])
        named = {*self.tables, *optional, "images"}
        if lacking := sorted(named - keys):
            return f"its section has no {', '.join(lacking)}"
        return self._fault_of_key()

    def _fault_of_key(self) -> str:
        columns = [column.name for column in self.key.columns]
        if not columns or len(set(columns)) < len(columns) or IMAGE_ID in columns:
            return f"its natural key has the columns {', '.join(columns) or 'none'}"
        if self.key.name_column not in {*columns, IMAGE_ID, LABEL}:
            return f"names are looked up by {self.key.name_column}, which is not part of its natural key"
        parts = [column.type() for column in self.key.columns]
        try:
            self.key.spell(parts)
        except (IndexError, KeyError, ValueError):
            return f"its natural key of {len(columns)} parts cannot be formatted with {self.key.spelling!r}"
        return ""
