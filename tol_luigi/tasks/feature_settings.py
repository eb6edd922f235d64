"""The settings of features: which extractors run, with which models."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.models import Model
from tol_luigi.features.profiles import PROFILES
from tol_luigi.tasks.reference_settings import compared, validate_references
from tol_luigi.tasks.run_sections import MODEL_FORM, REFERENCES_FORM, FeaturesSection
from tol_luigi.tasks.settings_files import (
    absolute_place,
    find_origins,
    read_section,
    validate_known,
    where_set,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tol_luigi.features.extraction import ExtractionSpec
    from tol_luigi.features.extractor import Extractor, Family
    from tol_luigi.tasks.settings import Settings
    from tol_luigi.tasks.settings_files import Origins

__all__ = [
    "FeatureFolders",
    "FeatureSet",
    "extraction_spec",
    "feature_families",
    "feature_folders",
    "feature_set",
    "gpu_resource",
    "known_models",
    "max_error_percent",
    "references",
    "validate_features",
]

_MODEL = re.compile(r"([a-z][a-z0-9_.-]*)\s*=\s*(\S.*)")
# The name is part of the names of columns.
_REFERENCES = re.compile(r"([a-z][a-z0-9_]{0,39})\s*=\s*(\S.*)")
_NAMED = {"models": (_MODEL, MODEL_FORM), "references": (_REFERENCES, REFERENCES_FORM)}
"""By key with lines ``<name> = <path>``, their pattern and form."""


@dataclass(frozen=True)
class FeatureSet:
    """The extractors of a build.

    Attributes:
        extractors: The extractors, each after those that it depends on.
        prints: Their fingerprints by name.
    """

    extractors: tuple[Extractor, ...]
    prints: dict[str, str]


class FeatureFolders(NamedTuple):
    """The folders that relative paths in ``[features]`` begin at.

    Attributes:
        models: That of the key ``models``.
        files: That of the key ``files``.
        references: That of the key ``references``.
    """

    models: Path
    files: Path
    references: Path


def feature_folders(origins: Origins) -> FeatureFolders:
    """Return the folders that relative paths in ``[features]`` begin at: those of the files that set the keys."""
    return FeatureFolders(
        *(absolute_place(Path(), "features", key, origins) for key in FeatureFolders._fields)
    )


def extraction_spec(section: FeaturesSection) -> ExtractionSpec:
    """Return how the settings run extractors."""
    from tol_luigi.features.extraction import ExtractionSpec  # noqa: PLC0415 (slow to load, and seldom used)

    return ExtractionSpec(section.batch, section.threads, section.max_error_percent, section.text)


def feature_set(settings: Settings, device: str = "") -> FeatureSet:
    """Return the extractors of the settings; none if there are none.

    Args:
        settings: The settings.
        device: Which one of ``[features] device`` they run on; by default the first. It changes no fingerprint.

    Raises:
        SettingsError: An extractor, a model, or a package is missing.
    """
    section = dataclasses.replace(settings.features, device=device or settings.features.devices[0])
    return _feature_set(section, settings.feature_folders, settings.layout.weights)


def feature_families(settings: Settings) -> list[Extractor | Family]:
    """Return the families of features: the extractors, and what is derived from their hashes and vectors."""
    families: list[Extractor | Family] = list(feature_set(settings).extractors)
    if settings.features.agreement:
        from tol_luigi.features.agreement_columns import derived_families  # noqa: PLC0415 (slow to load)

        families += derived_families(settings.features.agreement)
    if names := references(settings):
        from tol_luigi.features.leak_scores import leak_family  # noqa: PLC0415 (as above)

        how = compared(settings.features, feature_set(settings).extractors)
        families += [leak_family(name, how) for name in names]
    return families


def references(settings: Settings) -> dict[str, Path]:
    """Return the benchmarks that samples are compared with, by name."""
    return _named_paths(settings.features, "references", settings.feature_folders.references)


@functools.cache
def _feature_set(section: FeaturesSection, folders: FeatureFolders, digests: Path) -> FeatureSet:
    names = _names(section)
    if not names:
        return FeatureSet((), {})
    # Slow to load, and seldom used.
    from tol_luigi.features.extractor import Options, fingerprints  # noqa: PLC0415
    from tol_luigi.features.registry import load_file, resolve  # noqa: PLC0415
    from tol_luigi.features.weights import remembered  # noqa: PLC0415

    for path in _files(section, folders.files):
        load_file(path)
    options = Options(
        models=_models(section, folders.models),
        device=section.device,
        threads=section.threads,
        text=section.text,
    )
    with remembered(digests):
        extractors = resolve(names, options)
        return FeatureSet(tuple(extractors), fingerprints(extractors))


def _names(section: FeaturesSection) -> list[str]:
    agreement = [section.agreement] if section.agreement else []
    return list(dict.fromkeys([*PROFILES.get(section.profile, ()), *(section.extractors or ()), *agreement]))


def _files(section: FeaturesSection, folder: Path) -> Iterator[Path]:
    for line in section.files or ():
        yield _absolute(line, folder)


def _named_paths(section: FeaturesSection, key: str, folder: Path) -> dict[str, Path]:
    """Return the paths of lines ``<name> = <path>`` by name.

    Raises:
        ValueError: A line has a wrong form, or a name occurs twice.
    """
    pattern, form = _NAMED[key]
    found: dict[str, Path] = {}
    for line in getattr(section, key) or ():
        match = pattern.fullmatch(line)
        if match is None:
            raise ValueError(f"{line!r} is not of the form {form}")
        name, path = match.groups()
        if name in found:
            raise ValueError(f"{name} occurs twice")
        found[name] = _absolute(path, folder)
    return found


def _models(section: FeaturesSection, folder: Path) -> dict[str, Model]:
    return {name: Model(name, path) for name, path in _named_paths(section, "models", folder).items()}


def gpu_resource(device: str) -> str:
    """Return the resource of Luigi that stands for a GPU, such as ``gpu_0`` for ``cuda:0``."""
    return f"gpu_{device.removeprefix('cuda:')}"


def known_models(lines: Iterable[str]) -> dict[str, Model]:
    """Return the models of the settings, without building a dataset, and further ones that replace them.

    Args:
        lines: Further models, each as ``<name>=<absolute path>``.

    Raises:
        SettingsError: A line has a wrong form.
    """
    section, origins = _section()
    further = dataclasses.replace(section, models=tuple(lines))
    try:
        return _models(section, feature_folders(origins).models) | _models(further, Path.cwd())
    except ValueError as error:
        raise SettingsError("[features] models", str(error), f"Write each as {MODEL_FORM}") from error


def max_error_percent() -> int:
    """Return the percentage of unusable samples that the settings allow, without building a dataset."""
    return _section()[0].max_error_percent


def _section() -> tuple[FeaturesSection, Origins]:
    origins = find_origins()
    validate_known(origins)
    return read_section(FeaturesSection, origins), origins


def _absolute(text: str, folder: Path) -> Path:
    return Path(os.path.normpath(folder / Path(text).expanduser()))


def validate_features(settings: Settings, origins: Origins) -> None:
    """Raise an error if features are wanted and cannot be computed.

    Raises:
        SettingsError: A line has a wrong form; a file, an extractor, a model or a package is missing.
    """
    section, folders = settings.features, settings.feature_folders
    named = {"files": list(_files(section, folders.files))}
    for key in _NAMED:
        try:
            named[key] = list(_named_paths(section, key, getattr(folders, key)).values())
        except ValueError as error:
            where = where_set("features", key, origins, " / ".join(getattr(section, key)))
            remedy = "Write one per line, with a name of lower-case letters, digits and _"
            raise SettingsError(where, str(error), remedy) from error
    for key, paths in named.items():
        for path in paths:
            if not path.exists():
                where = where_set("features", key, origins, str(path))
                raise SettingsError(where, "it does not exist", "Set it to an existing path")
    feature_set(settings)
    validate_references(section, references(settings), feature_set(settings).extractors, origins)
