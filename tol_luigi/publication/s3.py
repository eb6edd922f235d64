"""Publish to S3, where the unit that is sent again after a cut is a part of a file.

Every request carries the SHA-256 of what it sends, so the store refuses what has changed on the way, and keeps it. Of a
file in parts S3 keeps the SHA-256 of the parts' SHA-256. So the metadata of each object has the SHA-256 of the file next
to that one, both from one reading: if the store's own checksum is the one in the metadata, the object is the file.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tol_luigi.publication.objects import StoreDestination

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tol_luigi.publication.destination import Progress
    from tol_luigi.publication.listed import PublishedFile

__all__ = ["S3Destination"]

_MOST_PARTS = 10_000
_OF_FILE, _OF_OBJECT = "sha256", "s3-checksum"
"""The keys of the metadata: the SHA-256 of the file, and the checksum that S3 has to keep."""


@dataclass(frozen=True)
class _Part:
    """A part of a file: number from 1, position and length, and its checksums."""

    number: int
    start: int
    size: int
    sha256: str
    md5: str


class S3Destination(StoreDestination):
    """A folder in a bucket.

    Args:
        name: Its URL.
        jobs: How many files are sent or compared at a time.
        files: The file system of s3fs.
        root: Bucket and prefix.
        part_size: The size of a part in bytes; larger if a file would have more parts than S3 allows.
    """

    def __init__(self, name: str, jobs: int, files: Any, root: str, part_size: int) -> None:  # noqa: ANN401 (fsspec is untyped)
        super().__init__(name, jobs, files, root)
        self.part_size = part_size
        self.bucket, _, self.prefix = self.root.partition("/")

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _call(self, method: str, name: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (as above)
        found: dict[str, Any] = self.files.call_s3(method, Bucket=self.bucket, Key=self._key(name), **fields)
        return found

    def is_same(self, file: PublishedFile) -> bool:
        """Return whether the object has this size, and by the checksum that S3 keeps this SHA-256; else read it."""
        try:
            found = self._call("head_object", file.name, ChecksumMode="ENABLED")
        except FileNotFoundError:
            return False
        if found["ContentLength"] != file.size:
            return False
        kept = found.get("ChecksumSHA256", "").partition("-")[0]
        metadata = found.get("Metadata", {})
        if kept and kept == _base64(bytes.fromhex(file.sha256)):
            return True
        if metadata.get(_OF_FILE, file.sha256) != file.sha256:
            return False
        if kept and _OF_OBJECT in metadata:
            return bool(metadata[_OF_OBJECT] == kept)
        return self.read_back(file.name) == file.sha256

    def send_file(self, file: PublishedFile, progress: Progress) -> None:
        """Send a file, in parts if it is larger than one; parts that have arrived are not sent again."""
        if file.size <= self.part_size:
            self._send_small(file)
            progress(file.size)
            return
        parts = self._parts(file)
        self._send_parts(file, parts, progress)
        if not self.is_same(file):  # the parts that had arrived began with another state of the file
            self._send_parts(file, parts, progress)

    def _send_small(self, file: PublishedFile) -> None:
        try:
            content = file.path.read_bytes()
        except FileNotFoundError as error:
            raise file.damage() from error
        digest = hashlib.sha256(content)
        if digest.hexdigest() != file.sha256:
            raise file.damage()
        kept = _base64(digest.digest())
        self._call(
            "put_object",
            file.name,
            Body=content,
            ChecksumAlgorithm="SHA256",
            ChecksumSHA256=kept,
            Metadata={_OF_FILE: file.sha256, _OF_OBJECT: kept},
        )

    def _parts(self, file: PublishedFile) -> list[_Part]:
        """Read a file, and return its parts.

        Raises:
            DamagedError: It is not the one in the manifest.
        """
        size = max(self.part_size, -(-file.size // _MOST_PARTS))
        whole, parts = hashlib.sha256(), list[_Part]()
        try:
            with file.path.open("rb") as content:
                while block := content.read(size):
                    whole.update(block)
                    md5 = hashlib.md5(block, usedforsecurity=False).hexdigest()
                    sha256 = _base64(hashlib.sha256(block).digest())
                    parts.append(_Part(len(parts) + 1, len(parts) * size, len(block), sha256, md5))
        except FileNotFoundError as error:
            raise file.damage() from error
        if whole.hexdigest() != file.sha256:
            raise file.damage()
        return parts

    def _send_parts(self, file: PublishedFile, parts: list[_Part], progress: Progress) -> None:
        upload, arrived = self._resumed(file.name, parts)
        if not upload:
            digests = b"".join(base64.b64decode(part.sha256) for part in parts)
            kept = _base64(hashlib.sha256(digests).digest())
            metadata = {_OF_FILE: file.sha256, _OF_OBJECT: kept}
            begun = self._call(
                "create_multipart_upload", file.name, ChecksumAlgorithm="SHA256", Metadata=metadata
            )
            upload = begun["UploadId"]
        with file.path.open("rb") as content:
            for part in parts:
                if part.number not in arrived:
                    content.seek(part.start)
                    sent = self._call(
                        "upload_part",
                        file.name,
                        UploadId=upload,
                        PartNumber=part.number,
                        Body=content.read(part.size),
                        ChecksumAlgorithm="SHA256",
                        ChecksumSHA256=part.sha256,
                    )
                    arrived[part.number] = sent["ETag"]
                progress(part.size)
        listed = [
            {"PartNumber": part.number, "ETag": arrived[part.number], "ChecksumSHA256": part.sha256}
            for part in parts
        ]
        self._call("complete_multipart_upload", file.name, UploadId=upload, MultipartUpload={"Parts": listed})

    def _resumed(self, name: str, parts: list[_Part]) -> tuple[str, dict[int, str]]:
        """Return the upload of a file that was cut, and the ETags of its parts; uploads of another content are given up."""
        by_number = {part.number: part for part in parts}
        chosen, arrived = "", dict[int, str]()
        for upload in self._uploads.pop(self._key(name), []):
            found = list(self._arrived(name, upload))
            fits = all(
                (part := by_number.get(one["PartNumber"])) is not None and _is_part(one, part)
                for one in found
            )
            if fits and found and not chosen:
                chosen, arrived = upload, {one["PartNumber"]: one["ETag"] for one in found}
            else:
                self._call("abort_multipart_upload", name, UploadId=upload)
        return chosen, arrived

    def _arrived(self, name: str, upload: str) -> Iterator[dict[str, Any]]:
        marker: dict[str, int] = {}
        while True:
            page = self._call("list_parts", name, UploadId=upload, **marker)
            yield from page.get("Parts", [])
            if not page.get("IsTruncated"):
                return
            marker = {"PartNumberMarker": page["NextPartNumberMarker"]}

    @functools.cached_property
    def _uploads(self) -> dict[str, list[str]]:
        """Return the ids of all uploads in parts that were cut, by key."""
        found: dict[str, list[str]] = {}
        marker: dict[str, str] = {}
        while True:
            page = self.files.call_s3(
                "list_multipart_uploads", Bucket=self.bucket, Prefix=self._key(""), **marker
            )
            for upload in page.get("Uploads", []):
                found.setdefault(upload["Key"], []).append(upload["UploadId"])
            if not page.get("IsTruncated"):
                return found
            marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _is_part(found: dict[str, Any], part: _Part) -> bool:
    """Return whether a part that has arrived is a part of the file, by its SHA-256 or else by its ETag."""
    if found["Size"] != part.size:
        return False
    if "ChecksumSHA256" in found:
        return bool(found["ChecksumSHA256"] == part.sha256)
    return bool(found["ETag"].strip('"') == part.md5)
