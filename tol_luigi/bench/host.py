"""The machine and the packages that figures were measured with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from PIL import features

from tol_luigi.core.jpeg_decoding import decoder_name
from tol_luigi.core.resampling import kernel_name

__all__ = ["host", "host_lines"]

_PACKAGES = ("tol_luigi", "pillow", "simplejpeg", "webdataset", "isal", "pyarrow", "luigi")


def host() -> dict[str, Any]:
    """Return what the machine and the packages are; "-" is the version of a package that is not installed."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load": [round(value, 1) for value in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libjpeg_turbo": features.version("libjpeg_turbo"),
        "decoder": decoder_name(),
        "kernel": kernel_name(),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def host_lines(found: dict[str, Any]) -> list[str]:
    """Return the lines that show what :func:`host` has returned."""
    load = " ".join(map(str, found["load"]))
    return [
        f"host: {found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB; load {load}",
        f"{found['system']}, Python {found['python']}, libjpeg-turbo {found['libjpeg_turbo']}",
        f"decoder {found['decoder']}, kernel {found['kernel']}",
        ", ".join(f"{name} {version}" for name, version in found["packages"].items()),
    ]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "-"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
