"""The sources of images and names, one module each, and the readers of their archives."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tol_luigi.core.plugin import SourcePlugin
from tol_luigi.core.registry import add_plugins
from tol_luigi.core.source_names import LABEL, base_of, is_label, label_of
from tol_luigi.sources.bioscan import BIOSCAN
from tol_luigi.sources.bioscan5m import BIOSCAN5M
from tol_luigi.sources.eol import EOL
from tol_luigi.sources.folder import FOLDER
from tol_luigi.sources.gbif import GBIF
from tol_luigi.sources.imagefolder import IMAGEFOLDER
from tol_luigi.sources.inat21 import INAT21
from tol_luigi.sources.inat_open import INAT_OPEN
from tol_luigi.sources.url_table import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SOURCES", "by_precedence", "label_fault", "plugin_of", "with_labels"]

SOURCES: dict[str, SourcePlugin[Any]] = {
    plugin.name: plugin
    for plugin in (EOL, BIOSCAN, INAT21, FOLDER, IMAGEFOLDER, BIOSCAN5M, TABLE, INAT_OPEN, GBIF)
}
"""Every source by name, in the order of the catalogs: built-in sources, then sources of other packages."""


def _check(plugin: object) -> tuple[str, SourcePlugin[Any]]:
    if not isinstance(plugin, SourcePlugin):
        raise TypeError(f"it is a {type(plugin).__name__}, not a SourcePlugin")
    if fault := plugin.fault():
        raise ValueError(fault)
    return plugin.name, plugin


add_plugins("tol_luigi.sources", SOURCES, _check)


def by_precedence(plugins: Iterable[SourcePlugin[Any]]) -> list[SourcePlugin[Any]]:
    """Return sources in the order of precedence for naming images."""
    return sorted(plugins, key=lambda plugin: plugin.precedence)


def with_labels() -> tuple[str, ...]:
    """Return the names of the sources that can have several collections, each with a label."""
    return tuple(name for name, plugin in SOURCES.items() if plugin.collection_key)


def label_fault(name: str) -> tuple[str, str] | None:
    """Return what is wrong with a name of a known source and a label, and what to do; None if it is valid."""
    base, label = base_of(name), label_of(name)
    if base not in with_labels():
        return f"[{base}] cannot have a label", f"Use [{base}]; labels are for {', '.join(with_labels())}"
    if not is_label(label):
        return f"the label {label!r} is not allowed", f"Use {LABEL}"
    return None


def plugin_of(source: str) -> SourcePlugin[Any]:
    """Return the plugin of a source by its name; the name of a collection ends in its label.

    Raises:
        KeyError: There is no such source.
    """
    label = label_of(source)
    return _labelled(base_of(source), label) if label else SOURCES[source]


@functools.cache
def _labelled(base: str, label: str) -> SourcePlugin[Any]:
    return SOURCES[base].labelled(label)
