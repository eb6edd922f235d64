"""Names of images by a reference taxonomy: what a source says, found in the taxonomy, or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from written_trees import TREE, named, ranks, reference_of, written_records

from tol_luigi.core.source import NameRecord
from tol_luigi.core.taxon import Taxon
from tol_luigi.taxonomy.label_alignment import LabelAligner
from tol_luigi.taxonomy.label_records import label_of
from tol_luigi.taxonomy.naming import Certainty, Naming
from tol_luigi.taxonomy.records import NAMES, VERNACULARS
from tol_luigi.taxonomy.scientific_names import CROSS

if TYPE_CHECKING:
    from tol_luigi.taxonomy.products import ReferenceTables

FOX_ID = TREE.strip().splitlines().index(". . . . . . . Vulpes vulpes species")


@pytest.fixture(scope="module")
def reference() -> ReferenceTables:
    fox = f"t{FOX_ID}"
    synonym = {"uid": fox, "name": "Canis vulpes", "authorship": "", "type": "synonym"}
    common = [
        {"uid": fox, "name": "Rotfuchs", "language": "de", "is_preferred": False},
        {"uid": fox, "name": "fox", "language": "en", "is_preferred": False},
        {"uid": fox, "name": "red fox", "language": "en", "is_preferred": True},
    ]
    names = pa.Table.from_pylist([synonym], NAMES)
    return reference_of(
        written_records(TREE, names=names, vernaculars=pa.Table.from_pylist(common, VERNACULARS))
    )


FIG = Taxon("plantae", "tracheophyta", "magnoliopsida", "rosales", "moraceae", "ficus", "variegata")
SNAIL = Taxon("animalia", "mollusca", "gastropoda", "littorinimorpha", "ficidae", "ficus", "variegata")
FOX = Taxon("animalia", "chordata", "mammalia", "carnivora", "canidae", "vulpes", "vulpes")
MEGASELIA = Taxon("animalia", "arthropoda", "insecta", "diptera", "phoridae", "megaselia", "")


@pytest.mark.parametrize(
    ("record", "taxon", "common", "certainty"),
    [
        pytest.param(NameRecord("k", identifier=f"page:{FOX_ID}"), FOX, "red fox", Certainty.IDENTIFIED, id="an id of the source"),
        pytest.param(
            NameRecord("k", ranks("Plantae", "Moraceae", "Ficus", "variegata")), FIG, "", Certainty.ALIGNED,
            id="a fig, by the names above",
        ),
        pytest.param(
            NameRecord("k", ranks("Animalia", "Ficidae", "Ficus", "Ficus variegata")), SNAIL, "", Certainty.ALIGNED,
            id="a snail of the same name",
        ),
        pytest.param(
            NameRecord("k", ranks("Animalia", "", "Vulpes", "vulpes")), FOX, "red fox", Certainty.ALIGNED,
            id="an epithet that repeats the genus",
        ),
        pytest.param(NameRecord("k", name="Canis vulpes"), FOX, "red fox", Certainty.ALIGNED, id="a synonym"),
        pytest.param(
            NameRecord("k", name="<i>Vulpes vulpes</i> (Linnaeus, 1758)"), FOX, "red fox", Certainty.ALIGNED,
            id="markup and an author",
        ),
        pytest.param(
            NameRecord("k", name="Vulpes vulpes", common="Reynard"), FOX, "Reynard", Certainty.ALIGNED,
            id="a common name of its own",
        ),
        pytest.param(
            NameRecord("k", name="Vulpes vulpes crucigera"), FOX, "red fox", Certainty.ALIGNED,
            id="a subspecies has the common name of its species",
        ),
        pytest.param(
            NameRecord("k", ranks("Animalia", "Phoridae", "Megaselia", "Megaselia sp. 1ES")), MEGASELIA, "",
            Certainty.HIGHER, id="no name of a species",
        ),
        pytest.param(
            NameRecord("k", ranks("Animalia", "Phoridae", "Megaselia", "nigra")),
            Taxon("animalia", "arthropoda", "insecta", "diptera", "phoridae", "megaselia", "nigra"), "",
            Certainty.EXTENDED, id="a species that the taxonomy lacks",
        ),
        pytest.param(
            NameRecord("k", ranks("Fungi", "", "Amanita", "muscaria")),
            Taxon("fungi", genus="amanita", species="muscaria"), "", Certainty.EXTENDED,
            id="a genus that the taxonomy lacks",
        ),
    ],
)  # fmt: skip
def test_a_record_is_found_or_kept(
    reference: ReferenceTables, record: NameRecord, taxon: Taxon, common: str, certainty: Certainty
) -> None:
    found = named(reference, record)
    assert found is not None
    assert (found.taxon, found.certainty, found.common) == (taxon, certainty, common)


def test_a_homonym_without_context_is_the_lowest_taxon_that_is_certain(reference: ReferenceTables) -> None:
    found = named(reference, NameRecord("k", name="Ficus variegata"))
    assert found is None or (found.tol_id is None and found.certainty is Certainty.AMBIGUOUS)


@pytest.mark.parametrize(
    "record",
    [
        NameRecord("k"),
        NameRecord("k", ("unknown", "", "", "", "not_classified", "", "(unidentified)")),
        NameRecord("k", identifier="page:999"),
    ],
    ids=["nothing", "words for unknown", "an id that nobody knows"],
)
def test_what_has_no_name_gets_none(reference: ReferenceTables, record: NameRecord) -> None:
    assert named(reference, record) is None


def test_records_do_not_influence_each_other(reference: ReferenceTables) -> None:
    wanted = [
        NameRecord("a", ranks("Plantae", "Moraceae", "Ficus", "variegata")),
        NameRecord("b", ranks("Animalia", "Ficidae", "Ficus", "variegata")),
        NameRecord("c", name="Vulpes vulpes"),
    ]
    together = Naming(reference, LabelAligner(reference), wanted)
    assert [together.of(one) for one in wanted] == [named(reference, one) for one in wanted]


@pytest.mark.parametrize(
    ("record", "label"),
    [
        (NameRecord("k", ranks(genus="Vulpes", species="vulpes")), (("genus", "Vulpes"), ("species", "Vulpes vulpes"))),
        (NameRecord("k", ranks(genus="Felis", species="Felis catus")), (("genus", "Felis"), ("species", "Felis catus"))),
        (NameRecord("k", ranks(genus="Fragaria", species=f"{CROSS} ananassa")), (("genus", "Fragaria"), ("species", f"Fragaria {CROSS} ananassa"))),
        (NameRecord("k", name="Syrphidae"), (("", "Syrphidae"),)),
        (NameRecord("k", name="Canis lupus familiaris"), (("genus", "Canis"), ("species", "Canis lupus"), ("", "Canis lupus familiaris"))),
        (NameRecord("k", name="Megaselia sp. 1"), (("genus", "Megaselia"), ("", "Megaselia sp. 1"))),
        (NameRecord("k", ranks("Animalia", "nan", "Dermestes", "nan")), (("kingdom", "Animalia"), ("family", "nan"), ("genus", "Dermestes"), ("species", "Dermestes nan"))),
    ],
)  # fmt: skip
def test_a_label_is_what_a_source_says(record: NameRecord, label: tuple[tuple[str, str], ...]) -> None:
    assert label_of(record) == label
