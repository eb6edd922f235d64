"""Images and species that a benchmark excludes from the training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.errors import TableError
from tol_luigi.core.taxon import RANKS, Taxon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tol_luigi.core.ledger import State
    from tol_luigi.core.source import Key, NaturalKey

__all__ = ["KEPT", "Exclusions", "Verdict"]

_REMEDY = "It must be a JSON object of species names, each with a list of image paths"


@dataclass(frozen=True)
class Verdict:
    """Whether an image is excluded, and by what.

    Attributes:
        state: ``EXCLUDED_IMAGE`` or ``EXCLUDED_SPECIES``; None if the image is kept.
        listed: The name of the exclusion list.
        species: The excluded species, "" if the list names the image itself.
    """

    state: State | None = None
    listed: str = ""
    species: str = ""

    @property
    def reason(self) -> str:
        """The verdict as text."""
        if self.state is None:
            return ""
        on_list = f"on the list {self.listed}"
        return f"{self.species} is {on_list}" if self.species else on_list


KEPT = Verdict()


class Exclusions:
    """One exclusion list: species names, each with the paths of its images.

    Attributes:
        files: The number of file names, of images with and without ids.
        species: The number of species.
        unparsed: Keys that are a species name in neither style; their images are excluded nevertheless.

    Source: ``seen_in_training.json`` and ``unseen_in_training.json`` of the Rare Species benchmark.
    The published process compared keys of one style with keys of the other and so excluded no species.
    """

    def __init__(self, where: object, content: object, *, with_species: bool) -> None:
        """Build the list from parsed JSON.

        Args:
            where: The file, for messages.
            content: The parsed content of the file.
            with_species: Whether to exclude all images of the species, not only the listed images.

        Raises:
            TableError: The content is not an object of lists of strings.
        """
        self.with_species = with_species
        self._files: set[str] = set()
        self._keys: dict[NaturalKey, frozenset[Key]] = {}
        self._species: set[str] = set()
        unparsed: list[str] = []
        if not isinstance(content, dict):
            raise TableError(where, f"is not a JSON object (found {type(content).__name__})", _REMEDY)
        for key, paths in content.items():
            if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
                raise TableError(where, f"the entry {key!r} is not a list of strings", _REMEDY)
            self._files.update(map(_basename, paths))
            if species := _species(key):
                self._species.add(species)
            else:
                unparsed.append(key)
        self.unparsed = tuple(unparsed)

    @property
    def files(self) -> int:
        """Count the file names."""
        return len(self._files)

    @property
    def species(self) -> int:
        """Count the species."""
        return len(self._species)

    def match_images(self, natural_key: NaturalKey, keys: Iterable[Key]) -> set[Key]:
        """Return the images of a source that are on the list.

        Args:
            natural_key: The natural key of the source. If it parses file names of the list, images are
                matched by the parsed keys, whatever the files are called today; otherwise by the strings in
                their keys.
            keys: The natural keys of its images.
        """
        if natural_key.from_listed is None:
            return {
                key for key in keys if any(self.match_file(part) for part in key if isinstance(part, str))
            }
        return set(self.listed_keys(natural_key).intersection(keys))

    def listed_keys(self, natural_key: NaturalKey) -> frozenset[Key]:
        """Return the natural keys parsed from the listed file names; none if the source cannot parse them."""
        if natural_key not in self._keys:
            parse = natural_key.from_listed
            self._keys[natural_key] = frozenset(filter(None, map(parse, self._files)) if parse else ())
        return self._keys[natural_key]

    def match_file(self, filename: str) -> bool:
        """Return whether a file with this name is on the list; folders are ignored."""
        return _basename(filename) in self._files

    def match_species(self, taxon: Taxon) -> bool:
        """Return whether genus and species name an excluded species; False if the list excludes images only.

        Higher ranks are ignored, because sources place one species in several families. The number of
        times the taxon was normalised is ignored, too: each time removes a word that repeats the genus.
        """
        return self.with_species and _name(taxon) in self._species


def _basename(path: str) -> str:
    return path.rpartition("/")[2]


def _species(key: str) -> str:
    """Return the species named by a key in either style, or ""."""
    ranks = key.split("-", len(RANKS) - 1)  # an epithet may contain a dash
    taxon = Taxon.of(*ranks) if len(ranks) == len(RANKS) else Taxon.of(species=key)
    return _name(taxon)


def _name(taxon: Taxon) -> str:
    """Return genus and species in a form that normalising does not change, or "" if either is unknown."""
    genus, words = " ".join(taxon.genus.split()), taxon.species.split()
    while len(words) > 1 and words[0] == genus:
        del words[0]
    return f"{genus} {' '.join(words)}" if genus and words else ""
