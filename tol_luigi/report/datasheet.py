"""Write the datasheet of a dataset: the questions that its users ask, answered from its files and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tol_luigi.report.card import markdown_table, stated_licenses_text
from tol_luigi.report.publication import markdown_text

if TYPE_CHECKING:
    from tol_luigi.report.card import Card

__all__ = ["datasheet_text"]

_OPEN = "The settings of this dataset do not say."


def datasheet_text(card: Card, folder: str) -> str:
    """Return the datasheet in Markdown.

    Args:
        card: What the card says.
        folder: The folder of the shards, relative to that of the datasheet, with ``/`` at its end.

    Source: the sections of Gebru et al., Datasheets for Datasets.
    """
    published = card.published
    sections = {
        "Motivation": {
            "For what purpose was the dataset created?": markdown_text(published.description) or _OPEN,
            "Who created it?": markdown_text("; ".join(published.authors)) or _OPEN,
        },
        "Composition": {
            "What do the instances represent?": "Images of organisms, each with its scientific classification in seven "
            "ranks, its common name, and texts made from them.",
            "How many are there?": _counts(card),
            "What data does each instance consist of?": f"A {card.image.name} of {card.size[0]} by {card.size[1]} pixels and its texts. "
            f"`{folder}catalog.parquet` has a row for each, with the metadata of the original image.",
            "Is any information missing?": "Ranks that no source names are empty. `ledger/` and "
            f"`{folder}records/` list each source image that has no sample, and the reason.",
            "Are there recommended splits?": "Yes: `train` and `val` have no image in common. `train_small` repeats images "
            "of `train`.",
            "Are there errors or redundancies?": "`taxa-report-final.txt` lists doubtful taxa, and "
            f"`{folder}duplicates-report.txt` exact duplicates, if they are looked for.",
            "Does it relate to people?": "No person is a subject, but photographs of organisms can show people. Names of "
            f"owners are in `{folder}licenses.csv`.",
        },
        "Collection": {
            "How was the data acquired?": f"From {_listed(card)}."
            + (" The images are drawn by the program, as a demonstration." if card.is_demonstration else ""),
        },
        "Preprocessing": {
            "Was any preprocessing done?": "Each image is decoded, converted to RGB, resized and encoded again. "
            "`dataset.json` has the settings.",
            "Is the software available?": "Yes: `tol_luigi` makes the same bytes again from the same sources and settings.",
        },
        "Distribution": {
            "How is it distributed?": markdown_text(published.url) or _OPEN,
            "Under what licence?": "Each image has its own licence and owner "
            f"(`{folder}licenses.csv`).{stated_licenses_text(card)} {_of_tables(published.license)}".rstrip(),
            "When?": published.date or _OPEN,
        },
        "Maintenance": {
            "Whom can one ask?": markdown_text(published.contact) or _OPEN,
            "Which version is this?": f"{markdown_text(published.version) or 'Unnumbered'}, with the digest {card.digest}.",
            "Can a file be verified?": "`SHA256SUMS` has the checksum of every file.",
        },
    }
    parts = [f"# Datasheet: {markdown_text(published.heading)}"]
    for title, answers in sections.items():
        parts += [f"## {title}", *(f"**{question}** {answer}" for question, answer in answers.items())]
    return "\n\n".join(parts) + "\n"


def _counts(card: Card) -> str:
    rows = [
        [split, f"{sum(count for (each, _), count in card.counts.items() if each == split):,}"]
        for split in card.splits
    ]
    return f"\n\n{markdown_table(['split', 'samples'], rows, numbers=True)}"


def _listed(card: Card) -> str:
    return ", ".join(f"`{source}`" for source in card.sources)


def _of_tables(given: str) -> str:
    return f"Texts and tables: {markdown_text(given)}." if given else ""
