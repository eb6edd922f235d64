"""Report the findings of a verification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.report.text import counted, human_seconds, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Verification", "verification_figures", "verification_text"]


@dataclass(frozen=True)
class Verification:
    """The results of a verification.

    Attributes:
        dataset: The folder of the dataset.
        level: The level at which the shards were verified.
        begun: A mark that distinguishes this verification from earlier ones.
        shards: The number of shards in the receipts.
        samples: The number of samples in these shards.
        size: The bytes of these shards.
        seconds: The seconds since the start of the command.
        findings: The damaged files: their path as ``shard``, and the damage as ``what``.
        notes: What has not been verified, one per line.
    """

    dataset: Path
    level: str
    begun: str
    shards: int
    samples: int
    size: int
    seconds: float
    findings: Sequence[dict[str, str]]
    notes: Sequence[str] = ()

    @property
    def files(self) -> list[str]:
        """The files with findings, without repetition."""
        return list(dict.fromkeys(finding["shard"] for finding in self.findings))


def verification_figures(verification: Verification) -> dict[str, Any]:
    """Return the results as JSON."""
    return {
        "level": verification.level,
        "begun": verification.begun,
        "shards": verification.shards,
        "samples": verification.samples,
        "bytes": verification.size,
        "seconds": round(verification.seconds, 1),
        "findings": list(verification.findings),
        "notes": list(verification.notes),
    }


def verification_text(verification: Verification, *, closing: bool = False) -> str:
    """Return the results as text.

    Args:
        verification: The results.
        closing: Whether to omit the findings, as in the last lines of a command.
    """
    checked = [
        counted(verification.shards, "shard"),
        counted(verification.samples, "sample"),
        counted(verification.size, "byte"),
    ]
    lines = [
        f"Dataset {verification.dataset}, level {verification.level}",
        f"{', '.join(checked)}, in {human_seconds(verification.seconds)}",
        _conclusion(verification),
        *(line for note in verification.notes for line in wrapped(note)),
    ]
    if verification.findings and not closing:
        lines += ["", *(f"{finding['shard']}: {finding['what']}" for finding in verification.findings)]
    return "\n".join(lines) + "\n"


def _conclusion(verification: Verification) -> str:
    if not verification.findings:
        return "no findings: the dataset matches its receipts"
    return f"findings: {len(verification.findings):,}, files affected: {len(verification.files):,}"
