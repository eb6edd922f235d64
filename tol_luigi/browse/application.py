"""The web application: the page, its data as JSON, and the images. It only reads."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado.routing import HostMatches, Rule, RuleRouter
from tornado.web import Application, HTTPError, RequestHandler, StaticFileHandler

from tol_luigi.browse.query import Query
from tol_luigi.core.errors import TolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from tol_luigi.browse.opened import BrowsedDataset

__all__ = ["application"]

_STATIC = Path(__file__).parent / "static"

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_MOST_ROWS = 500
"""The most rows of one answer."""

_ONE_YEAR = 365 * 24 * 60 * 60
"""How long a browser may keep an image, in seconds: its address changes with the dataset."""


class _Handler(RequestHandler):
    """What all answers have in common: headers, and errors of one line."""

    SUPPORTED_METHODS = ("GET", "HEAD")

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-cache")

    def write_error(self, status_code: int, **_: Any) -> None:  # noqa: ANN401 (tornado's)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(self.SUPPORTED_METHODS))
        self.finish(f"{self._reason}\n")


class _Refused(_Handler):
    """Answers requests for other hosts: pages of other sites whose name leads to this machine."""

    def prepare(self) -> None:
        raise HTTPError(HTTPStatus.MISDIRECTED_REQUEST, reason="Unknown host")


class _Unknown(_Handler):
    """Answers addresses that do not exist."""

    def prepare(self) -> None:
        raise HTTPError(HTTPStatus.NOT_FOUND)


class _PageHandler(StaticFileHandler, _Handler):
    """Serves the page, its scripts and its style."""

    SUPPORTED_METHODS = _Handler.SUPPORTED_METHODS

    def set_extra_headers(self, path: str) -> None:
        del path
        self.set_header("Cache-Control", "no-cache")  # its files change with the program


class _DataHandler(_Handler):
    """Answers from the datasets, in a thread, so that a long query does not block the others."""

    def initialize(self, datasets: Sequence[BrowsedDataset], executor: Executor) -> None:
        """Set what is shared."""
        self.datasets, self._executor = datasets, executor

    def prepare(self) -> None:
        """Refuse requests of pages of other sites; programs do not send the header."""
        if self.request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
            raise HTTPError(HTTPStatus.FORBIDDEN, reason="Requests from other sites are not allowed")

    async def head(self, *parts: str) -> None:
        """Answer like GET; the body is not sent."""
        if (handled := self.get(*parts)) is not None:
            await handled

    async def answer(self, compute: Callable[[], Any]) -> Any:  # noqa: ANN401 (what it computes)
        """Return what a function returns, computed in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, compute)

    async def answer_json(self, compute: Callable[[], Any]) -> None:
        """Send what a function returns as JSON; an error of the dataset or of the query as one line."""
        try:
            content = await self.answer(compute)
        except TolError as error:
            self.send_text(HTTPStatus.BAD_REQUEST, str(error))
            return
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.finish(json.dumps(content, allow_nan=False, default=str))

    def send_text(self, status: HTTPStatus, text: str) -> None:
        """Send text."""
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(f"{text}\n")

    def dataset(self, name: str) -> BrowsedDataset:
        """Return the dataset with the number in a field of the address."""
        return self.datasets[self.number(name, len(self.datasets))]

    @property
    def other(self) -> BrowsedDataset | None:
        """The dataset to compare with, if any."""
        return self.dataset("other") if self.get_query_argument("other", "") else None

    def number(self, name: str, below: int) -> int:
        """Return a number in a field of the address, 0 if it is missing."""
        text = self.get_query_argument(name, "0")
        if not (text.isascii() and text.isdecimal() and int(text[:12]) < below):
            raise HTTPError(HTTPStatus.BAD_REQUEST, reason=f"Wrong number: {name}")
        return int(text)

    @property
    def search_query(self) -> Query:
        """The query in the address; tornado's own getter replaces control characters, which names may contain."""
        given = self.request.query_arguments.items()
        return Query.of({name: values[-1].decode(errors="replace") for name, values in given})


