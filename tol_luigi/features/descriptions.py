"""Descriptions of models: what ``model.yml``, and files that come with a model, state about it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from tol_luigi.core.errors import SettingsError
from tol_luigi.features.weights import sha256_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from tol_luigi.features.extractor import Options
    from tol_luigi.features.models import Model
    from tol_luigi.features.packages import Package

__all__ = [
    "DTYPES",
    "Description",
    "described",
    "file_hashes",
    "read_json",
    "sql_name",
    "versions",
    "weights_of",
]

DTYPES = ("float32", "float16", "bfloat16")
"""The number formats in which a model may compute."""


class Description:
    """What is stated about a model. Keys of mappings in mappings are written with dots, such as ``transform.size``.

    Args:
        file: The ``model.yml`` of the model, which need not exist.
        values: Its content.
        extractor: The name of the extractor that needs it.
        others: The names of other files that complete it.
    """

    def __init__(
        self, file: Path, values: Mapping[str, Any], extractor: str, others: tuple[str, ...] = ()
    ) -> None:
        self.file, self.values, self.extractor, self.others = file, values, extractor, others

    @property
    def folder(self) -> Path:
        """The folder of the model."""
        return self.file.parent

    def completed(self, values: Mapping[str, Any], other: str) -> Description:
        """Return a description with more values, unless ``model.yml`` has others.

        Args:
            values: More values.
            other: The name of the file that they are from.
        """
        return Description(self.file, _merged(values, self.values), self.extractor, (*self.others, other))

    def error(self, key: str, what: str, remedy: str) -> SettingsError:
        """Return an error about a key."""
        return SettingsError(f"{self.file}: {key}", what, remedy)

    def check_keys(self, known: Collection[str]) -> None:
        """Check that all keys of the first level are known.

        Raises:
            SettingsError: A key is unknown.
        """
        for key in self.values:
            if key not in known:
                raise self.error(str(key), "there is no such key", f"Valid are {', '.join(sorted(known))}")

    def has(self, key: str) -> bool:
        """Return whether a key is stated."""
        return self._find(key) is not None

    def text(self, key: str, valid: Iterable[str] = (), default: str | None = None) -> str:
        """Return a text.

        Args:
            key: The key.
            valid: All valid texts, if there are only some.
            default: What is returned if the key is not stated.

        Raises:
            SettingsError: It is missing, or not valid.
        """
        found, choices = self._required(key, default, valid), tuple(valid)
        if not isinstance(found, str) or (choices and found not in choices):
            expected = f"one of {', '.join(choices)}" if choices else "a text"
            raise self.error(key, f"{found!r} is not {expected}", "Correct it")
        return found

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a whole number above 0.

        Raises:
            SettingsError: It is missing, or not one.
        """
        found = self._required(key, default)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise self.error(key, f"{found!r} is not a whole number above 0", "Correct it")
        return found

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number.

        Raises:
            SettingsError: It is missing, or not one.
        """
        found = self._required(key, default)
        if not isinstance(found, int | float) or isinstance(found, bool):
            raise self.error(key, f"{found!r} is not a number", "Correct it")
        return float(found)

    def items(self, key: str, kind: type | tuple[type, ...], length: int | None = None) -> list[Any]:
        """Return a list.

        Args:
            key: The key.
            kind: The type of its elements.
            length: How many elements it must have.

        Raises:
            SettingsError: It is missing, or not such a list.
        """
        found = self._required(key, None)
        good = isinstance(found, list) and found and all(isinstance(one, kind) for one in found)
        if not good or (length is not None and len(found) != length):
            raise self.error(key, f"{found!r} is not a list of {length or 'such'} elements", "Correct it")
        return list(found)

    def path(self, key: str, default: str | None = None) -> Path:
        """Return the path of a file in the folder of the model.

        Raises:
            SettingsError: It is not stated, or does not exist.
        """
        path = self.folder / self.text(key, default=default)
        if not path.is_file():
            raise self.error(key, f"there is no file {path.name} in the folder", "Copy it there")
        return path

    def _find(self, key: str) -> Any:  # noqa: ANN401 (any value of YAML)
        found: Any = self.values
        for part in key.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def _required(self, key: str, default: Any, valid: Iterable[str] = ()) -> Any:  # noqa: ANN401 (the same)
        found = self._find(key)
        if found is not None:
            return found
        if default is not None:
            return default
        elsewhere = f", nor in {' or '.join(self.others)}" if self.others else ""
        choices = f"; valid are {', '.join(valid)}" if valid else ""
        raise self.error(
            key, f"it is not stated{elsewhere}", f"Add it, as the authors of the model state it{choices}"
        )


def described(name: str, options: Options) -> tuple[Model, Description]:
    """Return the model of an extractor and what its ``model.yml`` states.

    For a model that is a single file, the description has the same name and ends in ``.yml``.

    Args:
        name: The name of the extractor, ``<kind>:<model>``.
        options: The models that the user has.

    Raises:
        SettingsError: There is no such model, or its description cannot be read.
    """
    kind, _, wanted = name.partition(":")
    if not wanted:
        what = f"{name} needs a model, and names none"
        raise SettingsError("[features] extractors", what, f"Write {kind}:<one of [features] models>")
    if wanted not in options.models:
        what = f"there is no model {wanted!r}, which the extractor {name} needs"
        raise SettingsError("[features] models", what, f"Add a line {wanted} = <its folder>")
    model = options.models[wanted]
    if not model.path.exists():
        where = f"[features] models: {wanted} = {model.path}"
        raise SettingsError(where, "it does not exist", "Set it to the file or folder of the model")
    file = model.path / "model.yml" if model.path.is_dir() else model.path.with_suffix(".yml")
    return model, Description(file, _read(file), name)


def weights_of(model: Model, description: Description) -> Path:
    """Return the file of weights: that of the key ``weights``, or the model itself if it is a file.

    Raises:
        SettingsError: It is not stated, or does not exist.
    """
    if model.path.is_file() and not description.has("weights"):
        return model.path
    return description.path("weights")


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(file, f"it cannot be read ({error})", "Correct it") from error
    if not isinstance(content, dict | None):
        raise SettingsError(file, "it has no keys", "Write each as <key>: <value>")
    return content or {}


def read_json(file: Path) -> dict[str, Any]:
    """Return the content of a JSON file that comes with a model.

    Raises:
        SettingsError: It does not exist, or is not an object.
    """
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(file, f"it cannot be read ({reason})", "Copy it again") from error
    if not isinstance(content, dict):
        raise SettingsError(file, "it is not an object", "Copy it again")
    return content


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def sql_name(model: str) -> str:
    """Return the name of a model as columns begin with it: letters, digits and underscores."""
    return re.sub(r"\W", "_", model, flags=re.ASCII)


def file_hashes(files: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of files by name.

    Raises:
        SettingsError: One cannot be read.
    """
    try:
        return {file.name: sha256_weights(file) for file in sorted(files)}
    except OSError as error:
        what = f"it cannot be read ({error.strerror})"
        raise SettingsError(error.filename, what, "Copy it again") from error


def versions(extractor: str, *packages: Package) -> dict[str, str]:
    """Return the versions of packages by name.

    Raises:
        SettingsError: One is not installed.
    """
    return {package.name: package.version(extractor) for package in packages}
