"""Write the page of the report on a build: one file that needs no server and no network."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from tol_luigi.core.ledger import State
from tol_luigi.core.splits import SPLITS
from tol_luigi.core.taxa_checks import CHECKS
from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.report.build_tables import TABLES
from tol_luigi.report.diversity import abundance, hill_numbers
from tol_luigi.report.page_template import page_file, rendered
from tol_luigi.report.sprites import COLUMNS, PER_SHEET, SIDE
from tol_luigi.report.state_texts import STATE_TEXTS
from tol_luigi.report.text import counted, human_bytes, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tol_luigi.report.build_figures import BuildFigures, CatalogData

__all__ = ["page_text"]

_USUAL_KINGDOMS = 3

_MOST_COUNTS = 600_000
"""The most numbers of images by taxon and source in the page, which take about 2.5 bytes each."""

_CURVE = (640, 260, 56, 34)
"""Width and height of the plot of rank and abundance, and its margins to the left and below."""


def page_text(figures: BuildFigures, data: CatalogData) -> str:
    """Return the page as HTML. Names from data appear as text, whatever they contain."""
    content = {
        "script": page_file("report.js"),
        "data": _embedded(_script_data(figures, data)),
        "sheets": [base64.b64encode(sheet).decode() for sheet in data.sheets],
        **_content(figures, data),
    }
    return rendered("report.html.j2", content)


def _embedded(content: Any) -> Markup:  # noqa: ANN401 (JSON is any)
    """Return JSON that can be inside a script element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    escaped = re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)
    return Markup(escaped)  # noqa: S704 (escaped above)


def _script_data(figures: BuildFigures, data: CatalogData) -> dict[str, Any]:
    """Return what the script of the page shows: the tree and the thumbnails."""
    tree, names = data.tree, dict[str, int]()
    for one in data.thumbnails:
        names.update(dict.fromkeys(one.fields, 0))
    labels = list(names)
    return {
        "ranks": ["life", *RANK_LABELS],
        "sources": list(figures.sources),
        "names": list(map(printable, tree.names)),
        "depths": "".join(map(str, tree.depths)),
        "images": tree.images,
        "lineages": tree.lineages,
        "bySource": _by_source(data),
        "hidden": tree.hidden,
        "commons": {node: printable(name) for node, name in data.commons.items()},
        "labels": labels,
        "thumbs": [
            [one.node, printable(one.name), *(printable(one.fields.get(label, "")) for label in labels)]
            for one in data.thumbnails
        ],
        "groups": [group.thumbnails for group in data.groups],
        "side": SIDE,
        "columns": COLUMNS,
        "perSheet": PER_SHEET,
    }


def _by_source(data: CatalogData) -> dict[str, Any]:
    """Return the images of taxa by source, down to the lowest rank for which the page has room.

    The numbers of the last source are not repeated, since they are the difference to those of all.
    """
    depths, counts = np.array(data.tree.depths), data.by_source[:, :-1]
    room = _MOST_COUNTS // max(counts.shape[1], 1)
    lowest = max((depth for depth in set(data.tree.depths) if (depths <= depth).sum() <= room), default=-1)
    return {"lowest": lowest, "images": [column[depths <= lowest].tolist() for column in counts.T]}


