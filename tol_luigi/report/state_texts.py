"""The states of images in a few words."""

from __future__ import annotations

from tol_luigi.core.ledger import State

__all__ = ["STATE_TEXTS"]

STATE_TEXTS = {
    State.BAD_ARCHIVE: "a truncated or damaged archive, skipped",
    State.NO_IMAGE: "not an image by its name",
    State.BAD_NAME: "a name that does not identify the image",
    State.UNSAFE: "a link or name that leads out of its archive, or to nothing",
    State.NOT_SELECTED: "left out by the selection of its source",
    State.NOT_FETCHED: "not received from its server",
    State.DUPLICATE_NAME: "the natural key of an earlier image",
    State.NOT_IN_MAPPING: "not listed by the mapping or the labels",
    State.MISSING: "listed, but in no source",
    State.NO_TAXON: "no known rank",
    State.EXCLUDED_IMAGE: "an image of a benchmark",
    State.EXCLUDED_SPECIES: "a species that a benchmark reserves",
    State.DUPLICATE: "an exact duplicate of another image",
    State.IN_OTHER_SOURCE: "kept from another source",
    State.TOO_LARGE: "too many pixels or bytes",
    State.UNREADABLE: "cannot be decoded or read",
    State.UNSUPPORTED_DEPTH: "more than 8 bits per channel",
    State.TRUNCATED: "pixels are missing",
    State.TAKEN_DOWN: "somebody has asked to take it out",
    State.LICENSE_NOT_ALLOWED: "a licence that the settings do not allow",
    State.WRITTEN: "a sample in a shard",
}
