"""Further texts of samples: a column of the predicted catalog, rendered from templates."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.core.errors import SettingsError
from tol_luigi.core.taxon import RANK_LABELS, Taxon
from tol_luigi.core.templates import columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tol_luigi.core.source import Key, Source
    from tol_luigi.core.templates import Template

__all__ = ["TEXTS", "FurtherTexts"]

TEXTS = pa.field("texts", pa.list_(pa.string()))
"""The column of further texts, in the order of the templates."""


class FurtherTexts:
    """Renders the further texts of images, and counts the fields that must not be empty.

    Args:
        templates: The templates.
        sources: The sources by name.
    """

    def __init__(self, templates: Sequence[Template], sources: Mapping[str, Source]) -> None:
        self._templates, self._sources = templates, sources
        self._columns = columns_of(templates)
        self._readers: dict[str, Callable[[Key], Sequence[str]]] = {}
        self._empty = Counter[tuple[str, str]]()
        self._examples: dict[tuple[str, str], str] = {}

    def added(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Yield tables of the predicted catalog, each with the column of texts.

        Raises:
            SettingsError: After the last table, if a field is empty that no template may leave out.
            TableError: The table of labels lacks a column, or cannot be read.
        """
        for table in tables:
            texts = self._texts(table) if len(table) else []
            yield table.append_column(TEXTS, pa.array(texts, TEXTS.type))
        for (name, field), count in self._empty.items():
            images = "1 image" if count == 1 else f"{count:,} images"
            what = f"{{{field}}} is empty for {images}, such as {self._examples[name, field]}"
            remedy = f"Fill it in, or put the part of the text with {{{field}}} in [brackets] to leave it out for these images"
            raise SettingsError(f"[texts] templates: {name}", what, remedy)

    def _texts(self, table: pa.Table) -> list[list[str]]:
        source = self._sources[table["source"][0].as_py()]
        columns = [*(column.catalog for column in source.columns), *RANK_LABELS, "common", "excluded"]
        rows = zip(*(table[column].to_pylist() for column in columns), strict=True)
        return [self._rendered(source, tuple(row[: len(source.columns)]), *row[-9:]) for row in rows]

    def _rendered(self, source: Source, key: Key, *labels: Any) -> list[str]:  # noqa: ANN401 (cells)
        *ranks, common, excluded = labels
        scientific, taxonomic = _names(tuple(ranks))
        values = {
            **dict(zip(self._columns, self._reader(source)(key), strict=True)),
            **dict(zip(RANK_LABELS, ranks, strict=True)),
            "scientific": scientific,
            "taxonomic": taxonomic,
            "common": common,
        }
        for template in () if excluded else self._templates:
            for field in template.required:
                if not values[field]:
                    self._empty[template.name, field] += 1
                    where = f"{source.labeler.label(key)!r} of {source.name}"
                    self._examples.setdefault((template.name, field), where)
        return [template.render(values) for template in self._templates]

    def _reader(self, source: Source) -> Callable[[Key], Sequence[str]]:
        """Return the function that returns the cells of an image, read once per source."""
        if source.name not in self._readers:
            empty = [""] * len(self._columns)
            has_fields = self._columns and source.labeler.has_fields
            self._readers[source.name] = (
                source.labeler.fields(self._columns) if has_fields else lambda _: empty
            )
        return self._readers[source.name]


@functools.lru_cache(1 << 15)  # many images have the same taxon
def _names(ranks: tuple[str, ...]) -> tuple[str, str]:
    """Return the scientific and the taxonomic name of rendered ranks."""
    taxon = Taxon.from_rendered(ranks)
    return taxon.scientific, taxon.taxonomic
