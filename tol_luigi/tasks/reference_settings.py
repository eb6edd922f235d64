"""The settings of benchmarks that samples are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.errors import SettingsError, SourceError
from tol_luigi.sources import archives
from tol_luigi.tasks.settings_files import where_set

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tol_luigi.features.extractor import Extractor
    from tol_luigi.features.leak_scores import Compared
    from tol_luigi.tasks.run_sections import FeaturesSection
    from tol_luigi.tasks.settings_files import Origins

__all__ = ["REFERENCES", "compared", "validate_references"]

REFERENCES = "[features] references"


def compared(section: FeaturesSection, extractors: Sequence[Extractor]) -> Compared:
    """Return what samples and references are compared by.

    Raises:
        SettingsError: There is no such vector, or nothing to compare.
    """
    # Slow to load, and seldom used.
    from tol_luigi.features.leak_scores import HASH, PDQ, Compared  # noqa: PLC0415
    from tol_luigi.features.queries import parse_vector_name  # noqa: PLC0415

    names = {one.name for one in extractors}
    vector = None
    if section.leak_vector:
        extractor, name, _ = parse_vector_name("[features] leak_vector", section.leak_vector, extractors)
        vector = extractor.name, name
    else:
        with_vectors = [one for one in extractors if one.vectors]
        copies = [one for one in with_vectors if one.name.startswith("copy:")]
        if chosen := [*copies, *with_vectors]:
            vector = chosen[0].name, chosen[0].vectors[0].name
    found = Compared(tuple(name for name in (HASH, PDQ) if name in names), vector)
    if not found.extractors:
        what = "no extractor has hashes or vectors to compare"
        raise SettingsError(REFERENCES, what, "Add hash, pdq or a model to [features] extractors")
    return found


def validate_references(
    section: FeaturesSection,
    places: Mapping[str, Path],
    extractors: Sequence[Extractor],
    origins: Origins,
) -> None:
    """Raise an error if samples are to be compared with references and cannot be.

    Args:
        section: The settings.
        places: The references by name, which exist.
        extractors: The extractors.
        origins: The file that sets each (section, key).

    Raises:
        SettingsError: They cannot.
    """
    if not places:
        if section.leak_vector:
            where = where_set("features", "leak_vector", origins, section.leak_vector)
            raise SettingsError(where, "there are no references", f"Set {REFERENCES}, too")
        return
    for path in places.values():
        try:
            archives.kind(path)
        except SourceError as error:
            where = where_set("features", "references", origins, str(path))
            raise SettingsError(where, f"it {error.what}", error.remedy) from error
    compared(section, extractors)
