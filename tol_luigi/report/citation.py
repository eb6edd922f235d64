"""Write the citation file of a dataset, which GitHub and reference managers read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tol_luigi.report.croissant import creators

if TYPE_CHECKING:
    from tol_luigi.report.publication import Publication

__all__ = ["citation_text"]

_MESSAGE = "If you use this dataset, please cite it, and the owners of the images that you show."

_ANONYMOUS = "The makers of the dataset"


def citation_text(published: Publication) -> str:
    """Return the content of ``CITATION.cff``.

    The format requires an author: without any, it is whoever has made the dataset.

    Source: Citation File Format 1.2.0.
    """
    fields: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": _MESSAGE,
        "type": "dataset",
        "title": published.heading,
        "abstract": published.description,
        "authors": [_author(one) for one in creators(published.authors or [_ANONYMOUS])],
        "version": published.version,
        "date-released": published.date,
        "url": published.url,
        "doi": published.doi,
        "license": published.license_id,
        "license-url": published.license_url,
        "keywords": ["biodiversity", "taxonomy", "images"],
    }
    known = {key: value for key, value in fields.items() if value}
    return yaml.safe_dump(known, sort_keys=False, allow_unicode=True, width=10_000)


def _author(creator: dict[str, str]) -> dict[str, str]:
    if "familyName" in creator:
        return {"family-names": creator["familyName"], "given-names": creator["givenName"]}
    return {"name": creator["name"]}
