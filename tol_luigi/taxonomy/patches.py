"""Curators' patches: statements about taxa that are checked, and made true if they are not.

A file of patches is a YAML list::

    - id: quiscalus-is-an-icterid
      evidence: https://example.org/issues/12
      note: A source has it in Corvidae.
      has_parent:
        taxon: {name: Quiscalus, descendant: Quiscalus mexicanus}
        parent: {name: Icteridae, ancestor: Aves}
    - id: ausus-is-extinct
      evidence: https://example.org/ausus
      is_extinct: Ausus

A taxon is a name, or a mapping of a ``name`` (or a ``source`` identifier such as ``ncbi:9606``) and what tells it from others
of the name. All values are texts, "nan", "no" and numbers too.

Source: the patches of the Open Tree (``doc/maintenance/patch.md``), which are programs.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NoReturn

import yaml

from tol_luigi.core.errors import TableError
from tol_luigi.taxonomy.ranks import LEVELS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Patch", "Statement", "TaxonRef", "read_patches"]


class Statement(enum.StrEnum):
    """What a patch says."""

    HAS_PARENT = "has_parent"
    """``taxon`` is a child of ``parent``."""
    SYNONYM_OF = "synonym_of"
    """The name of ``taxon`` is one of ``accepted``; if there are two taxa, they become one."""
    HAS_RANK = "has_rank"
    """``taxon`` has the ``rank``, which may be "no rank"."""
    IS_EXTINCT = "is_extinct"
    """No member of ``taxon`` is alive."""
    IS_EXTANT = "is_extant"
    """A member of ``taxon`` is alive, and so are all taxa above it."""
    HIDDEN = "hidden"
    """``taxon`` and what is in it is not shown."""
    NOT_SAME = "not_same"
    """``taxon`` and ``other`` are two taxa. This can be checked, but not be made true."""


_ROLES = {
    Statement.HAS_PARENT: ("taxon", "parent"),
    Statement.SYNONYM_OF: ("taxon", "accepted"),
    Statement.HAS_RANK: ("taxon", "rank"),
    Statement.IS_EXTINCT: ("taxon",),
    Statement.IS_EXTANT: ("taxon",),
    Statement.HIDDEN: ("taxon",),
    Statement.NOT_SAME: ("taxon", "other"),
}

_PROPERTIES = ("id", "evidence", "note")

NO_RANK = "no rank"
"""The rank of a patch that removes a rank."""


@dataclass(frozen=True)
class TaxonRef:
    """What identifies a taxon; "" for what is not said.

    Attributes:
        name: Its name, or a synonym.
        ancestor: A name of a taxon that it is in.
        descendant: A name of a taxon that is in it.
        witness: Another name of it, or one of a taxon that it is in or that is in it.
        rank: Its rank.
        source: Its identifier in a source, such as ``ncbi:9606``.
    """

    name: str = ""
    ancestor: str = ""
    descendant: str = ""
    witness: str = ""
    rank: str = ""
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names in it."""
        return tuple(filter(None, (self.name, self.ancestor, self.descendant, self.witness)))

    @property
    def is_bare(self) -> bool:
        """Whether there is a name only."""
        return self == TaxonRef(self.name)

    def __str__(self) -> str:
        """Return it for messages: ``Quiscalus (ancestor Aves)``."""
        known = ((each.name, getattr(self, each.name)) for each in fields(self)[1:])
        said = ", ".join(f"{key} {value}" for key, value in known if value)
        return f"{self.name} ({said})".strip() if said else self.name


@dataclass(frozen=True)
class Patch:
    """One statement.

    Attributes:
        uid: Its identifier, unique in the file.
        evidence: The address of what shows it.
        statement: What it says.
        taxon: Of which taxon.
        other: The other taxon that it is about, if any.
        rank: The rank, if it is about one; "" for no rank.
        note: A remark.
    """

    uid: str
    evidence: str
    statement: Statement
    taxon: TaxonRef
    other: TaxonRef | None = None
    rank: str = ""
    note: str = ""


