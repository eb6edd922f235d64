"""Image ids: the same image gets the same id on every machine."""

from __future__ import annotations

import hashlib
import uuid

__all__ = ["NAMESPACE", "image_id", "keyed_order"]

NAMESPACE = uuid.UUID("6f0c4f3e-7f0b-5a53-9d0e-2b0a3f6c1d84")
"""The namespace of all ids made here. Never to be changed: every id follows from it."""


def image_id(source: str, natural_key: str) -> str:
    """Make the id of an image: a version 5 UUID of its source and its natural key.

    Args:
        source: The source's name.
        natural_key: What tells the image from all others of its source, such as
            ``12784812/51655800`` (EOL: content id and page id).
    """
    return str(uuid.uuid5(NAMESPACE, f"{source}/{natural_key}"))


def keyed_order(seed: int, purpose: str, image: str) -> int:
    """Give an image its place in one of the dataset's fixed, arbitrary orders.

    A keyed hash (BLAKE2b, 64 bits) stands where others draw random numbers: it does not
    depend on the order of the images, on the machine or on how many workers there are.

    Args:
        seed: The dataset's seed; another seed gives an unrelated order.
        purpose: What the order is for, at most 16 bytes; another purpose gives an unrelated order.
        image: The image id.
    """
    digest = hashlib.blake2b(
        image.encode(), digest_size=8, key=str(seed).encode(), person=purpose.encode()
    ).digest()
    return int.from_bytes(digest, "big")
