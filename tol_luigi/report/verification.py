"""What a verification has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Verification", "verification_figures", "verification_text"]


@dataclass(frozen=True)
class Verification:
    """The figures of a verification.

    Attributes:
        dataset: The dataset's folder.
        level: How closely its shards were looked at.
        begun: What tells it from earlier verifications.
        shards: How many shards the receipts name.
        samples: How many samples they hold.
        size: Bytes of these shards.
        seconds: Since the command was given.
        findings: The path of each file with which something is wrong, as ``shard``, and ``what`` that is.
    """

    dataset: Path
    level: str
    begun: str
    shards: int
    samples: int
    size: int
    seconds: float
    findings: Sequence[dict[str, str]]

    @property
    def concerned(self) -> list[str]:
        """The files that findings are about, each once."""
        return list(dict.fromkeys(finding["shard"] for finding in self.findings))


def verification_figures(verification: Verification) -> dict[str, Any]:
    """Give all figures, for programs."""
    return {
        "level": verification.level,
        "begun": verification.begun,
        "shards": verification.shards,
        "samples": verification.samples,
        "bytes": verification.size,
        "seconds": round(verification.seconds, 1),
        "findings": list(verification.findings),
    }


def verification_text(verification: Verification, *, closing: bool = False) -> str:
    """Write what was found, for people.

    Args:
        verification: The figures.
        closing: Whether to leave the findings out, as in the last lines of a command.
    """
    given = verification
    lines = [
        f"Dataset {given.dataset}, level {given.level}",
        f"{given.shards:,} shards, {given.samples:,} samples, {given.size:,} bytes, in {given.seconds:.1f} s",
        _conclusion(given),
    ]
    if given.findings and not closing:
        lines += ["", *(f"{finding['shard']}: {finding['what']}" for finding in given.findings)]
    return "\n".join(lines) + "\n"


def _conclusion(given: Verification) -> str:
    if not given.findings:
        return "no findings: the dataset is what its receipts say"
    return f"findings: {len(given.findings):,}, files concerned: {len(given.concerned):,}"