def read_patches(path: Path) -> list[Patch]:
    """Return the patches of a YAML file, in its order.

    Raises:
        TableError: The file cannot be read, or an entry is not as described above.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(path, f"it cannot be read ({error})", "Check the setting and the file") from error
    except yaml.YAMLError as error:
        _raise_syntax(path, error)
    reader = _Reader(path)
    patches = [] if root is None else [reader.patch(node) for node in reader.entries(root)]
    seen: set[str] = set()
    for patch in patches:
        if patch.uid in seen:
            raise TableError(path, f"the id {patch.uid!r} occurs twice", "Give each patch an id of its own")
        seen.add(patch.uid)
    return patches


def _raise_syntax(path: Path, error: yaml.YAMLError) -> NoReturn:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    where = f"{path}, line {mark.line + 1}" if mark else str(path)
    raise TableError(
        where, f"this is not YAML ({problem})", "Correct the line or the one above it"
    ) from error


class _Reader:
    """Turns nodes of YAML into patches; scalars are texts as they are written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self, root: yaml.Node) -> list[yaml.Node]:
        if not isinstance(root, yaml.SequenceNode):
            self._refuse(root, "the file is not a list", "Begin each patch with a dash")
        return list(root.value)

    def patch(self, node: yaml.Node) -> Patch:
        values = self._mapping(node, [*_PROPERTIES, *_ROLES], "patch")
        statements = [Statement(key) for key in values if key not in _PROPERTIES]
        if len(statements) != 1:
            what = f"a patch needs one statement, but has {len(statements)}"
            self._refuse(node, what, f"Write one of {', '.join(_ROLES)}")
        texts = {key: self._text(values[key], key) for key in _PROPERTIES if key in values}
        for key in ("id", "evidence"):
            if not texts.get(key):
                self._refuse(node, f"the patch has no {key}", f"Add the key {key}")
        if not texts["evidence"].startswith(("http://", "https://")):
            what = f"evidence is {texts['evidence']!r}, which is no address"
            self._refuse(values["evidence"], what, "Write an address that begins with https://")
        (statement,) = statements
        return self._stated(statement, values[statement], texts)

    def _stated(self, statement: Statement, node: yaml.Node, texts: dict[str, str]) -> Patch:
        roles = _ROLES[statement]
        is_short = len(roles) == 1 and not self._has_key(node, "taxon")
        values = {"taxon": node} if is_short else self._mapping(node, roles, statement)
        for role in roles:
            if role not in values:
                self._refuse(node, f"{statement} has no {role}", f"Add the key {role}")
        rank = self._rank(values["rank"]) if "rank" in values else ""
        others = [self._taxon(values[role]) for role in roles[1:] if role != "rank"]
        return Patch(
            uid=texts["id"],
            evidence=texts["evidence"],
            statement=statement,
            taxon=self._taxon(values["taxon"]),
            other=others[0] if others else None,
            rank=rank,
            note=texts.get("note", ""),
        )

    def _taxon(self, node: yaml.Node) -> TaxonRef:
        if isinstance(node, yaml.ScalarNode):
            return TaxonRef(self._text(node, "name"))
        keys = [each.name for each in fields(TaxonRef)]
        texts = {key: self._text(value, key) for key, value in self._mapping(node, keys, "taxon").items()}
        if not texts.get("name") and not texts.get("source"):
            self._refuse(node, "a taxon has neither a name nor a source", "Add the key name")
        if "rank" in texts:
            self._rank(node, texts["rank"])
        return TaxonRef(**texts)

    def _rank(self, node: yaml.Node, text: str | None = None) -> str:
        rank = self._text(node, "rank") if text is None else text
        if rank not in LEVELS and rank != NO_RANK:
            self._refuse(
                node, f"rank is {rank!r}, which is none", f"Write one of {', '.join(LEVELS)}, {NO_RANK}"
            )
        return "" if rank == NO_RANK else rank

    def _text(self, node: yaml.Node, key: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self._refuse(node, f"{key} is not a text", "Write one value after the colon")
        return str(node.value).strip()

    def _mapping(self, node: yaml.Node, keys: tuple[str, ...] | list[str], what: str) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._refuse(
                node, f"{what} is not a mapping", f"Write keys and values; the keys are {', '.join(keys)}"
            )
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = self._text(key_node, "the key")
            if key not in keys:
                self._refuse(key_node, f"{key} is no key of a {what}", f"Write one of {', '.join(keys)}")
            if key in found:
                self._refuse(key_node, f"the key {key} occurs twice", "Remove one of them")
            found[key] = value
        return found

    @staticmethod
    def _has_key(node: yaml.Node, key: str) -> bool:
        return isinstance(node, yaml.MappingNode) and any(each.value == key for each, _ in node.value)

    def _refuse(self, node: yaml.Node, what: str, remedy: str) -> NoReturn:
        raise TableError(f"{self._path}, line {node.start_mark.line + 1}", what, remedy)
