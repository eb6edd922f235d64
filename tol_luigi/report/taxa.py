"""Report the taxa of a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.name_rules import PUBLISHED_RULES, RULE_TEXTS, NameRule
from tol_luigi.core.taxa_checks import CHECKS
from tol_luigi.report.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tol_luigi.core.taxa_checks import Tally

__all__ = ["taxa_figures", "taxa_text"]

_USUAL_KINGDOMS = 3
_SHOWN = 20


def taxa_figures(tally: Tally) -> dict[str, Any]:
    """Return all counts as JSON."""
    return {
        "rows": tally.rows,
        "kingdoms": dict(tally.kingdoms.most_common()),
        "checks": {name: {"total": total, "by": dict(tally.counts[name].most_common())}
                   for name, total in tally.totals().items()},
        "rules": {str(rule): tally.rules[rule] for rule in NameRule if rule in tally.rules},
    }  # fmt: skip


def taxa_text(tally: Tally, too_many: Sequence[str]) -> str:
    """Return the unusual counts as text.

    Args:
        tally: The counts.
        too_many: The checks that exceed their limits, one per line.
    """
    lines = [f"{counted(tally.rows, 'row')} checked (without train_small, which repeats rows of train)"]
    for name, total in tally.totals().items():
        details = tally.kingdoms if name == "kingdoms" else tally.counts[name]
        if total == (_USUAL_KINGDOMS if name == "kingdoms" else 0):
            continue
        lines.append(f"{CHECKS[name]}: {total:,}  [{name}]")
        lines += [f"    {count:,} {value}" for value, count in details.most_common(_SHOWN) if count]
    headings = {
        True: "Names from published rules that can be wrong (docs/reproduce.md):",
        False: "Names that the reference taxonomy does not settle (docs/taxonomy.md):",
    }
    for is_published, heading in headings.items():
        rules = (rule for rule in NameRule if (rule in PUBLISHED_RULES) == is_published)
        touched = [
            f"{tally.rules[rule]:,} {RULE_TEXTS[rule]}  [{rule}]" for rule in rules if tally.rules[rule]
        ]
        lines += ["", heading, *touched] if touched else []
    lines += ["", "Above the limits of [checks]:", *too_many] if too_many else []
    return "\n".join(lines) + "\n"
