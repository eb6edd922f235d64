"""What can become of an image: every image of a source ends in exactly one state."""

from __future__ import annotations

import enum

__all__ = ["State"]


class State(enum.StrEnum):
    """The end of an image, in the order in which the stages can leave it out."""

    # found by the scan of a source
    BAD_ARCHIVE = "bad_archive"
    """An archive that is not whole, left out as a whole because the settings say so."""
    NO_IMAGE = "no_image"
    """A file or folder that is no image by its name, such as README.txt or an empty class folder."""
    BAD_NAME = "bad_name"
    """An image whose name, or whose place, tells neither what it is nor which one."""
    UNSAFE = "unsafe"
    """A link that leads nowhere or out of its archive, a device, or a name that leads out of it."""
    # found by the mapping
    DUPLICATE_NAME = "duplicate_name"
    """An image whose natural key an earlier one already has."""
    NOT_IN_MAPPING = "not_in_mapping"
    """An image that the published mapping does not list."""
    MISSING = "missing"
    """An image that the published mapping lists and no source holds."""
    # found by the names and the exclusions
    NO_TAXON = "no_taxon"
    """An image nothing is known of: no rank at all."""
    EXCLUDED_IMAGE = "excluded_image"
    """An image of a benchmark."""
    EXCLUDED_SPECIES = "excluded_species"
    """An image of a species that a benchmark keeps unseen."""
    DUPLICATE = "duplicate"
    """An image whose bytes are those of another one, dropped because the settings say so."""
    # found when the picture is opened
    TOO_LARGE = "too_large"
    """A picture of more pixels, a file of more bytes, or one that takes more memory, than is safe to open."""
    UNREADABLE = "unreadable"
    """A file that no picture can be made of; or one that could not be read and was skipped, until it can be."""
    UNSUPPORTED_DEPTH = "unsupported_depth"
    """A picture of more than 8 bits per channel of which 8 bits would show nearly nothing."""
    TRUNCATED = "truncated"
    """A picture that breaks off, dropped because the settings say so."""
    WRITTEN = "written"
    """A sample in a shard."""
