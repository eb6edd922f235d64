"""The exception hierarchy.

    TolError                  any error that a user can fix
    ├── SettingsError         a settings file, or what it asks for
    ├── SourceError           a folder, archive or table of a source
    │   ├── ArchiveError      an incomplete archive
    │   ├── ChangedError      a source that has changed since it was read
    │   ├── TableError        a metadata table that cannot be read
    │   └── UnreadableError   a file that cannot be read at the moment
    ├── ExclusionError        an exclusion list that excludes nothing
    ├── MappingError          a mapping that does not fit the sources
    ├── MatchError            images without a name in their table
    ├── TooManyBadError       more broken images than the settings allow
    ├── TaxaError             taxa outside the limits of the settings
    ├── DownloadError         a file that cannot be fetched, or has unexpected content
    ├── PublicationError      a place that a dataset cannot be published to
    ├── DatasetError          a folder that is not a complete dataset, or a query that it cannot answer
    │   ├── UnknownImageError an image that is not among the samples of a dataset
    │   └── UnknownTaxonError a name or id that no taxon, or more than one, of a reference taxonomy has
    ├── DamagedError          a file of the dataset that has changed since it was written
    ├── DiskError             a full or unwritable disk, or a file of the dataset that cannot be read
    ├── LimitError            a system limit: memory, open files, processes
    ├── ServerError           a database server that cannot be reached, or rejects a query
    ├── ShardError            a shard that differs from its receipt
    ├── FeatureError          features that cannot be computed
    ├── LedgerError           images that are accounted for twice, or not at all
    └── ClusterError          a run whose parts cannot find each other

Every error reports where it occurred, what is wrong, and what to do. These are its positional
arguments, in this order, so that it can be pickled between processes.
"""

from __future__ import annotations

from typing import ClassVar

from tol_luigi.core.printable_text import printable

__all__ = [
    "ArchiveError",
    "ChangedError",
    "ClusterError",
    "DamagedError",
    "DatasetError",
    "DiskError",
    "DownloadError",
    "ExclusionError",
    "FeatureError",
    "LedgerError",
    "LimitError",
    "MappingError",
    "MatchError",
    "PublicationError",
    "ServerError",
    "SettingsError",
    "ShardError",
    "SourceError",
    "TableError",
    "TaxaError",
    "TolError",
    "TooManyBadError",
    "UnknownImageError",
    "UnknownTaxonError",
    "UnreadableError",
]


class TolError(Exception):
    """An error that the user can fix; its text is one line.

    Args:
        where: The file, setting or task.
        what: The problem with it.
        remedy: What to do.
    """

    may_pass: ClassVar[bool] = False
    """Whether the same command may succeed later, or on another machine, with settings and sources as they are."""

    def __init__(self, where: object, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = str(where), what, remedy

    def __str__(self) -> str:
        """Return ``where: what. remedy.`` in one line, even with a multi-line message of a library.

        Control characters, such as those of hostile file names, are shown as escapes.
        """
        end = "" if self.remedy.endswith("?") else "."
        lines = f"{self.where}: {self.what}. {self.remedy}{end}".splitlines()
        return printable(" ".join(filter(None, map(str.strip, lines))))


class SettingsError(TolError):
    """A setting is unknown, out of range, missing, or contradicts the existing dataset."""


class SourceError(TolError):
    """A source cannot be read."""


class ArchiveError(SourceError):
    """An archive is empty or truncated, or its checksum does not match."""


class ChangedError(SourceError):
    """A source has changed since it was read."""

    may_pass = True

    def __init__(self, where: object, what: str, remedy: str = "") -> None:
        usual = (
            "Put it back as it was, or set [checks] changed_sources = rebuild, and run the same command again"
        )
        super().__init__(where, what, remedy or usual)


class TableError(SourceError):
    """A metadata table lacks a column, or its content cannot be read."""


class UnreadableError(SourceError):
    """A file of a source cannot be read at the moment."""

    may_pass = True


class ExclusionError(TolError):
    """An exclusion list matches nothing, so it is probably the wrong list."""


class MappingError(TolError):
    """A published mapping or name lookup does not fit the sources."""


class MatchError(TolError):
    """Fewer images have a name than the settings require, or none at all."""


class TooManyBadError(TolError):
    """More images of a partition are broken than the settings allow."""


class TaxaError(TolError):
    """The problems with taxa exceed the limits of the settings."""


class DownloadError(TolError):
    """A file cannot be fetched, or the fetched content is wrong."""

    may_pass = True


class PublicationError(TolError):
    """A dataset cannot be published to a place, or what is there is not what was sent."""

    may_pass = True


class DatasetError(TolError):
    """A folder is not a complete dataset, or a dataset cannot answer a query."""


class UnknownImageError(DatasetError, KeyError):
    """An image is not among the samples of a dataset."""


class UnknownTaxonError(DatasetError, KeyError):
    """No taxon of a reference taxonomy has this name or id, or several have it."""


class DamagedError(TolError):
    """A file of the dataset has changed since its stage wrote it."""

    may_pass = True


class DiskError(TolError):
    """A file cannot be written (full disk or missing permission), or cannot be read at the moment."""

    may_pass = True


class LimitError(TolError):
    """A process needs more memory, open files, processes or semaphores than the system allows."""

    may_pass = True


class ServerError(TolError):
    """A database server cannot be reached, or rejects a query."""

    may_pass = True


class ShardError(TolError):
    """A shard differs from its receipt, or is not a shard."""

    may_pass = True


class FeatureError(TolError):
    """An extractor fails, or too many samples are unusable."""

    may_pass = True


class LedgerError(TolError):
    """The ledger does not match the mapping."""


class ClusterError(TolError):
    """A part of a run on several nodes is missing, cannot be reached, or rejects a request."""

    may_pass = True
