"""The syntax of settings files: each error is one line with file and line number.

Luigi reads the files while it is imported, so this module does not import Luigi.
"""

from __future__ import annotations

import configparser
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.exit_code import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["CFG_ONLY", "line_of", "named_syntax_errors", "read_settings_file"]

CFG_ONLY = "settings are read from .cfg files only"


def read_settings_file(path: Path) -> configparser.RawConfigParser:
    """Read a settings file without interpolation.

    Raises:
        SettingsError: The file cannot be read, or its syntax is wrong.
    """
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # as Luigi's
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except OSError as error:
        remedy = "Name a readable settings file"
        raise SettingsError(path, f"cannot be read ({error.strerror})", remedy) from error
    except UnicodeDecodeError as error:
        number = error.object.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}: line {number}", "is not UTF-8", "Save the file in UTF-8") from error
    except configparser.DuplicateSectionError as error:
        where = f"{path}: line {error.lineno}"
        raise SettingsError(
            where, f"the section [{error.section}] appears twice", "Keep one of them"
        ) from error
    except configparser.DuplicateOptionError as error:
        where = f"{path}: line {error.lineno}: [{error.section}] {error.option}"
        raise SettingsError(where, "is set twice", "Keep one of the lines") from error
    except configparser.MissingSectionHeaderError as error:
        what = f"{error.line.strip()!r} is above the first section"
        remedy = "Put a section above it, such as [dataset]"
        raise SettingsError(f"{path}: line {error.lineno}", what, remedy) from error
    except configparser.ParsingError as error:
        number, text = error.errors[0]
        what = f"{text} is neither a [section] nor key = value"
        raise SettingsError(f"{path}: line {number}", what, "Correct that line") from error
    return parser


def line_of(path: Path, section: str, key: str) -> int:
    """Return the number of the line that sets a key in a valid settings file; 0 if no line does."""
    current = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if header := configparser.RawConfigParser.SECTCRE.match(line):
            current = header["header"]
        elif current == section and line.replace(":", "=").partition("=")[0].strip() == key:
            return number
    return 0


@contextlib.contextmanager
def named_syntax_errors() -> Iterator[None]:
    """Report file and line if a settings file prevents the import of Luigi; a command ends with that line.

    Raises:
        SettingsError: A settings file prevents the import.
    """
    try:
        yield
    except (configparser.Error, UnicodeDecodeError):
        module = sys.modules.get("luigi.configuration.cfg_parser")
        paths = module.LuigiConfigParser._config_paths if module else []  # noqa: SLF001 (it has no other name)
        sys.excepthook = _end_in_one_line
        for path in map(Path, paths):
            if path.is_file():
                read_settings_file(path)
        raise
    except ImportError as error:
        if "toml" not in str(error):
            raise
        sys.excepthook = _end_in_one_line
        where = "LUIGI_CONFIG_PARSER or the extension of LUIGI_CONFIG_PATH"
        raise SettingsError(where, CFG_ONLY, "Unset the former, or name a .cfg file") from error


def _end_in_one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> NoReturn:
    """Report an uncaught error in one line and exit; for :func:`sys.excepthook`."""
    if isinstance(error, SettingsError):
        sys.stderr.write(f"tol_luigi: {error}\n")
    else:
        sys.__excepthook__(kind, error, trace)
    raise SystemExit(ExitCode.UNHANDLED_EXCEPTION)
