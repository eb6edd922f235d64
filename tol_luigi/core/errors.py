"""The one exception tree.

    TolError                  anything a user can mend
    ├── SettingsError         a settings file, or what it asks for
    ├── SourceError           a folder, archive or table of a source
    │   ├── ArchiveError      an archive that is not whole
    │   ├── ChangedError      a source that is not as it was when it was read before
    │   └── TableError        a metadata table that cannot be read
    ├── ExclusionError        an exclusion list that excludes nothing
    ├── MappingError          a mapping that does not fit the sources
    ├── MatchError            images that the table of their names does not name
    ├── TooManyBadError       more broken images than the settings allow
    ├── TaxaError             taxa outside the limits of the settings
    ├── DownloadError         a file that cannot be fetched, or is not what it should be
    ├── DatasetError          a folder that is no complete dataset, or a question that it cannot answer
    │   └── UnknownImageError an image that is not among the samples of a dataset
    ├── DamagedError          a file of the dataset that is not as it was written
    ├── DiskError             a disk that is full, may not be written to, or does not give a file of the dataset
    ├── LimitError            a limit of the system: memory, open files, processes
    ├── ServerError           a database server that cannot be reached, or refuses
    ├── ShardError            a shard that is not what its receipt says
    ├── LedgerError           images that are accounted for twice, or not at all
    └── ClusterError          a run whose parts do not find each other

Every error says where, what, and what to do. Its arguments are the facts, in that order and
positional, so that it travels between processes (pickles) unchanged.
"""

from __future__ import annotations

__all__ = [
    "ArchiveError",
    "ChangedError",
    "ClusterError",
    "DamagedError",
    "DatasetError",
    "DiskError",
    "DownloadError",
    "ExclusionError",
    "LedgerError",
    "LimitError",
    "MappingError",
    "MatchError",
    "ServerError",
    "SettingsError",
    "ShardError",
    "SourceError",
    "TableError",
    "TaxaError",
    "TolError",
    "TooManyBadError",
    "UnknownImageError",
]


class TolError(Exception):
    """Something is wrong that the user can mend; the text is one clear line.

    Args:
        where: The file, setting or task concerned.
        what: What is wrong with it.
        remedy: What to do.
    """

    def __init__(self, where: object, what: str, remedy: str) -> None:
        super().__init__(where, what, remedy)
        self.where, self.what, self.remedy = str(where), what, remedy

    def __str__(self) -> str:
        """Join the three parts: ``where: what. remedy.``, on one line, whatever a library's message in it looks like."""
        lines = f"{self.where}: {self.what}. {self.remedy}.".splitlines()
        return " ".join(filter(None, map(str.strip, lines)))


class SettingsError(TolError):
    """A setting is unknown, out of range, missing, or contradicts the dataset that is there."""


class SourceError(TolError):
    """A source cannot be read as it stands."""


class ArchiveError(SourceError):
    """An archive is not whole: empty, cut off, or its checksum disagrees."""


class ChangedError(SourceError):
    """A source is not as it was when it was read before."""

    def __init__(self, where: object, what: str, remedy: str = "") -> None:
        usual = (
            "Put it back as it was, or set [checks] changed_sources = rebuild, and run the same command again"
        )
        super().__init__(where, what, remedy or usual)


class TableError(SourceError):
    """A metadata table lacks a column, or holds what cannot be read."""


class ExclusionError(TolError):
    """An exclusion list matches nothing, so it is probably not the list it is meant to be."""


class MappingError(TolError):
    """A published mapping or name lookup does not fit the sources."""


class MatchError(TolError):
    """Fewer images have a name than the settings allow, or none at all."""


class TooManyBadError(TolError):
    """More images of a partition are broken than the settings allow."""


class TaxaError(TolError):
    """Taxa are wrong beyond the limits of the settings."""


class DownloadError(TolError):
    """A file cannot be fetched, or what came is not what it should be."""


class DatasetError(TolError):
    """A folder is no complete dataset, or a dataset cannot answer what it is asked."""


class UnknownImageError(DatasetError, KeyError):
    """An image is not among the samples of a dataset."""


class DamagedError(TolError):
    """A file of the dataset is not as the stage that made it has left it."""


class DiskError(TolError):
    """A file cannot be written, as its disk is full or its folder is not ours to write to; or it cannot be read just now."""


class LimitError(TolError):
    """A process needs more memory, open files, processes or semaphores than the system allows."""


class ServerError(TolError):
    """A database server cannot be reached, or refuses what it is asked for."""


class ShardError(TolError):
    """A shard differs from its receipt, or is no shard at all."""


class LedgerError(TolError):
    """The ledger does not add up to the mapping."""


class ClusterError(TolError):
    """A part of a run on several nodes is missing, cannot be reached, or refuses."""
