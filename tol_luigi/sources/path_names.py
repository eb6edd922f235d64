"""Names of taxa in the paths of images, such as ``Corvidae/Corvus_corax/1.jpg``."""

from __future__ import annotations

import re
from typing import NamedTuple

from tol_luigi.core.setting_kinds import Kind
from tol_luigi.core.taxon import RANK_LABELS

__all__ = ["FolderPattern", "PathNames", "PathPattern"]

NAME = "name"
"""The field of a scientific name."""

_FIELDS = (*RANK_LABELS, NAME)
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
    for anything. Blanks and underscores within a value count as blanks.

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
        if not fields or len(fields) < len(self.fields) or (NAME in fields and fields & {"genus", "species"}):
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
            form += f"(?P<{_group(field)}>[^/]+?)" if field else "[^/]*?"
            form += re.escape(literal)
            if field:
                self.fields.append(field)
        return form

    def match(self, path: str) -> PathNames | None:
        """Return what the folders of a path say, None if they have another form."""
        folders = path.split("/")[:-1]
        found = self._form.fullmatch("/".join(folders[-self._depth :])) if folders else None
        if found is None:
            return None
        values = {field: _BLANKS.sub(" ", found[_group(field)]).strip() for field in self.fields}
        return PathNames(values.get(NAME, ""), tuple(values.get(rank, "") for rank in RANK_LABELS))


class FolderPattern(Kind):
    """A pattern of folders."""

    allowed = "folders with {name} (a scientific name), or {kingdom} to {species}, and {} for anything, such as {family}/{genus}_{species}"

    def parse(self, raw: str) -> str:
        """Return the text; raise ValueError if it is not a pattern."""
        return PathPattern(raw).text


def _group(field: str) -> str:
    return f"rank_{field}"  # class is a keyword in some places, and a group needs a name everywhere
