"""Write Croissant metadata: what dataset search engines and loaders know of a dataset, as JSON-LD.

Source: the Croissant format specification 1.1, whose context is part of every file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tol_luigi.core.receipts import FileRecord
from tol_luigi.core.samples import IMAGE_FORMATS, ImageFormat
from tol_luigi.report.shard_index import SHARD_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tol_luigi.core.shards import Shard
    from tol_luigi.report.publication import Publication

__all__ = ["OWN_LICENSES", "creators", "croissant"]

OWN_LICENSES = "Each image keeps the licence of its owner: see licenses.csv"
"""The licence of a dataset that names none."""

_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}

_WHOLE = "sc:Integer"
_TEXT = "sc:Text"
_SHARD_TYPES = {"samples": _WHOLE, "bytes": _WHOLE}


def croissant(
    published: Publication,
    columns: Mapping[str, type],
    tables: Mapping[str, FileRecord],
    shards: Mapping[str, Sequence[Shard]],
    folder: str,
    *,
    image: ImageFormat = IMAGE_FORMATS["jpeg"],
) -> dict[str, Any]:
    """Return the metadata: every file with its checksum, and record sets of catalog, shards and images.

    The catalog lists images of ``train_small`` twice, so its key is split and id. The images have a record set for each
    split, whose key is the id.

    Args:
        published: What the settings say of the dataset.
        columns: The columns of the catalog with the type of their values: int, str or list.
        tables: Size and checksum of ``catalog.parquet`` and ``shards.csv``.
        shards: The shards by split.
        folder: The folder of tables and splits, relative to that of the metadata.
        image: The format of the images.
    """
    files = [
        _file("catalog.parquet", folder, tables["catalog.parquet"], "application/x-parquet"),
        _file("shards.csv", folder, tables["shards.csv"], "text/csv"),
    ]
    sets = [_catalog(columns), _shards()]
    for split, each in shards.items():
        names = [f"{split}/{shard.name}" for shard in each]
        for name, shard in zip(names, each, strict=True):
            record = FileRecord(shard.size, shard.sha256)
            files.append(_file(name, folder, record, "application/x-tar"))
        files.append(_images_of(split, names, image))
        sets.append(_images(split, image))
    return {"@context": _CONTEXT, **_about(published), "distribution": files, "recordSet": sets}


def _about(published: Publication) -> dict[str, Any]:
    fields = {
        "name": published.name,
        "alternateName": published.title,
        "description": published.description or published.heading,
        "license": published.license or OWN_LICENSES,
        "creator": creators(published.authors),
        "citeAs": published.citation,
        "version": published.version,
        "datePublished": published.date,
        "url": published.url,
        "sameAs": f"https://doi.org/{published.doi}" if published.doi else "",
        "keywords": ["biology", "biodiversity", "taxonomy", "images", "WebDataset"],
    }
    known = {key: value for key, value in fields.items() if value}
    return {"@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.1", **known}


def creators(authors: Sequence[str]) -> list[dict[str, str]]:
    """Return authors in the terms of schema.org: ``Family, Given`` is a person, other names are organisations."""
    return [
        {"@type": "sc:Person", "name": f"{given} {family}", "givenName": given, "familyName": family}
        if comma and given and family
        else {"@type": "sc:Organization", "name": author}
        for author in authors
        for family, comma, given in [tuple(map(str.strip, author.partition(",")))]
    ]


def _file(name: str, folder: str, record: FileRecord, encoding: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": f"{folder}/{name}",
        "contentSize": f"{record.bytes} B",
        "encodingFormat": encoding,
        "sha256": record.sha256,
    }


def _images_of(split: str, names: Sequence[str], image: ImageFormat) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": _file_set(split, image),
        "name": _file_set(split, image),
        "description": f"The images in the shards of {split}.",
        "containedIn": [{"@id": name} for name in names],
        "encodingFormat": image.media_type,
        "includes": f"*.{image.extension}",
    }


def _file_set(split: str, image: ImageFormat) -> str:
    return f"{split}-{image.extension}"


def _catalog(columns: Mapping[str, type]) -> dict[str, Any]:
    fields = [
        {
            **_column("catalog", name, _WHOLE if kind is int else _TEXT, "catalog.parquet"),
            **({"repeated": True} if kind is list else {}),
        }
        for name, kind in columns.items()
    ]
    keys = [{"@id": "catalog/split"}, {"@id": "catalog/treeoflife_id"}]
    return _record_set("catalog", "One record for each sample of each split.", keys, fields)


def _shards() -> dict[str, Any]:
    fields = [_column("shards", name, _SHARD_TYPES.get(name, _TEXT), "shards.csv") for name in SHARD_COLUMNS]
    return _record_set("shards", "One record for each shard.", {"@id": "shards/path"}, fields)


def _images(split: str, image: ImageFormat) -> dict[str, Any]:
    files = {"@id": _file_set(split, image)}
    regex = {"regex": rf"^(.+)\.{image.extension}$"}
    key = {"fileSet": files, "extract": {"fileProperty": "filename"}, "transform": regex}
    fields = [
        _field(split, "id", _TEXT, key),
        _field(split, "image", "sc:ImageObject", {"fileSet": files, "extract": {"fileProperty": "content"}}),
    ]
    text = f"The images of {split}; the catalog has their names."
    return _record_set(split, text, {"@id": f"{split}/id"}, fields)


def _record_set(name: str, description: str, key: Any, fields: list[Any]) -> dict[str, Any]:  # noqa: ANN401 (JSON is any)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "key": key,
        "field": fields,
    }


def _column(record_set: str, name: str, kind: str, file: str) -> dict[str, Any]:
    return _field(record_set, name, kind, {"fileObject": {"@id": file}, "extract": {"column": name}})


def _field(record_set: str, name: str, kind: str, source: dict[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "dataType": kind,
        "source": source,
    }
