"""The stage that writes the dataset card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.files import committed
from tol_luigi.report.card import Card, card_text
from tol_luigi.store.catalogs import count_by_source
from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.label_columns import text_names
from tol_luigi.tasks.stage import StageTask

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WriteCard"]


class WriteCard(StageTask):
    """Write the card of the dataset, with which other programs load its shards."""

    def requires(self) -> WriteCatalog:
        """Require the catalog."""
        return self.clone(WriteCatalog)

    def files(self) -> list[Path]:
        """Return the card."""
        return [self.layout.card]

    def make(self) -> None:
        """Count the samples, and write the card."""
        settings = self.settings
        card = Card(
            digest=self.made_from,
            size=(settings.images.width, settings.images.height),
            counts=count_by_source(self.layout.catalog),
            sources=settings.used,
            texts=text_names(settings),
            is_demonstration=settings.is_demonstration,
        )
        with committed(self.layout.card) as scratch:
            scratch.write_text(card_text(card), encoding="utf-8")
