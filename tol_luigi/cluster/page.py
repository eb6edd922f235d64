"""Luigi's page with its faults fixed: what data puts there is text, and what changes something is posted."""

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

__all__ = ["PLACE", "PageHandler", "content_policy", "scripts"]

PLACE = "/static/visualiser/"
"""Where luigid serves the page."""

_AS_TEXT = "function (data, type) { return type === 'display' ? escapeHtml(String(data)) : data; }"

_FIXES: Mapping[str, Mapping[str, str]] = {
    "js/luigi.js": {'method: "GET"': 'method: "POST"'},
    "js/visualiserApp.js": {
        # the message of a task, refreshed twice a second; and the answer of a task to a message
        '$("#statusMessageModal pre").html(data.statusMessage)': '$("#statusMessageModal pre").text(data.statusMessage)',
        "$responseContent.html(response)": "$responseContent.text(response)",
        # cells of the table of tasks, which DataTables takes for HTML
        "{data: 'taskName'}": f"{{data: 'taskName', render: {_AS_TEXT}}}",
        "{data: 'priority', width: \"2em\"}": f"{{data: 'priority', width: \"2em\", render: {_AS_TEXT}}}",
        "'</div><div>' + row.resources + '</div>'": "'</div><div>' + escapeHtml(row.resources) + '</div>'",
        # nodes of the graph, and what is shown over them
        "data-task-id='\" + task.taskId + \"'>": "data-task-id='\" + escapeHtml(task.taskId) + \"'>",
        '"<span class=name>"+task.name+"</span>"': '"<span class=name>"+escapeHtml(String(task.name))+"</span>"',
        '<span class=counter>"+ task.status +"</span>': '<span class=counter>"+ escapeHtml(String(task.status)) +"</span>',
        '"<p class=\'name\'>" + name + "</p><p class=\'description\'>" + description + "</p>"': (
            '"<p class=\'name\'>" + escapeHtml(String(name)) + "</p>'
            '<p class=\'description\'>" + escapeHtml(String(description)) + "</p>"'
        ),
        # links of tasks, which may be scripts
        "trackingUrl: task.tracking_url": (
            r"trackingUrl: /^(https?:\/\/|\/)/i.test(task.tracking_url) ? task.tracking_url : null"
        ),
    },
    "js/graph.js": {"var titleText = node.name": "var titleText = escapeHtml(String(node.name))"},
}
"""What is replaced in the scripts of Luigi's page; each text is there once."""

_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def _read(name: str) -> bytes:
    return files("luigi").joinpath(f"static/visualiser/{name}").read_bytes()


def scripts() -> dict[str, str]:
    """Return the scripts of the page that are fixed, by their places below :data:`PLACE`.

    Raises:
        SettingsError: This release of Luigi has other scripts.
    """
    fixed = {}
    for name, changes in _FIXES.items():
        text = _read(name).decode()
        for old, new in changes.items():
            if text.count(old) != 1:
                patches.refuse(f"{name} of its page is not what it was")
            text = text.replace(old, new)
        fixed[name] = text
    return fixed


def content_policy() -> str:
    """Return the content security policy of the page: no scripts but its own, and no frames around it.

    Should data become HTML in a place that :data:`_FIXES` lacks, it runs nothing.
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
        """Take the scripts."""
        self._scripts = scripts

    def get(self, name: str) -> None:
        """Send one of them."""
        self.set_header("Content-Type", "text/javascript; charset=UTF-8")
        self.finish(self._scripts[name])
