"""A hook of MkDocs: the pages of the site that are not in ``docs``, and the links to them.

Pages link to other files of the repository, as on a forge. The site has a page for each of these, with another path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

PAGES = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "bench.md": "bench/README.md",
    "luigi.cfg": "luigi.cfg",
}
"""The repository's file for each path on the site."""

_LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)\s]*)?\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in ``docs``."""
    for place, path in PAGES.items():
        files.append(File.generated(config, place, content=(ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page with links to where its targets are on the site."""
    del config, files
    folder = posixpath.dirname(_in_repository(page.file.src_uri))
    return _LINK.sub(lambda link: link[1] + _on_site(folder, link[2]) + link[3], markdown)


def _in_repository(place: str) -> str:
    return PAGES.get(place, f"docs/{place}")


def _on_site(folder: str, target: str) -> str:
    """Return a link of a page in a folder of the repository, as a link between pages of the site."""
    path = posixpath.normpath(posixpath.join(folder, target))
    places = {where: place for place, where in PAGES.items()}
    return places.get(path, path.removeprefix("docs/"))
