"""How many small faults in the code the unit tests notice: a seeded sample of mutants of ``core`` and ``store``.

Each mutant is a copy of the package with one place changed, and is killed if a test fails. The mutants are those of Cosmic
Ray, and calls left out; Cosmic Ray itself is not run, since it runs one command for all mutants, and here each mutant meets
only the tests that import its module.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import importlib
import json
import math
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import parso
from _table import show_host
from cosmic_ray.ast import ast_nodes
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE, FOLDERS = "tol_luigi", ("core", "store")
TESTS = ("core", "store", "sources", "report")
"""The folders of tests that start no process of the program."""

PRELOADED = (
    "pytest",
    "hypothesis",
    "numpy",
    "pyarrow.parquet",
    "pyarrow.compute",
    "PIL.Image",
    "peewee",
    "luigi",
)
PRELOADED += ("selenium.webdriver", "xdist.scheduler", "requests", "indexed_gzip", "isal.igzip", "webdataset")
"""What tests spend most of their start with. Each run is forked from a process that has these."""

OPTIONS = ("-x", "-q", "--no-header", "-p", "no:cacheprovider", "--hypothesis-profile=ci")
OPTIONS += ("-W", "ignore::pytest.PytestAssertRewriteWarning")
PASSED, FAILED = 0, 1
"""The exit codes of pytest that count; with any other, the mutant could not be imported."""

WAITING = 1800
"""Seconds after which a run ends in any case, as it may wait for something; much more than any takes on a busy machine."""

ASSERTING = {"frozen", "slots", "strict"}
"""Arguments of ``dataclass`` and ``zip`` that stop code that is wrong: with code that is right, they change nothing."""

MEMORY = 12 << 30
"""Bytes of address space for a run, so that an endless loop does not use up the memory of the machine."""


class RemoveCall(Operator):  # type: ignore[misc]  # Cosmic Ray ships no types
    """Leave out a call whose result is not used, such as a flush: Cosmic Ray has no such change."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
        """Yield the place of a statement that is a call."""
        if (
            node.type == "atom_expr"
            and node.parent.type == "simple_stmt"
            and node.children[-1].type == "trailer"
        ):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, _index: int) -> Any:  # noqa: ANN401
        """Return the statement that replaces it."""
        return parso.python.tree.Keyword("pass", node.start_pos, node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none; Cosmic Ray's own tests are not run on this."""
        return ()


@dataclass(frozen=True)
class Mutant:
    """A change of one place.

    Attributes:
        number: Its place among all mutants of the package, from 0.
        module: The path of the module below the root.
        operator: What kind of change it is.
        occurrence: Its place among the changes of this kind in the module, from 0.
        line: The line, from 1.
        column: The column, from 0.
    """

    number: int
    module: str
    operator: str
    occurrence: int
    line: int
    column: int

    @property
    def place(self) -> tuple[str, int, int]:
        """The place that is changed."""
        return self.module, self.line, self.column

    def source(self) -> str:
        """Return the module with the change; "" if Cosmic Ray cannot make it, as of a dotted name in ``except``."""
        tree = parso.parse((ROOT / self.module).read_text(encoding="utf-8"))
        operator, left = _operator(self.operator), self.occurrence
        for node in ast_nodes(tree):
            for index, _ in enumerate(operator.mutation_positions(node)):
                if not left:
                    with contextlib.suppress(AttributeError):
                        return _replaced(tree, node, operator.mutate(node, index))
                    return ""
                left -= 1
        raise LookupError(self)


def _replaced(tree: Any, node: Any, other: Any) -> str:  # noqa: ANN401
    """Return the code of a tree with one node replaced, or left out for None."""
    siblings = node.parent.children
    place = next(place for place, child in enumerate(siblings) if child is node)
    siblings[place : place + 1] = [] if other is None else [other]
    code: str = tree.get_code()
    return code


@functools.cache
def _operator(name: str) -> Any:  # noqa: ANN401
    return RemoveCall() if name == RemoveCall.__name__ else get_operator(name)()


def _operators() -> list[str]:
    """Name the kinds of changes: those of identity only where identity is asked for, as equal constants may be one object."""
    names = [name for name in operator_names() if not name.endswith(("VariableInserter", "VariableReplacer"))]
    identity = {"Is", "IsNot"}
    return sorted(
        name
        for name in [*names, RemoveCall.__name__]
        if "Comparison" not in name or len(identity & set(name.split("_")[1:])) != 1
    )


def _is_code(node: Any) -> bool:  # noqa: ANN401
    """Return whether a node is run and can change a result: no annotation, nothing for type checkers alone, nothing in a text.

    Nor is it an argument that only asserts something about the rest of the code: see ``ASSERTING``.
    """
    child = None
    while node is not None:
        is_annotation = (node.type == "annassign" and child is node.children[1]) or (
            node.type == "tfpdef" and child is node.children[2]
        )
        is_returned = node.type == "funcdef" and child is not None and child is node.annotation
        for_checkers = node.type == "if_stmt" and node.children[1].get_code().strip() == "TYPE_CHECKING"
        asserts = node.type == "argument" and node.children[0].get_code().strip() in ASSERTING
        if is_annotation or is_returned or for_checkers or asserts or node.type == "fstring":
            return False
        child, node = node, node.parent
    return True


def mutants() -> list[Mutant]:
    """List all mutants, by module and kind."""
    found: list[Mutant] = []
    for folder in FOLDERS:
        for path in sorted((ROOT / PACKAGE / folder).rglob("*.py")):
            nodes = list(ast_nodes(parso.parse(path.read_text(encoding="utf-8"))))
            for operator in _operators():
                occurrence = -1
                for node in nodes:
                    for (line, column), _ in _operator(operator).mutation_positions(node):
                        occurrence += 1
                        if _is_code(node):
                            module = path.relative_to(ROOT).as_posix()
                            found.append(Mutant(len(found), module, operator, occurrence, line, column))
    return found


def drawn(everything: list[Mutant], seed: int) -> list[Mutant]:
    """Return one mutant of each place, in an arbitrary order; any number of the first ones are a sample.

    Places are drawn, since an addition has eleven mutants and a condition only one.
    """
    places: dict[tuple[str, int, int], list[Mutant]] = defaultdict(list)
    for mutant in everything:
        places[mutant.place].append(mutant)
    chance = random.Random(seed)  # noqa: S311 (no secret)
    order = sorted(places)
    chance.shuffle(order)
    return [chance.choice(places[place]) for place in order]


def _imports(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, as paths below the root."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {f"{name.replace('.', '/')}.py" for name in names if name.startswith(PACKAGE)}
    return {file for file in files if (ROOT / file).exists()}


class Relevant:
    """Finds the tests of a module: that of its name, and those that import it, or else what imports it."""

    def __init__(self) -> None:
        files = sorted((ROOT / "tests").rglob("test_*.py"))
        self._all = {path.relative_to(ROOT).as_posix(): _imports(path) for path in files}
        self.tests = {path: found for path, found in self._all.items() if Path(path).parts[1] in TESTS}
        package = sorted((ROOT / PACKAGE).rglob("*.py"))
        self._modules = {path.relative_to(ROOT).as_posix(): _imports(path) for path in package}

    def to(self, module: str) -> list[str]:
        """List the tests, that of the module's name first."""
        near = {module}
        while near:
            found = {test for test, imported in self.tests.items() if imported & near}
            found |= self._named(module)
            if found:
                return sorted(found, key=lambda test: (test not in self._named(module), test))
            wider = near | {user for user, imported in self._modules.items() if imported & near}
            near = wider if wider != near else set()
        return []

    def _named(self, module: str) -> set[str]:
        """Return the tests of the module's name: in the folder of its name, or else in any other."""
        own, name = Path(module).parent.name, f"test_{Path(module).stem}.py"
        found = {path for path in self._all if Path(path).name == name}
        return {path for path in found if Path(path).parts[1] == own} or found


class Timer:
    """Kills a run if one of its tests takes too much processor time, as in an endless loop; a plugin of pytest."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self.pytest_runtest_logstart()  # what is imported has as much

    def pytest_runtest_logstart(self) -> None:
        """Start again for the next test."""
        signal.setitimer(signal.ITIMER_PROF, self.seconds)


class Copy:
    """A copy of the project in which tests are run."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self.root, self.seconds = folder / "copy", seconds
        ignored = shutil.ignore_patterns(".*", "build", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, self.root, ignore=ignored, symlinks=True)
        self._own = folder / "own"

    def test(self, tests: list[str], *, limited: bool = True) -> int:
        """Run tests; return the exit code of pytest, less than 0 if a test took more time than it may."""
        shutil.rmtree(self._own, ignore_errors=True)
        self._own.mkdir()
        child = os.fork()
        if not child:
            self._become_pytest(tests, limited=limited)
        ended, latest = 0, time.monotonic() + WAITING
        while not ended:
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended and limited and time.monotonic() > latest:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)
            time.sleep(0.02)
        return os.waitstatus_to_exitcode(status)

    def _become_pytest(self, tests: list[str], *, limited: bool) -> None:
        code = 70
        try:
            os.setsid()
            os.chdir(self.root)
            if limited:
                sys.dont_write_bytecode = True  # what is cached is of the code without a change
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            with (self._own / "output.txt").open("w") as output:
                for descriptor in (1, 2):
                    os.dup2(output.fileno(), descriptor)
                sys.path[:0] = [str(self.root)]
                os.environ |= {"PYTHONPATH": str(self.root), "TMPDIR": str(self._own)}
                tempfile.tempdir = None
                import pytest  # noqa: PLC0415 (loaded already)

                code = int(pytest.main([*OPTIONS, *tests], [Timer(self.seconds)] if limited else []))
        finally:
            os._exit(code)

    def said(self) -> str:
        """Return what the last run printed."""
        return (self._own / "output.txt").read_text(encoding="utf-8", errors="replace")

    def end(self, mutant: Mutant, source: str, tests: list[str]) -> str:
        """Return what becomes of a mutant: ``killed``, ``limit``, ``survived`` or ``no import``."""
        path = self.root / mutant.module
        path.write_text(source, encoding="utf-8")
        try:
            code = self.test(tests) if tests else PASSED
        finally:
            shutil.copy2(ROOT / mutant.module, path)
        if code < 0:
            return "limit"
        return {PASSED: "survived", FAILED: "killed"}.get(code, "no import")


def _change(mutant: Mutant, source: str) -> str:
    """Return the lines that a mutant changes, before and after."""
    before = (ROOT / mutant.module).read_text(encoding="utf-8").splitlines()
    after = source.splitlines()
    same = next(
        (n for n, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), len(after)
    )
    return f"{before[same].strip()}  ->  {after[same].strip() if same < len(after) else ''}"


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mutants", type=int, default=300, help="how many (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no mutant after so many")
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=int, default=15, help="of processor time for a test (default: %(default)s)"
    )
    parser.add_argument(
        "--unchecked", action="store_true", help="do not run all tests without a mutant first"
    )
    parser.add_argument("--numbers", type=int, nargs="+", help="these mutants and no others")
    parser.add_argument("--log", type=Path, help="a file to add a line of JSON to for each mutant")
    return parser.parse_args()


def _record(path: Path | None, line: dict[str, Any]) -> None:
    if path:
        with path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line, ensure_ascii=False) + "\n")


