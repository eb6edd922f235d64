"""SQL expressions on the columns of samples, validated before anything is computed."""

from __future__ import annotations

import importlib
import json
import re
from typing import TYPE_CHECKING, Any

from tol_luigi.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

__all__ = ["RULE_FORM", "connect", "parse_rules", "validate_expression"]

RULE_FORM = "<name> = <SQL expression>, such as blurry = blur_lapvar < 20"
"""The form of a line of ``[filter] rules``."""

_RULE = re.compile(r"([a-z][a-z0-9_]*)\s*=(?!=)\s*(\S.*)")

_REFUSED = {
    "SUBQUERY": "a query in it",
    "PARAMETER": "a parameter",
    "STAR": "*",
    "WINDOW": "a window function",
}
"""The parts of SQL that an expression cannot have."""

_TYPES = {
    "BOOLEAN": ("BOOLEAN", "BOOLEAN"),
    "DOUBLE": (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL.*|BOOLEAN", "a number"),
}
"""By type, a pattern of the types of DuckDB that become one, and its name in messages."""


def connect() -> Any:  # noqa: ANN401 (DuckDB is optional)
    """Return a new connection to DuckDB.

    Raises:
        SettingsError: DuckDB is not installed.
    """
    try:
        duckdb = importlib.import_module("duckdb")
    except ImportError as error:
        remedy = "Install it: pip install 'tol_luigi[duckdb]'"
        raise SettingsError("duckdb", "the package is not installed", remedy) from error
    return duckdb.connect()


def parse_rules(lines: Iterable[str]) -> dict[str, str]:
    """Return the expressions of rules by name, in order.

    Raises:
        ValueError: A line has a wrong form, or a name occurs twice.
    """
    rules: dict[str, str] = {}
    for line in lines:
        match = _RULE.fullmatch(line)
        if match is None:
            raise ValueError(f"{line!r} is not of the form {RULE_FORM}")
        name, expression = match.groups()
        if name in rules:
            raise ValueError(f"{name} is the name of two rules")
        rules[name] = expression
    return rules


def validate_expression(where: str, expression: str, columns: pa.Schema, kind: str) -> None:
    """Raise an error unless an expression can be computed from columns, row by row, and always to the same value.

    Args:
        where: The setting in messages.
        expression: The expression, in SQL.
        columns: The columns.
        kind: The type of its value: ``BOOLEAN`` or ``DOUBLE``, which is any number.

    Raises:
        SettingsError: It cannot.
    """
    duckdb, connection = importlib.import_module("duckdb"), connect()
    shown = f"{where} = {expression}"
    nodes = list(_nodes(_parsed(shown, expression, connection)))
    _validate_parts(shown, nodes)
    _validate_names(shown, nodes, columns)
    _validate_functions(shown, nodes, connection)
    connection.register("empty", columns.empty_table())
    try:
        connection.execute("CREATE TABLE samples AS SELECT * FROM empty")
        # A condition can contain neither aggregates nor what changes the number of rows.
        connection.execute(f"SELECT 1 FROM samples WHERE (\n{expression}\n) IS NOT NULL")  # noqa: S608 (validated)
        described = connection.execute(f"DESCRIBE SELECT (\n{expression}\n) FROM samples").fetchone()  # noqa: S608
    except duckdb.Error as error:
        raise SettingsError(shown, _first_line(error), "Correct the expression") from error
    if not re.fullmatch(_TYPES[kind][0], found := described[1]):
        what = f"its value is {found}, not {_TYPES[kind][1]}"
        raise SettingsError(shown, what, "Correct the expression")


def _parsed(where: str, expression: str, connection: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """Return the tree of an expression."""
    query = f"SELECT (\n{expression}\n)"
    tree = json.loads(connection.execute("SELECT json_serialize_sql(?)", [query]).fetchone()[0])
    remedy = "Write one SQL expression"
    if tree["error"]:
        raise SettingsError(where, tree["error_message"], remedy)
    node = tree["statements"][0]["node"]
    if len(tree["statements"]) > 1 or len(node.get("select_list", ())) != 1:
        raise SettingsError(where, "it is not a single expression", remedy)
    return node["select_list"][0]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 (JSON is any)
    """Yield the nodes of a tree."""
    if isinstance(tree, dict):
        if "class" in tree:
            yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _nodes(value)


def _validate_parts(where: str, nodes: Sequence[dict[str, Any]]) -> None:
    for node in nodes:
        if refused := _REFUSED.get(node["class"]):
            remedy = "Use columns, constants, operators and functions only"
            raise SettingsError(where, f"it cannot contain {refused}", remedy)


def _validate_names(where: str, nodes: Sequence[dict[str, Any]], columns: pa.Schema) -> None:
    if any(node["class"] == "LAMBDA" for node in nodes):
        return  # its parameters look like columns
    known = {name.lower() for name in columns.names}
    for node in nodes:
        if node["class"] == "COLUMN_REF":
            first, *others = node["column_names"]
            name = others[0] if first == "samples" and others else first
            if name.lower() not in known:
                remedy = f"Valid are {', '.join(columns.names)}"
                raise SettingsError(where, f"there is no column {name}", remedy)


def _validate_functions(where: str, nodes: Sequence[dict[str, Any]], connection: Any) -> None:  # noqa: ANN401
    """Raise an error if a function does not always return the same value, such as ``random``."""
    found = connection.execute(
        "SELECT function_name FROM duckdb_functions() GROUP BY 1 "
        "HAVING bool_or(stability = 'VOLATILE' OR stability = 'CONSISTENT_WITHIN_QUERY') "
        "AND NOT bool_or(coalesce(stability, '') = 'CONSISTENT')"
    ).fetchall()
    unstable = {name for (name,) in found}
    for node in nodes:
        if node["class"] == "FUNCTION" and node["function_name"].lower() in unstable:
            what = f"{node['function_name']} does not always return the same value"
            raise SettingsError(where, what, "Use a function of columns only")


def _first_line(error: Exception) -> str:
    """Return the reason of an error of DuckDB, without its kind and its excerpt of the query."""
    line = str(error).partition("\n")[0]
    return (line.partition(": ")[2] or line).rstrip("!.")
