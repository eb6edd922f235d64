"""The names of columns where catalog and features are joined."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tol_luigi.features.extractor import Extractor, Family

__all__ = ["joined_columns"]


def joined_columns(
    families: Sequence[Extractor | Family], catalog: Sequence[str]
) -> Iterator[tuple[int, str, pa.Field]]:
    """Yield the number of a family, the name of a column where all are joined, and the column.

    A column whose name the catalog or another family has, too, gets the name of its family in front.

    Args:
        families: The families.
        catalog: The columns of the catalog.
    """
    names = [column.name for family in families for column in family.columns]
    counts = Counter([*names, *catalog])
    for number, family in enumerate(families):
        prefix = family.folder.replace("-", "_")
        for column in family.columns:
            name = column.name if counts[column.name] == 1 else f"{prefix}_{column.name}"
            yield number, name, column
        yield number, f"{prefix}_status", pa.field("status", pa.string())
