"""What becomes of a URL: one state with its reason."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from typing import IO, NamedTuple

__all__ = ["OF_SERVERS", "RECEIVED", "RESIZED", "Outcome", "StoredImage", "StoredPart", "UrlState"]


class UrlState(enum.StrEnum):
    """The state of a URL."""

    FETCHED = "fetched"
    """An image was received."""
    GONE = "gone"
    """The server has no such image (404, 410)."""
    FORBIDDEN = "forbidden"
    """The server does not give the image to us (401, 403, 451)."""
    REFUSED = "refused"
    """The server was asked too often (429), and so at each try."""
    OPTED_OUT = "opted_out"
    """The server asks that the image is not used for machine learning (``X-Robots-Tag: noai`` or ``noimageai``)."""
    NOT_AN_IMAGE = "not_an_image"
    """The content is something else, such as a page in HTML."""
    EMPTY = "empty"
    """The content is empty."""
    WRONG_LENGTH = "wrong_length"
    """The connection ended before the content was complete, at each try."""
    WRONG_CONTENT = "wrong_content"
    """The content does not have the checksum in the listing."""
    TOO_LARGE = "too_large"
    """The content is larger than the settings allow."""
    TIMED_OUT = "timed_out"
    """The server took too long, at each try."""
    TOO_MANY_REDIRECTS = "too_many_redirects"
    """The server redirects in a circle, or too often."""
    PRIVATE_ADDRESS = "private_address"
    """The URL, or a redirect, leads to an address that is not public."""
    BAD_URL = "bad_url"
    """The URL, or a redirect, is not one of http or https."""
    NO_ADDRESS = "no_address"
    """The name of the server has no address (DNS)."""
    BAD_CERTIFICATE = "bad_certificate"
    """No safe connection to the server is possible (TLS)."""
    HTTP_ERROR = "http_error"
    """The server answers with another error."""
    SERVER_DOWN = "server_down"
    """The server cannot be reached, or was not asked for this URL since it could not be reached for others."""


OF_SERVERS = (
    UrlState.SERVER_DOWN,
    UrlState.REFUSED,
    UrlState.TIMED_OUT,
    UrlState.NO_ADDRESS,
    UrlState.BAD_CERTIFICATE,
    UrlState.WRONG_LENGTH,
    UrlState.HTTP_ERROR,
)
"""The states that come from servers, not from images: another time may differ."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a URL.

    Attributes:
        state: The state.
        reason: The reason as text, "" for an image.
        code: The HTTP status, 0 if there was no answer.
        bytes: The size of the content.
        sha256: The SHA-256 of the content, "" if there is none.
        md5: The MD5 of the content.
        type: The type that the server declares.
        ending: The ending for the format of the content, such as ``.jpg``.
        tries: The number of requests for this URL.
        seconds: The seconds from the first request to the last byte.
    """

    state: UrlState
    reason: str = ""
    code: int = 0
    bytes: int = 0
    sha256: str = ""
    md5: str = ""
    type: str = ""
    ending: str = ""
    tries: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """State and reason as one text."""
        return f"{self.state}: {self.reason}" if self.reason else str(self.state)


RECEIVED, RESIZED = "", "resized"
"""The values of ``stored``, besides ``CUT``."""


class StoredImage(NamedTuple):
    """What an archive contains of an image.

    Attributes:
        content: The content of the file.
        stored: How it differs from what was received: ``RECEIVED``, ``RESIZED`` or ``CUT``.
        width: The width of what was received, in pixels; None if it is not recorded.
        height: The height of what was received.
    """

    content: bytes
    stored: str = RECEIVED
    width: int | None = None
    height: int | None = None


class StoredPart(NamedTuple):
    """Where a file contains a stored image.

    Attributes:
        offset: The place of its first byte.
        size: The size of its content.
        image: The image without its content.
    """

    offset: int
    size: int
    image: StoredImage

    def read(self, file: IO[bytes]) -> StoredImage:
        """Return the image, from the file."""
        return self.image._replace(content=os.pread(file.fileno(), self.size, self.offset))
