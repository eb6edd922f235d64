"""The final states of images: every image of a source ends in exactly one state."""

from __future__ import annotations

import enum

__all__ = ["WITHHELD", "State"]


class State(enum.StrEnum):
    """The final state of an image, in the order of the stages that can exclude it."""

    # found by the scan of a source
    BAD_ARCHIVE = "bad_archive"
    """An incomplete archive, which is skipped completely because of the settings."""
    NO_IMAGE = "no_image"
    """A file or folder whose name is not an image name, such as README.txt or an empty class folder."""
    BAD_NAME = "bad_name"
    """An image whose name or location identifies neither the taxon nor the image."""
    UNSAFE = "unsafe"
    """A link to a missing target or out of the archive, a device, or a name that leads out of the archive."""
    NOT_SELECTED = "not_selected"
    """An image that the selection in the settings of its source leaves out."""
    NOT_FETCHED = "not_fetched"
    """An image by URL whose server gave no image: the reason begins with the state of the URL."""
    # found by the mapping
    DUPLICATE_NAME = "duplicate_name"
    """An image with the same natural key as an earlier one."""
    NOT_IN_MAPPING = "not_in_mapping"
    """An image that the published mapping does not list."""
    MISSING = "missing"
    """An image that the published mapping lists, but no source contains."""
    # found by the names and the exclusions
    NO_TAXON = "no_taxon"
    """An image without any known rank."""
    EXCLUDED_IMAGE = "excluded_image"
    """An image of a benchmark."""
    EXCLUDED_SPECIES = "excluded_species"
    """An image of a species that a benchmark reserves as unseen."""
    DUPLICATE = "duplicate"
    """An exact duplicate of another image, dropped because of the settings."""
    IN_OTHER_SOURCE = "in_other_source"
    """An image that another source has, too, which is preferred by the settings."""
    # found when the image is opened
    TOO_LARGE = "too_large"
    """An image with too many pixels or bytes, or one that takes too much memory to open."""
    UNREADABLE = "unreadable"
    """A file that cannot be decoded, or that could not be read and is skipped until it can be read."""
    UNSUPPORTED_DEPTH = "unsupported_depth"
    """An image with more than 8 bits per channel that would be nearly black in 8 bits."""
    TRUNCATED = "truncated"
    """A truncated image, dropped because of the settings."""
    TAKEN_DOWN = "taken_down"
    """An image that somebody has asked to take out of the dataset."""
    LICENSE_NOT_ALLOWED = "license_not_allowed"
    """An image whose licence the settings do not allow."""
    WRITTEN = "written"
    """A sample in a shard."""


WITHHELD = frozenset({State.TAKEN_DOWN, State.LICENSE_NOT_ALLOWED})
"""The states of usable images that are left out of their shard, where no other image takes their place."""
