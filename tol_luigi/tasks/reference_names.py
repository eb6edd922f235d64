"""The naming of images by a reference taxonomy. Only the task that does it imports this module, which is slow to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.core.name_rules import NameRule
from tol_luigi.core.source import Entry, Reference
from tol_luigi.taxonomy.label_alignment import LabelAligner
from tol_luigi.taxonomy.naming import Certainty, Naming
from tol_luigi.taxonomy.release import read_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tol_luigi.core.source import Source
    from tol_luigi.tasks.naming_methods import Images

__all__ = ["ReferenceNames"]

_RULES = {
    Certainty.EXTENDED: NameRule.NOT_IN_REFERENCE,
    Certainty.UNKNOWN: NameRule.UNKNOWN_NAME,
    Certainty.AMBIGUOUS: NameRule.AMBIGUOUS_NAME,
    Certainty.HIGHER: NameRule.INFORMAL_NAME,
}
"""The rules that are counted in reports, by how a taxon was found."""


class ReferenceNames:
    """A reference taxonomy.

    Args:
        release: The folder of its products.
    """

    problems: Sequence[str] = ()

    def __init__(self, release: Path) -> None:
        self._reference = read_reference(release)
        self._align = LabelAligner(self._reference)

    def entries(self, source: Source, images: Images) -> Iterator[Entry]:
        """Yield an entry for each record of a source that has a name."""
        naming = Naming(self._reference, self._align, source.labeler.records(images()))
        for record in source.labeler.records(images()):
            if found := naming.of(record):
                rule = _RULES.get(found.certainty)
                reference = Reference(found.tol_id, found.certainty, found.reason, found.given)
                yield Entry(
                    record.key, found.taxon, found.common, frozenset({rule} if rule else ()), reference
                )
