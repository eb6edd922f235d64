"""Read the checksum of a file from the headers of an HTTP response."""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

__all__ = ["response_checksum"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


def response_checksum(response: requests.Response) -> str:
    """Return a checksum of the complete file as ``sha256:`` or ``md5:`` and hexadecimal digits, or "".

    Source: ``X-Linked-ETag`` contains the SHA-256 of a large file in redirects of Hugging Face.
    ``Repr-Digest`` is RFC 9530, ``Digest`` is RFC 3230, and ``x-goog-hash`` is sent by Google Cloud Storage.
    """
    headers = response.headers
    linked = headers.get("X-Linked-ETag", "").removeprefix("W/").strip('"').lower()
    if _SHA256.fullmatch(linked):
        return f"sha256:{linked}"
    found = _digests(headers.get("Repr-Digest", "") or headers.get("Digest", ""))
    found += _digests(headers.get("x-goog-hash", ""))
    if response.status_code == HTTPStatus.OK and "Content-MD5" in headers:
        found += _digests(f"md5={headers['Content-MD5']}")
    return next((digest for kind in ("sha256", "md5") for digest in found if digest.startswith(kind)), "")


def _digests(header: str) -> list[str]:
    found = []
    for item in header.split(","):
        kind, _, value = item.strip().partition("=")
        kind = kind.lower().replace("sha-256", "sha256")
        with contextlib.suppress(binascii.Error, ValueError):
            raw = base64.b64decode(value.strip(":"), validate=True)
            if (kind, len(raw)) in {("sha256", 32), ("md5", 16)}:
                found.append(f"{kind}:{raw.hex()}")
    return found
