"""Luigi's page with two fixes: data is shown as text, not as HTML, and changes are sent with POST."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING

from tornado.web import RequestHandler

from tol_luigi.cluster import patches

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PAGE_PATH", "PageHandler", "content_policy", "scripts"]

PAGE_PATH = "/static/visualiser/"
"""The URL path of the page at luigid."""

_AS_TEXT = "function (data, type) { return type === 'display' ? escapeHtml(String(data)) : data; }"

_FIXES: Mapping[str, Mapping[str, str]] = {
    "js/luigi.js": {'method: "GET"': 'method: "POST"'},
    "js/visualiserApp.js": {
        # the message of a task, refreshed twice per second; and the answer of a task to a message
        '$("#statusMessageModal pre").html(data.statusMessage)': '$("#statusMessageModal pre").text(data.statusMessage)',
        "$responseContent.html(response)": "$responseContent.text(response)",
        # cells of the table of tasks, which DataTables treats as HTML
        "{data: 'taskName'}": f"{{data: 'taskName', render: {_AS_TEXT}}}",
        "{data: 'priority', width: \"2em\"}": f"{{data: 'priority', width: \"2em\", render: {_AS_TEXT}}}",
        "'</div><div>' + row.resources + '</div>'": "'</div><div>' + escapeHtml(row.resources) + '</div>'",
        # nodes of the graph and their tooltips
        "data-task-id='\" + task.taskId + \"'>": "data-task-id='\" + escapeHtml(task.taskId) + \"'>",
        '"<span class=name>"+task.name+"</span>"': '"<span class=name>"+escapeHtml(String(task.name))+"</span>"',
        '<span class=counter>"+ task.status +"</span>': '<span class=counter>"+ escapeHtml(String(task.status)) +"</span>',
        '"<p class=\'name\'>" + name + "</p><p class=\'description\'>" + description + "</p>"': (
            '"<p class=\'name\'>" + escapeHtml(String(name)) + "</p>'
            '<p class=\'description\'>" + escapeHtml(String(description)) + "</p>"'
        ),
        # links of tasks, which may contain scripts
        "trackingUrl: task.tracking_url": (
            r"trackingUrl: /^(https?:\/\/|\/)/i.test(task.tracking_url) ? task.tracking_url : null"
        ),
    },
    "js/graph.js": {"var titleText = node.name": "var titleText = escapeHtml(String(node.name))"},
}
"""Replacements in the scripts of Luigi's page; each text to replace occurs once."""

_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def _read(name: str) -> bytes:
    return files("luigi").joinpath(f"static/visualiser/{name}").read_bytes()


def scripts() -> dict[str, str]:
    """Return the fixed scripts of the page by their paths below :data:`PAGE_PATH`.

    Raises:
        SettingsError: The scripts of this release of Luigi differ.
    """
    fixed = {}
    for name, changes in _FIXES.items():
        text = _read(name).decode()
        for old, new in changes.items():
            if text.count(old) != 1:
                patches.raise_unsupported(f"{name} of its page differs from")
            text = text.replace(old, new)
        fixed[name] = text
    return fixed


def content_policy() -> str:
    """Return the content security policy of the page: only its own scripts, and no framing.

    If data becomes HTML in a place that :data:`_FIXES` misses, its scripts do not run.
    """
    digests = (hashlib.sha256(inline).digest() for inline in _INLINE.findall(_read("index.html")))
    own = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'self'; script-src 'self' {own}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


class PageHandler(RequestHandler):
    """Serves the fixed scripts."""

    def initialize(self, scripts: Mapping[str, str]) -> None:
        """Set the scripts."""
        self._scripts = scripts

    def get(self, name: str) -> None:
        """Send a script."""
        self.set_header("Content-Type", "text/javascript; charset=UTF-8")
        self.finish(self._scripts[name])
