"""The door of luigid: nothing of its page, its API, its figures or the logs without the password."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING, Any

from tornado.routing import Router
from tornado.web import Application, RequestHandler, StaticFileHandler

from tol_luigi.cluster.run import USER

if TYPE_CHECKING:
    from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest

__all__ = ["Guard", "LogHandler"]


class _Refusal(RequestHandler):
    def prepare(self) -> None:
        self.set_status(401)
        self.set_header("WWW-Authenticate", 'Basic realm="luigid", charset="UTF-8"')
        self.finish("The password is needed.\n")


class _CrossSite(RequestHandler):
    def prepare(self) -> None:
        self.set_status(403)
        self.finish("Another site has no business here.\n")


class LogHandler(StaticFileHandler):
    """What a task has said, as text."""

    def get_content_type(self) -> str:
        """Have browsers show it, whatever its name."""
        return "text/plain; charset=utf-8"


class Guard(Router):
    """Lets through who knows the password, to anything; and no other page of the same browser.

    Args:
        within: What is guarded.
        password: The password, or "" where there is none.
    """

    def __init__(self, within: Application, password: str) -> None:
        login = base64.b64encode(f"{USER}:{password}".encode()).decode()
        self._within, self._wanted = within, f"Basic {login}" if password else ""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:  # noqa: ANN401
        """Choose who answers."""
        given = request.headers.get("Authorization", "")
        if self._wanted and not hmac.compare_digest(given.encode(), self._wanted.encode()):
            return self._within.get_handler_delegate(request, _Refusal)
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.path.startswith("/api/"):
            return self._within.get_handler_delegate(request, _CrossSite)
        return self._within.find_handler(request, **kwargs)
