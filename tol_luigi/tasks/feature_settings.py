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
from tol_luigi.tasks.run_sections import MODEL_FORM, FeaturesSection
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
    "known_models",
    "max_error_percent",
    "validate_features",
]

_MODEL = re.compile(r"([a-z][a-z0-9_.-]*)\s*=\s*(\S.*)")


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
    """

    models: Path
    files: Path


def feature_folders(origins: Origins) -> FeatureFolders:
    """Return the folders that relative paths in ``[features]`` begin at: those of the files that set the keys."""
    return FeatureFolders(
        *(absolute_place(Path(), "features", key, origins) for key in FeatureFolders._fields)
    )


def extraction_spec(section: FeaturesSection) -> ExtractionSpec:
    """Return how the settings run extractors."""
    from tol_luigi.features.extraction import ExtractionSpec  # noqa: PLC0415 (slow to load, and seldom used)

    return ExtractionSpec(section.batch, section.threads, section.max_error_percent, section.text)


def feature_set(settings: Settings) -> FeatureSet:
    """Return the extractors of the settings; none if there are none.

    Raises:
        SettingsError: An extractor, a model, or a package is missing.
    """
    return _feature_set(settings.features, settings.feature_folders, settings.layout.weights)


def feature_families(settings: Settings) -> list[Extractor | Family]:
    """Return the families of features: the extractors, and what is derived from their vectors."""
    extractors = feature_set(settings).extractors
    if not settings.features.agreement:
        return list(extractors)
    from tol_luigi.features.agreement_columns import derived_families  # noqa: PLC0415 (slow to load)

    return [*extractors, *derived_families(settings.features.agreement)]


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


def _models(section: FeaturesSection, folder: Path) -> dict[str, Model]:
    found: dict[str, Model] = {}
    for line in section.models or ():
        match = _MODEL.fullmatch(line)
        if match is None:
            raise ValueError(f"{line!r} is not of the form {MODEL_FORM}")
        name, path = match.groups()
        if name in found:
            raise ValueError(f"{name} is the name of two models")
        found[name] = Model(name, _absolute(path, folder))
    return found


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
    section = settings.features
    try:
        models = _models(section, settings.feature_folders.models)
    except ValueError as error:
        where = where_set("features", "models", origins, " / ".join(section.models or ()))
        raise SettingsError(where, str(error), f"Write one model per line: {MODEL_FORM}") from error
    for key, paths in (
        ("models", [model.path for model in models.values()]),
        ("files", list(_files(section, settings.feature_folders.files))),
    ):
        for path in paths:
            if not path.exists():
                where = where_set("features", key, origins, str(path))
                raise SettingsError(where, "it does not exist", "Set it to an existing path")
    feature_set(settings)
