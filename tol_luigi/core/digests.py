"""Digests of what files are made from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["json_digest"]


def json_digest(content: Any) -> str:  # noqa: ANN401 (JSON is any)
    """Return the SHA-256 of some content as JSON; the order of the keys of objects does not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