class _DatasetsHandler(_DataHandler):
    async def get(self) -> None:
        """Send the datasets."""
        await self.answer_json(
            lambda: [
                {
                    "name": each.dataset.path.name,
                    "path": str(each.dataset.path),
                    "key": each.key,
                    "samples": each.dataset.splits,
                }
                for each in self.datasets
            ]
        )


class _RowsHandler(_DataHandler):
    async def get(self) -> None:
        """Send some rows of a query, and how many it has."""
        dataset, other, query = self.dataset("d"), self.other, self.search_query
        start, count = self.number("from", 2**31), self.number("count", _MOST_ROWS + 1)

        def page() -> Mapping[str, Any]:
            total, rows = dataset.page(query, start, count, other)
            return {"total": total, "from": start, "rows": rows}

        await self.answer_json(page)


class _CountsHandler(_DataHandler):
    async def get(self) -> None:
        """Send how many images of a query there are by split, source, state and taxon."""
        dataset, other, query = self.dataset("d"), self.other, self.search_query
        await self.answer_json(lambda: dataset.search(other).counts(query))


class _LifeHandler(_DataHandler):
    async def get(self) -> None:
        """Send all that is known of the image of a row or id."""
        dataset, image = self.dataset("d"), self.get_query_argument("id", "")
        given = self.number("row", dataset.index.rows) if not image else 0

        def life() -> Mapping[str, Any]:
            row = dataset.index.row_of(image) if image else given
            return dataset.life(row) if row >= 0 else {"record": None, "faults": []}

        await self.answer_json(life)


class _LicenseHandler(_DataHandler):
    async def get(self) -> None:
        """Send the licence of the image of a row; null if its source publishes none."""
        dataset = self.dataset("d")
        row = self.number("row", dataset.index.rows)
        await self.answer_json(lambda: dataset.license(row))


class _ImageHandler(_DataHandler):
    async def get(self, key: str, row: str) -> None:
        """Send the image file of a row; else what is wrong, and the complete error, in one line each."""
        dataset = next((each for each in self.datasets if each.key == key), None)
        if dataset is None or int(row) >= dataset.index.rows:
            raise HTTPError(HTTPStatus.NOT_FOUND)
        try:
            content = await self.answer(lambda: dataset.pictures.image_file(dataset.index.record(int(row))))
        except TolError as error:
            self.send_text(HTTPStatus.NOT_FOUND, f"{error.what}\n{error}")
            return
        self.set_header("Content-Type", dataset.image_format.media_type)
        self.set_header("Cache-Control", f"private, max-age={_ONE_YEAR}, immutable")
        self.finish(content)


def application(datasets: Sequence[BrowsedDataset], hosts: str, executor: Executor) -> RuleRouter:
    """Return the application.

    Args:
        datasets: The datasets, by number in addresses.
        hosts: A pattern of the host names that requests may be for. A page of another site can have its own
            name lead to this machine, but its requests then contain that name.
        executor: Runs what takes long.
    """
    shared = {"datasets": datasets, "executor": executor}
    routes: list[Any] = [
        (r"/api/datasets", _DatasetsHandler, shared),
        (r"/api/rows", _RowsHandler, shared),
        (r"/api/counts", _CountsHandler, shared),
        (r"/api/life", _LifeHandler, shared),
        (r"/api/license", _LicenseHandler, shared),
        (r"/image/([0-9a-f]{16})/([0-9]{1,10})", _ImageHandler, shared),
        (r"/()", _PageHandler, {"path": str(_STATIC), "default_filename": "index.html"}),
        (r"/static/([a-z_]+\.(?:js|css|svg))", _PageHandler, {"path": str(_STATIC)}),
    ]
    known = Application(routes, default_handler_class=_Unknown, compress_response=True)
    refused = Application(default_handler_class=_Refused)
    return RuleRouter([Rule(HostMatches(f"(?:{hosts})"), known), Rule(HostMatches(".*"), refused)])