def main() -> None:
    """Run the sample, and print the score."""
    given = _arguments()
    everything = mutants()
    order = [everything[n] for n in given.numbers] if given.numbers else drawn(everything, given.seed)
    relevant = Relevant()
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    show_host()
    print(f"{len(everything)} mutants at {len({mutant.place for mutant in everything})} places", flush=True)
    ends: dict[str, Counter[str]] = {folder: Counter() for folder in FOLDERS}
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(Path(folder), given.seconds)
        if not given.unchecked and copy.test(sorted(relevant.tests), limited=False) != PASSED:
            sys.exit(f"The tests fail without any mutant:\n{copy.said()}")
        left, latest = given.mutants, time.monotonic() + 60 * given.minutes
        for mutant in order:
            if not left or time.monotonic() > latest:
                break
            source, tests = mutant.source(), relevant.to(mutant.module)
            if not (source and _compiles(source)):
                continue
            end, change = copy.end(mutant, source, tests), _change(mutant, source)
            _record(given.log, {**asdict(mutant), "end": end, "change": change, "tests": tests})
            if end == "survived":
                print(f"{mutant.number} {mutant.module}:{mutant.line} {change}", flush=True)
            ends[Path(mutant.module).parts[1]][end] += 1
            left -= end != "no import"
    show(ends)


def show(ends: dict[str, Counter[str]]) -> None:
    """Print how many mutants have come to which end, by folder; those that cannot be imported do not count."""
    print("\n| | mutants | a test fails | over the limit | survive | score |\n|---|---:|---:|---:|---:|---:|")
    for folder, counts in {**ends, "both": sum(ends.values(), Counter())}.items():
        killed, total = counts["killed"] + counts["limit"], counts.total() - counts["no import"]
        score = f"{100 * killed / total:.1f} %" if total else "-"
        print(
            f"| {folder} | {total} | {counts['killed']} | {counts['limit']} | {counts['survived']} | {score} |"
        )
    print(
        f"\n{sum(counts['no import'] for counts in ends.values())} more could not be imported, and do not count."
    )


if __name__ == "__main__":
    main()
