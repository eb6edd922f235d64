"""A job of dataset2metadata: its file of settings, with all keys and defaults as there."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from braceexpand import braceexpand

from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Group", "Job", "read_job"]


@dataclass(frozen=True)
class Group:
    """Tars whose results are in one pair of files.

    Attributes:
        name: The name of the files, without extension.
        tars: The tars, in order.
    """

    name: str
    tars: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A file of settings.

    Attributes:
        file: Its path.
        models: The names of models.
        threads: The number of threads that prepare samples.
        batch: The number of samples in a batch.
        devices: ``cpu``, or the GPUs that groups of tars take turns on, each as ``cuda:`` and its number.
        groups: The groups of tars.
        output: The path or URL of the folder for results.
        columns: The columns of the Parquet files, by dataset2metadata's names.
        features: The arrays of the npz files, by dataset2metadata's names.
        fields: The fields of the samples' json that become columns.
        custom: A Python file with further models.
        reprocess: Whether to compute again what exists.
        datacomp_keys: Whether outputs get DataComp's names.
        skips: Whether any number of unusable samples is allowed.
    """

    file: Path
    models: tuple[str, ...]
    threads: int
    batch: int
    devices: tuple[str, ...]
    groups: tuple[Group, ...]
    output: str
    columns: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    custom: Path | None = None
    reprocess: bool = False
    datacomp_keys: bool = False
    skips: bool = False


REQUIRED = ("models", "nworkers", "batch_size", "device", "input_tars", "output_metadata_dir")
OPTIONAL = (
    "postprocess_columns",
    "postprocess_features",
    "additional_fields",
    "custom_pypath",
    "reprocess",
    "use_datacomp_keys",
    "tars_per_wds",
    "logging",
    "warn_and_continue",
)


