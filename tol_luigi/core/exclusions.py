"""Images and species that a benchmark keeps out of the training data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tol_luigi.core.errors import TableError
from tol_luigi.core.taxon import RANKS, Taxon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tol_luigi.core.ledger import State
    from tol_luigi.core.source import Key, NaturalKey

__all__ = ["STAYS", "Exclusions", "Verdict"]

_REMEDY = "It must be a JSON object of species names, each with a list of image paths"


@dataclass(frozen=True)
class Verdict:
    """Whether an image is excluded, and by what.

    Attributes:
        state: ``EXCLUDED_IMAGE`` or ``EXCLUDED_SPECIES``; None if the image stays.
        listed: The name of the list that it is on.
        species: The species that the list names, if it is not the image itself.
    """

    state: State | None = None
    listed: str = ""
    species: str = ""

    @property
    def reason(self) -> str:
        """The verdict in words; it is only for people."""
        if self.state is None:
            return ""
        on_list = f"on the list {self.listed}"
        return f"{self.species} is {on_list}" if self.species else on_list


STAYS = Verdict()


class Exclusions:
    """One exclusion list: species names, each with the paths of its images.

    Attributes:
        files: How many file names it holds, of images with and without ids.
        species: How many species it names.
        unread: Keys that name no species in either style; their images count all the same.

    Source: the Rare Species benchmark's ``seen_in_training.json`` and ``unseen_in_training.json``.
    The published process compared the two styles of keys with each other and so excluded no species.
    """

    def __init__(self, where: object, content: object, *, with_species: bool) -> None:
        """Read a parsed list.

        Args:
            where: The file, for messages.
            content: What was parsed from it.
            with_species: Whether the species themselves are left out, not only these images.

        Raises:
            TableError: The content is not an object of lists of texts.
        """
        self.with_species = with_species
        self._files: set[str] = set()
        self._meant: dict[NaturalKey, frozenset[Key]] = {}
        self._species: set[str] = set()
        unread: list[str] = []
        if not isinstance(content, dict):
            raise TableError(where, f"holds a {type(content).__name__} where an object belongs", _REMEDY)
        for key, paths in content.items():
            if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
                raise TableError(where, f"the entry {key!r} is not a list of texts", _REMEDY)
            self._files.update(map(_basename, paths))
            if species := _species(key):
                self._species.add(species)
            else:
                unread.append(key)
        self.unread = tuple(unread)

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
            natural_key: That of the source. If it can read file names of the list, images are found by what these
                mean, whatever the files are called today; else by texts in their keys that are such names.
            keys: The natural keys of its images.
        """
        if natural_key.from_listed is None:
            return {
                key for key in keys if any(self.match_file(part) for part in key if isinstance(part, str))
            }
        return set(self.listed_keys(natural_key).intersection(keys))

    def listed_keys(self, natural_key: NaturalKey) -> frozenset[Key]:
        """Return the keys of images that the file names of the list mean to a source; none if it cannot read them."""
        if natural_key not in self._meant:
            read = natural_key.from_listed
            self._meant[natural_key] = frozenset(filter(None, map(read, self._files)) if read else ())
        return self._meant[natural_key]

    def match_file(self, filename: str) -> bool:
        """Return whether a file of this name is on the list; folders before the name do not count."""
        return _basename(filename) in self._files

    def match_species(self, taxon: Taxon) -> bool:
        """Return whether genus and species are those of an excluded species; False if species may stay.

        The ranks above do not count: sources place one species in several families. Nor does how
        often the taxon was normalised, which each time takes a word that repeats the genus.
        """
        return self.with_species and _name(taxon) in self._species


def _basename(path: str) -> str:
    return path.rpartition("/")[2]


def _species(key: str) -> str:
    """Return the species that a key in either style names, or "" where it names none."""
    ranks = key.split("-", len(RANKS) - 1)  # an epithet may have a dash itself
    taxon = Taxon.of(*ranks) if len(ranks) == len(RANKS) else Taxon.of(species=key)
    return _name(taxon)


def _name(taxon: Taxon) -> str:
    """Return genus and species in a form that normalising leaves as it is, or "" where one of them is unknown."""
    genus, words = " ".join(taxon.genus.split()), taxon.species.split()
    while len(words) > 1 and words[0] == genus:
        del words[0]
    return f"{genus} {' '.join(words)}" if genus and words else ""
