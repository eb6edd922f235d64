"""The formats of taxonomies, one module each; another package can add one.

A package adds formats through entry points of the group ``tol_luigi.taxonomies``: each is an
:class:`~tol_luigi.taxonomy.importers.importer.Importer`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError, SourceError
from tol_luigi.core.registry import add_plugins
from tol_luigi.taxonomy.importers.bioscan import BIOSCAN_METADATA
from tol_luigi.taxonomy.importers.coldp import COLDP
from tol_luigi.taxonomy.importers.dwca import DARWIN_CORE
from tol_luigi.taxonomy.importers.eol import DYNAMIC_HIERARCHY
from tol_luigi.taxonomy.importers.flat import FLAT_TABLE
from tol_luigi.taxonomy.importers.importer import NAME, Importer
from tol_luigi.taxonomy.importers.inat import INATURALIST
from tol_luigi.taxonomy.importers.inat21 import INAT21_CLASSES
from tol_luigi.taxonomy.importers.itis import ITIS_CHAINS
from tol_luigi.taxonomy.importers.ncbi import NCBI
from tol_luigi.taxonomy.importers.ott import OPEN_TREE

if TYPE_CHECKING:
    from pathlib import Path

    from tol_luigi.taxonomy.records import Records

__all__ = ["AUTO", "IMPORTERS", "Importer", "import_taxonomy", "recognised"]

AUTO = "auto"
"""The format that is recognised by names of files and columns."""

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        DYNAMIC_HIERARCHY,
        ITIS_CHAINS,
        INATURALIST,
        BIOSCAN_METADATA,
        NCBI,
        OPEN_TREE,
        DARWIN_CORE,
        COLDP,
        INAT21_CLASSES,
        FLAT_TABLE,
    )
}
"""Every format by name, in the order in which they are recognised: the most particular first, then those of other packages."""


def recognised(path: Path) -> Importer:
    """Return the format of a path: the first one that recognises it.

    Raises:
        SourceError: None does.
    """
    for importer in IMPORTERS.values():
        if importer.name != AUTO and importer.recognises(path):
            return importer
    remedy = f"Name its format: {', '.join(name for name in IMPORTERS if name != AUTO)}"
    raise SourceError(path, "is not a taxonomy whose format can be recognised", remedy)


def import_taxonomy(form: str, path: Path, prefix: str, vernaculars: Path | None = None) -> Records:
    """Return the tables of a taxonomy.

    Args:
        form: The name of its format, or ``auto``.
        path: Its file, folder or archive.
        prefix: The prefix of its ids.
        vernaculars: A table of its vernacular names in another place.

    Raises:
        TolError: It cannot be read, or there is no such format.
    """
    importer = IMPORTERS.get(form)
    if importer is None:
        raise SettingsError(form, "is not a format of taxonomies", f"Use one of {', '.join(IMPORTERS)}")
    return importer.read(path, prefix, vernaculars)


def _read_recognised(path: Path, prefix: str, vernaculars: Path | None = None, /) -> Records:
    return recognised(path).read(path, prefix, vernaculars)


IMPORTERS[AUTO] = Importer(
    name=AUTO,
    description="any of the other formats, by the names of files and columns",
    place="a file, folder or archive",
    read=_read_recognised,
    recognises=lambda _: False,
    has_vernaculars=True,
)


def _check(importer: object) -> tuple[str, Importer]:
    if not isinstance(importer, Importer):
        raise TypeError(f"it is a {type(importer).__name__}, not an Importer")
    if not NAME.fullmatch(importer.name):
        raise ValueError(f"its name {importer.name!r} is not of the form {NAME.pattern}")
    return importer.name, importer


add_plugins("tol_luigi.taxonomies", IMPORTERS, _check)
