from __future__ import annotations

import json
from collections import Counter

from tol_luigi.core.taxa_checks import Tally
from tol_luigi.report.taxa import taxa_figures, taxa_text


def tally(kingdoms: int = 3) -> Tally:
    made = Tally(rows=12_345, kingdoms=Counter({f"Kingdom {n}": 10 - n for n in range(kingdoms)}))
    made.counts["genus_without_higher"].update({"kingdom": 0, "order": 1200, "family": 34})
    made.counts["missing_common"].update({"eol": 2})
    return made


def test_what_is_as_it_should_be_is_not_told() -> None:
    good = Tally(rows=1, kingdoms=Counter(["Animalia", "Plantae", "Fungi"]))

    assert taxa_text(good, []) == "1 row checked (without train_small, which repeats rows of train)\n"


def test_what_is_not_is_told_with_its_details() -> None:
    lines = taxa_text(tally(), []).splitlines()

    assert lines[0].startswith("12,345 rows")
    assert lines[1:4] == [
        "missing ranks from kingdom to family, in rows with a genus: 1,234  [genus_without_higher]",
        "    1,200 order",
        "    34 family",
    ]
    assert lines[4:] == ["rows without a common name: 2  [missing_common]", "    2 eol"]


def test_kingdoms_are_told_where_they_are_not_three() -> None:
    lines = taxa_text(tally(kingdoms=2), []).splitlines()

    assert lines[1:4] == ["kingdoms, usually three: 2  [kingdoms]", "    10 Kingdom 0", "    9 Kingdom 1"]


def test_long_details_are_cut() -> None:
    made = tally()
    made.counts["species_of_many_words"].update({f"word {n}": 1 for n in range(500)})

    assert sum("    1 word" in line for line in taxa_text(made, []).splitlines()) == 20
    assert len(taxa_figures(made)["checks"]["species_of_many_words"]["by"]) == 500


def test_rules_that_have_touched_a_name_are_told_with_their_images() -> None:
    made = tally()
    made.rules.update({"homonym_genus": 1200, "blank_parent": 1})

    assert taxa_text(made, []).splitlines()[-4:] == [
        "",
        "Names from published rules that can be wrong (docs/reproduce.md):",
        "1,200 images of scraped pages whose genus is on several pages; the last one is taken  [homonym_genus]",
        "1 images whose higher ranks stay empty because the first row of a name has a blank parent  [blank_parent]",
    ]
    assert taxa_figures(made)["rules"] == {
        "common_cleaned": 0, "homonym_genus": 1200, "blank_parent": 1, "genus_spelling": 0
    }  # fmt: skip


def test_what_is_above_its_limit_stands_at_the_end() -> None:
    lines = taxa_text(tally(), ["missing_common: 2 …", "kingdoms: 3 …"]).splitlines()

    assert lines[-4:] == ["", "Above the limits of [checks]:", "missing_common: 2 …", "kingdoms: 3 …"]


def test_figures_are_whole_and_can_be_written_as_json() -> None:
    figures = json.loads(json.dumps(taxa_figures(tally())))

    assert figures["rows"] == 12_345
    assert figures["kingdoms"] == {"Kingdom 0": 10, "Kingdom 1": 9, "Kingdom 2": 8}
    assert figures["checks"]["genus_without_higher"] == {
        "total": 1234,
        "by": {"order": 1200, "family": 34, "kingdom": 0},
    }
    assert figures["checks"]["species_unidentified"] == {"total": 0, "by": {}}