def _content(figures: BuildFigures, data: CatalogData) -> dict[str, Any]:
    known = sum(figures.states.values())
    checks = _checks(figures, data, known)
    counts = data.species
    return {
        "figures": figures,
        "is_demonstration": figures.is_demonstration,
        "known": known,
        "images": data.images,
        "shards": sum(map(len, figures.shards.values())),
        "bytes": sum(shard.size for shards in figures.shards.values() for shard in shards),
        "checks": checks,
        "notes": sum(not check["is_good"] for check in checks),
        "totals": _totals(figures, data),
        "waterfall": _waterfall(figures, known),
        "excluded": _excluded(figures, data),
        "stats": data.stats,
        "ranks": RANK_LABELS,
        "hill": [f"{number:,.1f}" for number in hill_numbers(counts)],
        "singletons": int((counts == 1).sum()),
        "species": len(counts),
        "curve": _curve(abundance(counts)),
        "groups": [
            {"kind": group.kind, "name": group.name, "count": group.count, "number": number}
            for number, group in enumerate(data.groups)
        ],
        "histograms": [
            ("Shorter side of the original", _bars(data.sides)),
            ("Longer side over shorter side", _bars(data.aspects)),
            ("Mode", _bars(data.modes)),
            ("Format", _bars(data.formats)),
        ],
        "flags": _flags(figures, data),
        "duplicates": figures.reports.get("duplicates"),
        "near": figures.reports.get("near_duplicates"),
        "leaks": figures.reports.get("leaks"),
        "features": _features(figures.reports.get("features", {})),
        "settings": [(key, _setting(value)) for key, value in figures.reports["settings"].items()],
        "tables": ["../taxa_stats.csv", *TABLES],
        "has_tree": data.images > 0,
    }


def _checks(figures: BuildFigures, data: CatalogData, known: int) -> list[dict[str, Any]]:
    """Return the checks: what was checked, whether all is well, and the result."""
    reports, written = figures.reports, _count(figures, State.WRITTEN)
    checks = [
        ("Every image is accounted for", True, f"{known:,} files and images, each with exactly one state"),
        ("Every shard was read back", True, "every member of every sample, against its checksum"),
        ("The catalog lists what the shards contain", written == data.images, f"{data.images:,} images"),
    ]
    for name, check in reports["taxa"]["checks"].items():
        total = check["total"]
        usual = name == "kingdoms" and total <= _USUAL_KINGDOMS
        checks.append((f"Taxa: {CHECKS[name]}", usual or not total, f"{total:,}"))
    for rule, count in reports["taxa"].get("rules", {}).items():
        if count:
            checks.append((f"Names by the rule {rule}, which can be wrong", False, f"{count:,} images"))
    for match in reports["matches"]["matches"]:
        missing = match["files"] - match["matched_files"]
        result = f"{match['matched_files']:,} of {match['files']:,}"
        checks.append((f"{match['source']}: images with a name in {match['table']}", not missing, result))
    if duplicates := reports.get("duplicates"):
        shared, differ = duplicates["in_val_and_train"], duplicates["groups_with_different_labels"]
        is_dropped = duplicates["setting"] == "drop"
        crossing = 0 if is_dropped else shared["images_of_val"]
        checks += [
            ("Images of val that are also in train, byte for byte", not crossing, f"{crossing:,}"),
            ("Groups of exact duplicates with different labels", not differ, f"{differ:,}"),
        ]
    return [{"what": what, "is_good": good, "result": result} for what, good, result in checks]


def _totals(figures: BuildFigures, data: CatalogData) -> list[dict[str, Any]]:
    rows = []
    for split in SPLITS:
        counts = [data.samples.get((split, source), 0) for source in figures.sources]
        shards = figures.shards.get(split, ())
        size = human_bytes(sum(shard.size for shard in shards))
        row = {"split": split, "counts": counts, "all": sum(counts), "shards": len(shards), "size": size}
        rows.append(row)
    return rows


def _waterfall(figures: BuildFigures, known: int) -> list[dict[str, Any]]:
    """Return the steps from all images to those in shards: the images that each state takes away."""
    rows, left = [_step("all files and images", "", known, known, known)], known
    for state in State:
        count = _count(figures, state)
        if count and state != State.WRITTEN:
            rows.append(_step(f"\N{MINUS SIGN} {state}", STATE_TEXTS[state], count, left, known))
            left -= count
    return [*rows, _step("in the shards", STATE_TEXTS[State.WRITTEN], left, left, known)]