def read_job(file: Path) -> Job:
    """Return the job in a file of settings.

    Raises:
        SettingsError: It cannot be read; a key is unknown or missing, or has a wrong value.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(file, f"it cannot be read ({reason})", "Name a YAML file") from error
    if not isinstance(content, dict):
        raise SettingsError(file, "it has no keys", f"Write at least {', '.join(REQUIRED)}")
    _validate_keys(file, content)
    keys = _Keys(file, content)
    tars = keys.tars()
    job = Job(
        file,
        models=keys.names("models"),
        threads=max(1, keys.whole("nworkers", 0)),
        batch=keys.whole("batch_size", 1),
        devices=keys.devices(),
        groups=_groups(
            content["input_tars"], tars, keys.optional("tars_per_wds", lambda key: keys.whole(key, 1))
        ),
        output=keys.text("output_metadata_dir"),
        columns=tuple(name for name in keys.names("postprocess_columns") if name != "json-transpose"),
        features=keys.names("postprocess_features"),
        fields=keys.names("additional_fields"),
        custom=keys.optional("custom_pypath", lambda key: Path(keys.text(key)).expanduser()),
        reprocess=keys.truth("reprocess"),
        datacomp_keys=keys.truth("use_datacomp_keys"),
        skips=keys.truth("warn_and_continue"),
    )
    keys.truth("logging")
    if not (job.columns or job.features or job.fields):
        keys.fail(
            "postprocess_columns",
            "it names nothing to write, nor do postprocess_features and additional_fields",
        )
    return job


def _validate_keys(file: Path, content: dict[Any, Any]) -> None:
    unknown = [str(key) for key in content if key not in (*REQUIRED, *OPTIONAL)]
    missing = [key for key in REQUIRED if content.get(key) is None]
    faults = [f"{len(unknown)} unknown ({', '.join(unknown)})"] if unknown else []
    faults += [f"{len(missing)} missing ({', '.join(missing)})"] if missing else []
    if faults:
        remedy = f"Required are {', '.join(REQUIRED)}; optional are {', '.join(OPTIONAL)}"
        raise SettingsError(file, f"keys are wrong: {', '.join(faults)}", remedy)


class _Keys:
    """The keys of a file, and their checks."""

    def __init__(self, file: Path, content: dict[str, Any]) -> None:
        self.file, self.content = file, content

    def fail(
        self, key: str, what: str, remedy: str = "Correct it", cause: BaseException | None = None
    ) -> Any:  # noqa: ANN401 (never returns)
        raise SettingsError(f"{self.file}: {key}", what, remedy) from cause

    def optional(self, key: str, parse: Callable[[str], Any]) -> Any:  # noqa: ANN401 (what parse returns)
        # The scripts of dataset2metadata write Python's None, which is a text in YAML.
        return None if self.content.get(key) in (None, "None", "") else parse(key)

    def names(self, key: str) -> tuple[str, ...]:
        found = self.content.get(key)
        if found is None:
            return ()
        if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
            self.fail(key, f"{found!r} is not a list of names")
        if repeated := sorted({one for one in found if found.count(one) > 1}):
            self.fail(key, f"{', '.join(repeated)} appears twice", "Remove one")
        return tuple(found)

    def whole(self, key: str, least: int) -> int:
        found = self.content[key]
        if not isinstance(found, int) or isinstance(found, bool) or found < least:
            self.fail(key, f"{found!r} is not a whole number from {least}")
        return int(found)

    def truth(self, key: str) -> bool:
        found = self.content.get(key)
        if not isinstance(found, bool | None):
            self.fail(key, f"{found!r} is neither true nor false")
        return bool(found)

    def text(self, key: str) -> str:
        found = self.content[key]
        if not isinstance(found, str) or not found:
            self.fail(key, f"{found!r} is not a text")
        return str(found)

    def devices(self) -> tuple[str, ...]:
        found = self.content["device"]
        if not isinstance(found, list):
            return (self._device(found),)
        devices = tuple(map(self._device, found))
        if not devices or ("cpu" in devices and len(devices) > 1):
            self.fail("device", f"{found!r} is no list of GPUs")
        return tuple(dict.fromkeys(devices))

    def _device(self, found: Any) -> str:  # noqa: ANN401 (YAML is any)
        if isinstance(found, int) and not isinstance(found, bool):
            return f"cuda:{found}" if found >= 0 else "cpu"
        if found == "cpu":
            return "cpu"
        if isinstance(found, str) and (match := re.fullmatch(r"(?:cuda:)?([0-9]+)", found)):
            return f"cuda:{match[1]}"
        return str(self.fail("device", f"{found!r} is neither the number of a GPU nor cpu"))

    def tars(self) -> tuple[str, ...]:
        """Return the tars; a text is expanded as webdataset does."""
        found = self.content["input_tars"]
        if isinstance(found, list):
            if not all(isinstance(one, str) and one for one in found):
                self.fail("input_tars", "an element of the list is not a text")
            tars = [str(one) for one in found]
        else:
            try:
                tars = [tar for part in self.text("input_tars").split("::") for tar in braceexpand(part)]
            except ValueError as error:
                self.fail("input_tars", f"its braces cannot be expanded ({error})", cause=error)
        if not tars:
            self.fail("input_tars", "it names no tar")
        if repeated := [tar for tar, count in Counter(tars).items() if count > 1]:
            self.fail("input_tars", f"{repeated[0]} appears twice", "Remove one")
        return tuple(tars)


def _groups(given: str | list[str], tars: tuple[str, ...], size: int | None) -> tuple[Group, ...]:
    """Return the groups, with dataset2metadata's names: hashes of what Python writes for the list, or of the text."""
    if size is None:
        return (Group(_md5(given), tars),)
    parts = [list(tars[start : start + size]) for start in range(0, len(tars), size)]
    return tuple(Group(_md5(part), tuple(part)) for part in parts)


def _md5(group: str | list[str]) -> str:
    return hashlib.md5(str(group).encode(), usedforsecurity=False).hexdigest()
