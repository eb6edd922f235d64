"""A report: how many sheets each owner has."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tol_luigi.tasks.catalog import WriteCatalog
from tol_luigi.tasks.reports import ReportTarget
from tol_luigi.tasks.stage import StageTask


def figures(owners: Iterable[str]) -> dict[str, int]:
    """Count each owner, the most frequent first."""
    return dict(Counter(owners).most_common())


def text(counts: Mapping[str, int]) -> str:
    """Return the figures as a table."""
    return "".join(f"{count:>8,}  {owner}\n" for owner, count in counts.items())


class CountOwners(StageTask):
    """Count the sheets of each owner."""

    def requires(self) -> WriteCatalog:
        """Require licenses.csv."""
        return self.clone(WriteCatalog)

    @property
    def report(self) -> ReportTarget:
        return ReportTarget(self.layout.shards / "owners-report.json")

    def files(self) -> list[Path]:
        return self.report.files

    def make(self) -> None:
        with self.layout.licenses.open(encoding="utf-8", newline="") as file:
            counts = figures(row["copyright_owner"] for row in csv.DictReader(file))
        self.report.write(counts, text(counts))