def _step(label: str, text: str, count: int, end: int, known: int) -> dict[str, Any]:
    share = 100 / known if known else 0
    start, width = (end - count) * share, count * share
    return {
        "label": label,
        "text": text,
        "count": count,
        "share": f"{width:.1f} %" if width >= 0.1 or not count else "<0.1 %",  # noqa: PLR2004 (what can be shown)
        "start": f"{start:.3f}",
        "width": f"{width:.3f}",
    }


def _count(figures: BuildFigures, state: str) -> int:
    return sum(count for (name, _), count in figures.states.items() if name == state)


def _excluded(figures: BuildFigures, data: CatalogData) -> list[dict[str, Any]]:
    """Return each state of images in no shard, with its counts by source, and examples."""
    rows = []
    for state in State:
        if state == State.WRITTEN or not _count(figures, state):
            continue
        counts = [figures.states.get((state, source), 0) for source in figures.sources]
        rows.append(
            {
                "state": str(state),
                "text": STATE_TEXTS[state],
                "counts": counts,
                "all": _count(figures, state),
                "examples": [one for one in data.excluded if one["state"] == state],
            }
        )
    return rows


def _bars(counts: Iterable[tuple[str, int]]) -> list[dict[str, Any]]:
    rows = list(counts)
    most, total = max((count for _, count in rows), default=1) or 1, sum(count for _, count in rows) or 1
    return [
        {
            "name": name,
            "count": count,
            "width": f"{100 * count / most:.2f}",
            "share": f"{100 * count / total:.1f} %",
        }
        for name, count in rows
    ]


def _flags(figures: BuildFigures, data: CatalogData) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in sorted({flag for flag, _ in data.flags}):
        counts = [data.flags.get((name, source), 0) for source in figures.sources]
        rows.append({"name": name, "counts": counts, "all": sum(counts)})
    return sorted(rows, key=lambda row: -sum(row["counts"]))


def _features(reports: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what each extractor has found: numbers as histograms, others as bars."""
    shown = []
    for name, family in reports.items():
        for column, content in family["columns"].items():
            feature: dict[str, Any] = {"name": f"{name}: {column}", "bars": [], "histogram": []}
            if "histogram" in content:
                feature["histogram"] = _bars(_numbered(content["histogram"]["counts"]))
                feature["range"] = [
                    f"{value:,.4g}"
                    for value in (content["least"], content["quantiles"]["0.5"], content["greatest"])
                ]
            elif "values" in content:
                feature["bars"] = _bars(content["values"].items())
            elif "true" in content:
                feature["bars"] = _bars(
                    [("true", content["true"]), ("false", content["known"] - content["true"])]
                )
            else:
                continue
            shown.append(feature)
    return shown


def _numbered(counts: Sequence[int]) -> list[tuple[str, int]]:
    return [(str(number), count) for number, count in enumerate(counts, 1)]


def _setting(value: Any) -> str:  # noqa: ANN401 (JSON is any)
    if isinstance(value, list):
        return ", ".join(map(str, value)) if len(value) < 10 else counted(len(value), "entry")  # noqa: PLR2004
    return "" if value is None else str(value)


def _curve(points: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Return the curve of rank and abundance on two logarithmic axes: a path, and the marks of the axes."""
    width, height, left, below = _CURVE
    last, most = (points[-1][0], points[0][1]) if points else (1, 1)

    def across(place: float) -> float:
        return left + (width - left - 12) * math.log10(place) / (math.log10(last) or 1)

    def down(count: float) -> float:
        return 10 + (height - below - 10) * (1 - math.log10(count) / (math.log10(most) or 1))

    marks = [10**power for power in range(10)]
    return {
        "width": width,
        "height": height,
        "left": left,
        "bottom": height - below,
        "path": " ".join(f"{across(place):.1f},{down(count):.1f}" for place, count in points),
        "x": [(f"{across(mark):.1f}", f"{mark:,}") for mark in marks if mark <= last],
        "y": [(f"{down(mark):.1f}", f"{mark:,}") for mark in marks if mark <= most],
    }
