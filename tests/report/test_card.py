"""The dataset card: its header is what ``datasets`` reads, its text what people read."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from tol_luigi.core.samples import MEMBERS
from tol_luigi.report.card import Card, card_text
from tol_luigi.report.citation import citation_text
from tol_luigi.report.datasheet import datasheet_text
from tol_luigi.report.publication import Publication

COUNTS = {("train", "eol"): 1234, ("train", "bioscan"): 17, ("train_small", "eol"): 5}
CARD = Card("0123456789ab", (64, 48), COUNTS, ("eol", "bioscan"))


def header(text: str) -> Any:
    _, head, _ = text.split("---\n", 2)
    return yaml.safe_load(head)


def test_the_header_names_the_shards_of_each_split_that_has_samples() -> None:
    files = [
        {"split": "train", "path": "train/shard-*.tar"},
        {"split": "train_small", "path": "train_small/shard-*.tar"},
    ]
    config = {"config_name": "default", "description": "dataset 0123456789ab", "data_files": files}
    assert header(card_text(CARD))["configs"] == [config]


def test_the_card_of_the_folder_above_names_the_shards_from_there() -> None:
    text = card_text(CARD, "64x48/")
    assert header(text)["configs"][0]["data_files"][0]["path"] == "64x48/train/shard-*.tar"
    assert "`64x48/catalog.parquet`, `64x48/catalog.csv`" in text
    assert "path/to/this/folder/64x48/train/shard-*.tar" in text


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("", {"license": "other"}),
        ("CC-BY-4.0", {"license": "cc-by-4.0"}),
        ("AGPL-3.0", {"license": "other", "license_name": "agpl-3.0"}),
        ("https://example.org/terms", {"license": "other", "license_link": "https://example.org/terms"}),
    ],
)
def test_the_header_has_the_licence_as_the_hub_names_it(licence: str, expected: dict[str, str]) -> None:
    head = header(card_text(dataclasses.replace(CARD, published=Publication(license=licence))))
    assert {key: value for key, value in head.items() if key.startswith("license")} == expected


HOSTILE = "<script>alert(1)</script> [a](javascript:b) \x1b[31m`c` | $d$ ---\n# e"


def test_texts_in_one_json_member_are_listed_by_their_keys() -> None:
    text = card_text(dataclasses.replace(CARD, texts=["txt", "note.txt"], is_json=True))
    assert '| `json["sci_com"]` |' in text
    assert '| `json["note"]` |' in text
    assert "| `txt` |" in text
    assert '.to_tuple("jpg", "json")' in text
    assert "sci_com.txt" not in text.replace("`sci.txt`", "")


def test_hostile_names_are_shown_as_text() -> None:
    published = Publication(HOSTILE, HOSTILE, [HOSTILE], contact=HOSTILE, version="<b>")
    card = dataclasses.replace(CARD, published=published, kingdoms={HOSTILE: 1, "": 2})
    for text in (card_text(card, "64x48/"), datasheet_text(card, "64x48/")):
        body = text.split("---\n", 2)[-1]
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
        inline = [token for block in tokens for token in [block, *(block.children or ())]]
        assert not {"html_inline", "html_block"} & {token.type for token in inline}
        assert not [token for token in inline if "javascript" in str(token.attrs)]
        assert "\x1b" not in text
        assert not [token for token in inline if token.type == "text" and token.content == "e"]
        shown = "".join(token.content for token in inline if token.type.startswith("text"))
        assert "<script>alert(1)</script> [a](javascript:b) [31m`c` | $d$ --- # e" in shown
    assert header(card_text(card))["pretty_name"] == HOSTILE
    assert yaml.safe_load(citation_text(published))["title"] == HOSTILE


def test_a_citation_has_people_and_organisations() -> None:
    published = Publication(authors=["Doe, Jane", "A Laboratory"], version="1.0", doi="10.1234/x")
    cited = yaml.safe_load(citation_text(published))
    assert cited["authors"] == [{"family-names": "Doe", "given-names": "Jane"}, {"name": "A Laboratory"}]
    assert (cited["cff-version"], cited["version"], cited["doi"]) == ("1.2.0", "1.0", "10.1234/x")
    assert yaml.safe_load(citation_text(Publication()))["authors"] == [{"name": "The makers of the dataset"}]


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
