"""A small reference taxonomy, built by hand: homonyms, synonyms, a tombstone, a conflict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tol_luigi.core.taxon import RANK_LABELS
from tol_luigi.taxonomy import products
from tol_luigi.taxonomy.flags import Flag
from tol_luigi.taxonomy.products import ReferenceTables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["SMALL", "Node", "reference"]


@dataclass(frozen=True)
class Node:
    """A taxon and all below it."""

    name: str
    rank: str = ""
    below: tuple[Node, ...] = ()
    synonyms: tuple[str, ...] = ()
    vernaculars: tuple[str, ...] = ()
    authorship: str = ""
    flags: int = 0
    unique_name: str = ""
    sources: str = ""


def reference(*roots: Node, **tables: Any) -> ReferenceTables:
    """Return the tables of a taxonomy; ids are the numbers of taxa in preorder."""
    taxa = [row for root in roots for row in _rows(root, None, {}, _counter())]
    names = [row for taxon in taxa for row in _names(taxon)]
    vernaculars = [
        {
            "tol_id": row["tol_id"],
            "name": name,
            "language": "en",
            "source": "aa",
            "rank": row["rank"],
            "is_preferred": number == 0,
        }
        for row in taxa
        for number, name in enumerate(row["node"].vernaculars)
    ]
    xref = [
        {
            "source": prefix,
            "source_id": number,
            "name": row["name"],
            "rank": row["rank"],
            "tol_id": row["tol_id"],
            "fate": "aligned" if place else "new",
            "reason": "confirmed" if place else "none",
            "score": 3 if place else None,
            "witness": row["name"] if place else "",
        }
        for row in taxa
        for place, (prefix, _, number) in enumerate(
            identifier.partition(":") for identifier in row["sources"].split(",")
        )
    ]
    given = {
        "taxa": pa.Table.from_pylist(taxa, products.TAXA),
        "names": pa.Table.from_pylist(names, products.NAMES),
        "vernaculars": pa.Table.from_pylist(vernaculars, products.VERNACULARS),
        "xref": pa.Table.from_pylist(xref, products.XREF),
    }
    return ReferenceTables(**{**given, **tables})


def _counter() -> Iterator[int]:
    yield from range(1, 1_000_000)


def _rows(
    node: Node, parent: int | None, above: dict[str, str], ids: Iterator[int]
) -> Iterator[dict[str, Any]]:
    tol_id = next(ids)
    ranks = {**above, node.rank: node.name} if node.rank in RANK_LABELS and not node.flags else above
    yield {
        "node": node,
        "tol_id": tol_id,
        "parent": parent,
        "name": node.name,
        "authorship": node.authorship,
        "rank": node.rank,
        "code": "",
        "flags": int(node.flags),
        "sources": node.sources or f"aa:{tol_id}",
        "unique_name": node.unique_name,
        **{label: ranks.get(label, "") for label in RANK_LABELS},
    }
    for child in sorted(node.below, key=lambda child: child.name):
        yield from _rows(child, tol_id, ranks, ids)


def _names(row: dict[str, Any]) -> Iterable[dict[str, Any]]:
    shared = {"tol_id": row["tol_id"], "source": "aa"}
    yield {**shared, "name": row["name"], "authorship": row["authorship"], "type": "accepted"}
    for text in row["node"].synonyms:
        yield {**shared, "name": text, "authorship": "", "type": "synonym"}


def chain(ranks: Sequence[str], names: str, *below: Node) -> Node:
    """Return taxa one below the other, the last of them with others below it."""
    pairs = list(zip(ranks, names.split(), strict=True))
    rank, name = pairs.pop()
    node = Node(name, rank, below)
    for rank, name in reversed(pairs):
        node = Node(name, rank, (node,))
    return node


_TO_FAMILY = ("kingdom", "phylum", "class", "order", "family")

SMALL = Node(
    "life",
    "",
    (
        Node(
            "Animalia",
            "kingdom",
            (
                Node(
                    "Arthropoda",
                    "phylum",
                    (
                        chain(
                            _TO_FAMILY[2:],
                            "Insecta Hymenoptera Apidae",
                            Node(
                                "Apis",
                                "genus",
                                (
                                    Node(
                                        "Apis mellifera",
                                        "species",
                                        (Node("Apis mellifera scutellata", "subspecies"),),
                                        ("Apis mellifica",),
                                        ("western honey bee", "European honey bee"),
                                        "Linnaeus, 1758",
                                        sources="cc:1,bb:70,dd:5",
                                    ),
                                    Node("Apis cerana", "species", vernaculars=("eastern honey bee",)),
                                ),
                            ),
                            Node("Bombus", "genus", (Node("Bombus terrestris", "species"),)),
                        ),
                    ),
                ),
                Node(
                    "Mollusca",
                    "phylum",
                    (
                        chain(
                            _TO_FAMILY[2:],
                            "Gastropoda Littorinimorpha Ficidae",
                            Node(
                                "Ficus",
                                "genus",
                                (
                                    Node(
                                        "Ficus variegata",
                                        "species",
                                        authorship="Röding, 1798",
                                        unique_name="Ficus variegata (species in Animalia)",
                                    ),
                                ),
                                unique_name="Ficus (genus in Animalia)",
                            ),
                        ),
                    ),
                ),
            ),
            ("Metazoa",),
        ),
        Node(
            "Plantae",
            "kingdom",
            (
                Node(
                    "Tracheophyta",
                    "phylum",
                    (
                        Node(
                            "Magnoliopsida",
                            "class",
                            (
                                chain(
                                    _TO_FAMILY[3:],
                                    "Rosales Moraceae",
                                    Node(
                                        "Ficus",
                                        "genus",
                                        (
                                            Node(
                                                "Ficus variegata",
                                                "species",
                                                authorship="Blume",
                                                unique_name="Ficus variegata (species in Plantae)",
                                            ),
                                            Node("Ficus carica", "species", vernaculars=("common fig",)),
                                        ),
                                        unique_name="Ficus (genus in Plantae)",
                                    ),
                                ),
                                chain(
                                    _TO_FAMILY[3:],
                                    "Fagales Fagaceae",
                                    Node(
                                        "Quercus",
                                        "genus",
                                        (
                                            Node("Quercus alba", "species", authorship="L."),
                                            Node(
                                                "Quercus robur", "species", synonyms=("Quercus pedunculata",)
                                            ),
                                            Node("Quercus rubra", "species"),
                                            Node("Quercus sp. 1", "", flags=Flag.INFORMAL),
                                        ),
                                    ),
                                ),
                            ),
                        ),
                    ),
                ),
            ),
        ),
        Node("Vermes", "phylum", flags=Flag.INCONSISTENT),
    ),
)
"""Two *Ficus variegata*, a snail and a fig; a tombstone."""
