"""What scans of listings that were made up would leave besides: the settings stored, and a receipt of each listing."""

from __future__ import annotations

from pathlib import Path

from _table import in_a_process, peak_mib

from tol_luigi.bench.measure import processor_seconds


def leave_receipts(settings: Path) -> None:
    """Leave them in a dataset, in a process that reads its settings."""
    in_a_process(Path(__file__), LUIGI_CONFIG_PATH=str(settings))


def main() -> None:
    """Write the receipts."""
    import tol_luigi  # noqa: PLC0415 (it reads the settings that the environment names)

    tol_luigi.StoreSettings().run()
    for scan in tol_luigi.MakeMapping().requires():
        scan.write_sightings()
        scan.write_receipt(scan.inputs())


if __name__ == "__main__":
    main()
    print(processor_seconds(), peak_mib())
