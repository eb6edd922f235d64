"""The choice of one English name for each scientific name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.names import clean_scientific_name, strip_html

if TYPE_CHECKING:
    from tol_luigi.core.taxon import Taxon

__all__ = ["CommonNames"]


class CommonNames:
    """A map from scientific names to common names; the first source that has a name wins.

    Add the sources in their order of precedence: all ITIS rows, then iNaturalist, then EOL (its preferred
    rows first). Empty names are skipped, so later sources can supply one; a blank counts as a name.

    Source: the published ``scientific_to_common.json``.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._cleaned: set[str] = set()

    def add_itis(self, taxon: Taxon, vernaculars: str, languages: str) -> None:
        """Add the first English name of an ITIS row; the last row of a species wins.

        Args:
            taxon: The row's taxon.
            vernaculars: ``terminal_vernacular``: names separated by a comma and a blank.
            languages: ``terminal_vernacular_lang``: their languages, separated in the same way.
        """
        for name, language in zip(vernaculars.split(", "), languages.split(", "), strict=False):
            if name and language == "English":
                self._names[taxon.scientific] = name
                return

    def add_as_written(self, scientific: str, as_written: str, vernacular: str) -> None:
        """Add an English name for the normalised scientific name and for the scientific name in the table.

        Args:
            scientific: The scientific name of the table's taxon.
            as_written: ``scientificName`` in the table; "" is ignored.
            vernacular: The English name.
        """
        self._names.setdefault(scientific, vernacular)
        if as_written:
            self._names.setdefault(as_written, vernacular)

    def add_cleaned(self, canonical_form: str, vernacular: str) -> None:
        """Add an English name, cleaned like a scientific name, as the published names of EOL are.

        Args:
            canonical_form: The scientific name; only markup is removed from it.
            vernacular: The English name.
        """
        scientific, common = strip_html(canonical_form), clean_scientific_name(vernacular)
        if not scientific or scientific in self._names:
            return
        if common != vernacular:
            self._cleaned.add(scientific)
        if common:
            self._names[scientific] = common

    def of(self, taxon: Taxon) -> str:
        """Return the common name of a taxon, "" if it has none."""
        return self._names.get(taxon.scientific, "")

    def rules(self, taxon: Taxon) -> frozenset[NameRule]:
        """Return the rule that applies to a common name if cleaning has changed or emptied a name of EOL."""
        return frozenset({NameRule.COMMON_CLEANED}) if taxon.scientific in self._cleaned else frozenset()

    def entries(self) -> dict[str, str]:
        """Return a copy of all entries, from scientific to common name, in insertion order."""
        return dict(self._names)
