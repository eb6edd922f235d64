"""The dataset card: its header is what ``datasets`` reads, its text what people read."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from tol_luigi.core.samples import MEMBERS
from tol_luigi.report.card import Card, card_text

COUNTS = {("train", "eol"): 1234, ("train", "bioscan"): 17, ("train_small", "eol"): 5}
CARD = Card("0123456789ab", (64, 48), COUNTS, ("eol", "bioscan"))


def header(text: str) -> Any:
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def test_the_header_names_the_shards_of_each_split_that_has_samples() -> None:
    assert header(card_text(CARD)) == {
        "configs": [
            {
                "config_name": "default",
                "description": "dataset 0123456789ab",
                "data_files": [
                    {"split": "train", "path": "train/shard-*.tar"},
                    {"split": "train_small", "path": "train_small/shard-*.tar"},
                ],
            }
        ]
    }


def test_the_counts_stand_in_a_table_by_split_and_source() -> None:
    text = card_text(CARD)
    assert (
        "| split | eol | bioscan | all |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| train | 1,234 | 17 | 1,251 |\n"
        "| train_small | 5 | 0 | 5 |\n\n"
    ) in text
    assert "Images of 64 by 48 pixels" in text


def test_drawn_images_are_called_drawn() -> None:
    assert "drawn" in card_text(dataclasses.replace(CARD, is_demonstration=True))
    assert "drawn" not in card_text(CARD)


def test_every_member_of_a_sample_is_described() -> None:
    text = card_text(CARD)
    assert [member for member in MEMBERS if f"| `{member}` | " not in text] == []


def test_the_order_in_which_samples_were_counted_does_not_matter() -> None:
    reverse = dataclasses.replace(CARD, counts=dict(reversed(COUNTS.items())))
    assert card_text(reverse) == card_text(CARD)


def test_further_texts_are_listed() -> None:
    assert "| `field_note.txt` | a further text," in card_text(
        dataclasses.replace(CARD, texts=("field_note.txt",))
    )
