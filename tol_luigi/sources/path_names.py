"""Names of taxa in the paths of images, such as ``Corvidae/Corvus_corax/1.jpg``."""

from __future__ import annotations

import re
from typing import NamedTuple

from tol_luigi.core.setting_kinds import Kind
from tol_luigi.core.split_groups import ImageHint
from tol_luigi.core.splits import GIVEN_SPLITS
from tol_luigi.core.taxon import RANK_LABELS

__all__ = ["GROUP", "SPLIT", "FolderPattern", "PathNames", "PathPattern"]

NAME = "name"
"""The field of a scientific name."""

SPLIT, GROUP = "split", "group"
"""The fields of a given split, and of a group that must not be divided between train and val."""

_TAXON_FIELDS = frozenset({*RANK_LABELS, NAME})
_FIELDS = frozenset({*_TAXON_FIELDS, SPLIT, GROUP})
_SPLIT_FORM = f"(?i:{'|'.join(GIVEN_SPLITS)})"
_BLANKS = re.compile(r"[_\s]+")


class PathNames(NamedTuple):
    """What a path says.

    Attributes:
        name: A scientific name, "" if the pattern has none.
        ranks: The seven ranks, "" if the pattern lacks a rank.
    """

    name: str
    ranks: tuple[str, ...]


class PathPattern:
    """A pattern of the folders that an image is in, such as ``{family}/{genus}_{species}``.

    It is compared with the last folders of a path, as many as it has parts. ``{name}`` is a scientific name, ``{}`` stands
    for anything. Blanks and underscores within a name count as blanks. ``{split}`` is a word of ``GIVEN_SPLITS``,
    ``{group}`` a group of images.

    Args:
        text: The pattern.

    Raises:
        ValueError: It has an unknown field, a field twice, or none that names a taxon.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = text.strip("/").split("/")
        self._depth = len(parts)
        self.fields: list[str] = []
        form = "/".join(self._part(part) for part in parts)
        fields = set(self.fields)
        if (
            not fields & _TAXON_FIELDS
            or len(fields) < len(self.fields)
            or (NAME in fields and fields & {"genus", "species"})
        ):
            raise ValueError(text)
        self._form = re.compile(form)

    def _part(self, part: str) -> str:
        """Return the regular expression of one part."""
        pieces = re.split(r"\{(\w*)\}", part)
        form = re.escape(pieces[0])
        for field, literal in zip(pieces[1::2], pieces[2::2], strict=True):
            if field and field not in _FIELDS:
                raise ValueError(self.text)
            # Shortest first, so that {genus}_{species} divides Corvus_corax_principalis after the genus.
            value = _SPLIT_FORM if field == SPLIT else "[^/]+?"
            form += f"(?P<{_group(field)}>{value})" if field else "[^/]*?"
            form += re.escape(literal)
            if field:
                self.fields.append(field)
        return form

    def match(self, path: str) -> PathNames | None:
        """Return what the folders of a path say, None if they have another form."""
        found = self._found(path)
        if found is None:
            return None
        values = {field: _BLANKS.sub(" ", found[_group(field)]).strip() for field in self.fields}
        return PathNames(values.get(NAME, ""), tuple(values.get(rank, "") for rank in RANK_LABELS))

    def hint(self, path: str) -> ImageHint:
        """Return the split and the group that the folders of a path give."""
        found = self._found(path)
        given = found.groupdict() if found else {}
        word, group = given.get(_group(SPLIT), ""), given.get(_group(GROUP), "")
        return ImageHint(GIVEN_SPLITS.get(word.lower(), ""), group)

    def _found(self, path: str) -> re.Match[str] | None:
        folders = path.split("/")[:-1]
        return self._form.fullmatch("/".join(folders[-self._depth :])) if folders else None


class FolderPattern(Kind):
    """A pattern of folders."""

    allowed = hint = (
        "folders with {name} (a scientific name), or {kingdom} to {species}, and if wanted {split}, {group}, and {} for anything, such as {split}/{family}/{genus}_{species}"
    )

    def parse(self, raw: str) -> str:
        """Return the text; raise ValueError if it is not a pattern."""
        return PathPattern(raw).text


def _group(field: str) -> str:
    return f"rank_{field}"  # class is a keyword in some places, and a group needs a name everywhere
