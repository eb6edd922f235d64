"""Settings read from where Luigi reads them, each validated by itself, and where each of them is set."""

from __future__ import annotations

import configparser
import difflib
import functools
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from luigi.cmdline_parser import CmdlineParser
from luigi.configuration import LuigiConfigParser, get_config
from luigi.task_register import Register

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.sections import Section
from tol_luigi.core.setting_kinds import Place
from tol_luigi.core.settings_syntax import CFG_ONLY, line_of, read_settings_file
from tol_luigi.core.source_names import base_of, label_of
from tol_luigi.sources import SOURCES, label_fault, with_labels
from tol_luigi.tasks import sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tol_luigi.core.setting_kinds import Kind

    Origins = Mapping[tuple[str, str], Path]
    """The file that sets each (section, key)."""

__all__ = [
    "absolute_place",
    "find_origins",
    "known_sections",
    "origin_of",
    "override",
    "read_section",
    "read_sections",
    "validate_known",
    "where_set",
]

S = TypeVar("S", bound=Section)

_LUIGI_SECTIONS = {
    "azureblob", "batch_notifier", "core", "cors", "elasticsearch", "email", "execution_summary",
    "external", "formatters", "gcs", "hadoop", "handlers", "hdfs", "hive", "kubernetes", "loggers",
    "logging", "mysql", "postgres", "presto", "prometheus", "redshift", "resources", "retcode", "s3",
    "scheduler", "sendgrid", "smtp", "sns", "spark", "task_history", "webhdfs", "worker",
}  # fmt: skip
"""Sections that belong to Luigi, whether or not the class that reads them is imported."""


def _files() -> list[Path]:
    """Return the settings files that Luigi reads; later ones override earlier ones."""
    if not isinstance(get_config(), LuigiConfigParser):
        raise SettingsError("LUIGI_CONFIG_PARSER", CFG_ONLY, "Unset it")
    paths = [Path(path) for path in LuigiConfigParser._config_paths]  # noqa: SLF001 (not public in luigi)
    named = os.environ.get("LUIGI_CONFIG_PATH")
    if named and not Path(named).is_file():
        what = "there is no such file" if not Path(named).exists() else "it is not a file"
        raise SettingsError(
            f"LUIGI_CONFIG_PATH={named}", what, "Set it to a settings file that exists, or unset it"
        )
    if named and Path(named) not in paths:
        raise SettingsError(f"LUIGI_CONFIG_PATH={named}", CFG_ONLY, "Set it to a file that ends in .cfg")
    return [path for path in paths if path.exists()]  # Luigi skips folders and unreadable files


def find_origins() -> dict[tuple[str, str], Path]:
    """Return the settings file that each (section, key) comes from.

    Raises:
        SettingsError: A file is unreadable or has wrong syntax, or a value refers to something that does not
            exist.
    """
    origins: dict[tuple[str, str], Path] = {}
    for path in _files():
        parser = read_settings_file(path)
        for section in parser.sections():
            origins.update({(section, key): path for key in ["", *parser.options(section)]})
    literal = _literal_keys()
    for (section, key), path in origins.items():
        if key and (section, key) not in literal:
            _check_references(section, key, path)
    return origins


@functools.cache
def _literal_keys() -> frozenset[tuple[str, str]]:
    """Return the section and key of each setting whose text is read without interpolation."""
    return frozenset(
        (section.section, key)
        for section in sections.sections_with(())
        for key, setting in section.settings().items()
        if setting.kind.is_literal
    )


def _check_references(section: str, key: str, path: Path) -> None:
    """Raise an error if a value refers to a key or an environment variable that does not exist."""
    try:
        get_config().get(section, key, None)
    except configparser.InterpolationError as error:
        where = f"{path}: line {line_of(path, section, key)}: [{section}] {key}"
        remedy = "Correct the reference, or write % as %%"
        raise SettingsError(where, error.message, remedy) from error


def known_sections(origins: Origins) -> tuple[type[Section], ...]:
    """Return every section, also those with a label that a settings file or ``tol --set`` contains."""
    names = (section for section, _ in itertools.chain(origins, _overrides))
    return sections.sections_with(name for name in names if _is_labelled(name) and not label_fault(name))


def _is_labelled(section: str) -> bool:
    """Return whether the name of a section is the name of a source and a label."""
    return ":" in section and base_of(section) in SOURCES


def validate_known(origins: Origins) -> None:
    """Raise an error for sections that nothing reads, and for unknown keys of this package's sections."""
    ours = {section.section: list(section.settings()) for section in known_sections(origins)}
    luigis = _LUIGI_SECTIONS | set(Register.task_names())
    for (section, key), path in origins.items():
        if section in ours:
            if key and key not in ours[section]:
                what = "there is no such key"
                raise SettingsError(f"{path}: [{section}] {key}", what, _nearest(key, ours[section]))
        elif _is_labelled(section) and (fault := label_fault(section)):
            raise SettingsError(f"{path}: [{section}]", *fault)
        elif section not in luigis and not section.startswith(("logger_", "handler_", "formatter_")):
            labelled = [f"{name}:{label}" for name in with_labels() if (label := label_of(section))]
            remedy = _nearest(section, [*ours, *luigis, *labelled])
            raise SettingsError(f"{path}: [{section}]", "there is no such section", remedy)


