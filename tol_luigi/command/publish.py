"""``tol publish``: send the dataset to a folder, a store or the Hugging Face Hub."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from tol_luigi.core.exit_code import ExitCode
from tol_luigi.publication.publish import open_destination, plan_publication, publish
from tol_luigi.report.text import counted, human_bytes, printable
from tol_luigi.tasks.settings import settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from tol_luigi.publication.publish import PublicationPlan

__all__ = ["run"]

_MIB = 1 << 20


def run(given: argparse.Namespace) -> int:
    """Compare, send and verify; with ``--dry-run`` only compare."""
    layout = settings().layout
    destination = open_destination(
        given.destination, layout.directory, jobs=given.jobs, part_size=given.part_mib * _MIB
    )
    with _bar("compared") as bar:
        plan = plan_publication(layout, destination, bar.update)
    if given.dry_run:
        sys.stdout.write(_plan_json(plan) if given.json else _plan_text(plan, delete=given.delete))
        return ExitCode.COMPLETE
    with _bar("sent", plan.bytes) as bar:
        publish(plan, destination, bar.update, delete=given.delete)
    sys.stdout.write(
        _plan_json(plan) if given.json else _result_text(plan, destination.name, delete=given.delete)
    )
    return ExitCode.COMPLETE


def _bar(verb: str, total: int | None = None) -> tqdm[Any]:
    """Return a bar of bytes, shown on a terminal only."""
    return tqdm(desc=verb, total=total, unit="B", unit_scale=True, disable=None, leave=False)


def _summary(plan: PublicationPlan) -> str:
    same = len(plan.files) - len(plan.missing)
    return f"{counted(len(plan.missing), 'file')}, {human_bytes(plan.bytes)}; {same:,} unchanged"


def _unlisted(plan: PublicationPlan, *, delete: bool) -> list[str]:
    verb = "remove" if delete else "keep"
    return [f"{verb}  {name} (of an earlier publication, not of this dataset)" for name in plan.unlisted]


def _plan_text(plan: PublicationPlan, *, delete: bool) -> str:
    width = len(f"{max((file.size for file in plan.missing), default=0):,}")
    lines = [f"send  {file.size:>{width},}  {file.name}" for file in plan.missing]
    return _lines([*lines, *_unlisted(plan, delete=delete), f"To send: {_summary(plan)}"])


def _result_text(plan: PublicationPlan, name: str, *, delete: bool) -> str:
    lines = _unlisted(plan, delete=delete)
    return _lines([*lines, f"{name}: sent {_summary(plan)}. All are verified by checksum."])


def _lines(lines: Iterable[str]) -> str:
    """Return lines for a terminal; the names of files at the destination are those of others."""
    return "".join(f"{printable(line)}\n" for line in lines)


def _plan_json(plan: PublicationPlan) -> str:
    content = {
        "send": [{"path": file.name, "bytes": file.size, "sha256": file.sha256} for file in plan.missing],
        "bytes": plan.bytes,
        "unchanged": len(plan.files) - len(plan.missing),
        "unlisted": plan.unlisted,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
