"""Choosing one English name for each scientific name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.names import clean_scientific_name

if TYPE_CHECKING:
    from tol_luigi.core.taxon import Taxon

__all__ = ["CommonNames"]


class CommonNames:
    """Scientific name to common name; the first source that names it wins.

    The sources are added in their order of precedence: all ITIS rows, then iNaturalist, then EOL
    (its preferred rows first). Empty names are passed over, and so leave room for later sources.

    Source: the published ``scientific_to_common.json``.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def add_itis(self, taxon: Taxon, vernaculars: str, languages: str) -> None:
        """Add the first English name of an ITIS row; of several rows of a species the last one counts.

        Args:
            taxon: The row's taxon.
            vernaculars: ``terminal_vernacular``: names, parted by a comma and a blank.
            languages: ``terminal_vernacular_lang``: their languages, parted the same way.
        """
        pairs = zip(vernaculars.split(", "), languages.split(", "), strict=False)
        english = next((name for name, language in pairs if language == "English"), "").strip()
        if english and taxon.scientific:
            self._names[taxon.scientific] = english

    def add_inaturalist(self, taxon: Taxon, scientific_name: str, vernacular: str) -> None:
        """Add an English name of iNaturalist, under the taxon's name and under that of the table.

        Args:
            taxon: The table's taxon.
            scientific_name: ``scientificName`` as it stands in the table.
            vernacular: The English name.
        """
        for scientific in (taxon.scientific, scientific_name):
            self._add(scientific, vernacular)

    def add_eol(self, canonical_form: str, vernacular: str) -> None:
        """Add an English name of EOL.

        Args:
            canonical_form: The scientific name, with markup.
            vernacular: The English name.
        """
        self._add(clean_scientific_name(canonical_form).capitalize(), vernacular)

    def of(self, taxon: Taxon) -> str:
        """Give the common name of a taxon, "" where it has none."""
        return self._names.get(taxon.scientific, "")

    def entries(self) -> dict[str, str]:
        """Copy all entries, scientific to common name, in the order in which they came."""
        return dict(self._names)

    def _add(self, scientific: str, vernacular: str) -> None:
        name = vernacular.strip()
        if scientific and name:
            self._names.setdefault(scientific, name)