def _nearest(name: str, valid: Iterable[str], shown: Iterable[str] = ()) -> str:
    """Return a remedy for an unknown name: the nearest one, or else the valid ones, or ``shown`` in their place."""
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"Did you mean {near[0]}?" if near else f"Valid are {', '.join(sorted(shown or valid))}"


def read_section(section: type[S], origins: Origins, *, must_exist: bool = True) -> S:
    """Return a section with its values, and with absolute paths.

    Args:
        section: The section.
        origins: The file that sets each (section, key).
        must_exist: Whether the files in its values must exist.

    Raises:
        SettingsError: A value is not allowed, or a file does not exist.
    """
    values: dict[str, Any] = {}
    for key, setting in section.settings().items():
        raw, value = _raw(section.section, key, setting.kind), setting.default
        if raw is not None:
            try:
                value = setting.kind.parse(raw)
            except ValueError as error:
                where = where_set(section.section, key, origins, setting.kind.redacted(raw))
                raise SettingsError(where, "not allowed", f"Use {setting.kind.allowed}") from error
        if isinstance(setting.kind, Place) and value is not None:
            path = absolute_place(value, section.section, key, origins)
            if (must_exist or setting.kind.kind == "new") and (fault := setting.kind.fault(path)):
                where = where_set(section.section, key, origins, str(value))
                raise SettingsError(where, fault, f"Use {setting.kind.allowed}")
            value = path
        values[key] = value
    return section(**values)


def read_sections(origins: Origins, *, must_exist: bool = True) -> dict[str, Any]:
    """Return every section by name; see :func:`read_section`."""
    return {
        section.section: read_section(section, origins, must_exist=must_exist)
        for section in known_sections(origins)
    }


_overrides: dict[tuple[str, str], str] = {}
"""By section and key, the values that ``tol --set`` was given."""


def override(settings: Iterable[str]) -> None:
    """Set values that come before those of the settings files, in this process and in those that it starts.

    Args:
        settings: The values, as ``section.key=value``.

    Raises:
        SettingsError: There is no such key, or a text has another form.
    """
    for text in settings:
        name, equals, value = text.partition("=")
        section = name.strip().rpartition(".")[0]
        if _is_labelled(section) and (fault := label_fault(section)):
            raise SettingsError(f"--set {text}", *fault)
        valid = {
            f"{each.section}.{key}": (each.section, key)
            for each in sections.sections_with([section] if _is_labelled(section) else ())
            for key in each.settings()
        }
        if not equals:
            raise SettingsError(
                f"--set {text}", "not of the form section.key=value", "Give for example dataset.tag=v2"
            )
        if name.strip() not in valid:
            keys = [each for each in valid if each.startswith(f"{section}.")]
            shown = keys or {f"{each}.<key>" for each, _ in valid.values()}
            raise SettingsError(f"--set {text}", "there is no such key", _nearest(name.strip(), valid, shown))
        _overrides[valid[name.strip()]] = value.strip()


def _command_line(section: str, key: str) -> str | None:
    if (section, key) in _overrides:
        return _overrides[section, key]
    parsed = CmdlineParser.get_instance()
    return getattr(parsed.known_args, f"{section}_{key}", None) if parsed else None


def _raw(section: str, key: str, kind: Kind) -> str | None:
    """Return the text of a setting, from the command line or else from settings files; None if not set."""
    value = _command_line(section, key)
    if value is not None:
        return str(value)
    if kind.is_literal:
        literal = get_config().get(section, key, None, raw=True)
        return None if literal is None else str(literal).replace("%%", "%")
    text = get_config().get(section, key, None)
    return None if text is None else str(text)


def origin_of(section: str, key: str, origins: Origins) -> str:
    """Return where a value comes from: the command line or a settings file; "" if it is the default."""
    if _command_line(section, key) is not None:
        return "the command line"
    return str(origins.get((section, key), ""))


def where_set(section: str, key: str, origins: Origins, value: str) -> str:
    """Return for messages where a value is set: on the command line, or in which file."""
    if (section, key) in _overrides:
        return f"--set {section}.{key}={value}"
    if _command_line(section, key) is not None:
        return f"--{section.replace('_', '-')}-{key.replace('_', '-')} {value}"
    file = origins.get((section, key)) or origins.get((section, ""))
    return f"{file or 'settings'}: [{section}] {key} = {value}"


def absolute_place(path: Path, section: str, key: str, origins: Origins) -> Path:
    """Return an absolute path: relative ones start at the folder of the file that sets them, or else here."""
    base = Path.cwd()
    if _command_line(section, key) is None and (section, key) in origins:
        base = origins[section, key].absolute().parent
    return Path(os.path.normpath(base / path))
