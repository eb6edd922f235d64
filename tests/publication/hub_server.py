"""A stand-in of the Hugging Face Hub: as much of its HTTP interface as sending files to a dataset repository needs.

    python hub_server.py FOLDER

It has one repository, ``owner/name``, and takes the token ``hf_tests``. Files of Parquet, tar and SQLite are large ones,
which are sent before the commit that names them, and kept without one. What it writes to FOLDER, and how it cuts, is as in
``s3_server.py``.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

REPOSITORY = "owner/name"
API = f"/api/datasets/{REPOSITORY}"
LARGE = (".tar", ".parquet", ".sqlite")


class Hub:
    """The content of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, threading.Lock()
        self.objects: dict[str, bytes] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.commits: list[str] = []

    def commit(self, lines: list[dict[str, Any]]) -> None:
        """Apply the operations of a commit, all or none."""
        files = dict(self.files)
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "file":
                    content = base64.b64decode(value["content"])
                    blob = b"blob %d\0" % len(content) + content
                    oid = hashlib.sha1(blob, usedforsecurity=False).hexdigest()
                    files[value["path"]] = {"content": content, "oid": oid, "size": len(content)}
                case "lfsFile":
                    lfs = {"oid": value["oid"], "size": value["size"], "pointerSize": 130}
                    content = self.objects[value["oid"]]
                    files[value["path"]] = {
                        "content": content,
                        "oid": "0" * 40,
                        "size": value["size"],
                        "lfs": lfs,
                    }
                case "deletedFile":
                    del files[value["path"]]
        self.files = files
        with (self.folder / "commits").open("a") as log:
            log.write(json.dumps([line["value"]["path"] for line in lines if "path" in line["value"]]) + "\n")

    def info(self, path: str) -> dict[str, Any]:
        """Return what the API says of a file."""
        return {"type": "file", "path": path} | {
            key: value for key, value in self.files[path].items() if key != "content"
        }

    def cuts(self) -> bool:
        """Kill the client if its time has come."""
        cut = self.folder / "cut"
        if not cut.exists():
            return False
        left = int(cut.read_text()) - 1
        cut.write_text(str(left))
        if left:
            return False
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
        return True


class Handler(http.server.BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    @property
    def _is_allowed(self) -> bool:
        return self.headers.get("Authorization") == "Bearer hf_tests"

    def do_GET(self) -> None:
        """Serve trees, revisions and files."""
        path = unquote(urlsplit(self.path).path)
        if path.startswith(f"{API}/tree/"):
            self._answer([self.hub.info(path) for path in sorted(self.hub.files)])
        elif path.startswith(f"/datasets/{REPOSITORY}/resolve/main/"):
            file = self.hub.files.get(path.partition("/resolve/main/")[2])
            if file is None:
                self._answer({"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")
                return
            self._answer(file["content"], ETag=f'"{file["oid"]}"', X_Repo_Commit="1" * 40)
        elif path.startswith(API):
            self._answer({"id": REPOSITORY, "sha": "1" * 40, "siblings": []})
        else:
            self._answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")

    def do_HEAD(self) -> None:
        """Serve the same without a body."""
        self.do_GET()

    def do_PUT(self) -> None:
        """Receive a large file."""
        oid = self.path.rpartition("/")[2]
        with self.hub.lock:
            if self.hub.cuts():
                self.close_connection = True
                return
            body = self._body()
            assert hashlib.sha256(body).hexdigest() == oid
            with (self.hub.folder / "sent").open("a") as log:
                log.write(f"{oid}\t\t{len(body)}\n")
            self.hub.objects[oid] = body
        self._answer(b"")

    def do_POST(self) -> None:
        """Serve what is asked with a body."""
        body, path = self._body(), unquote(urlsplit(self.path).path)
        if path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif REPOSITORY not in path:
            self._answer({"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        elif path.startswith(f"{API}/paths-info/"):
            asked = json.loads(body)["paths"] if body[:1] == b"{" else parse_qs(body.decode())["paths"]
            self._answer([self.hub.info(path) for path in asked if path in self.hub.files])
        elif not self._is_allowed:
            self._answer({"error": "Invalid credentials in Authorization header"}, 401)
        elif path.startswith(f"{API}/preupload/"):
            asked = json.loads(body)["files"]
            modes = {file["path"]: "lfs" if file["path"].endswith(LARGE) else "regular" for file in asked}
            answers = [
                {"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": None}
                for name, mode in modes.items()
            ]
            self._answer({"files": answers})
        elif path.endswith("/info/lfs/objects/batch"):
            host = f"http://{self.headers['Host']}"
            self._answer(
                {
                    "transfer": "basic",
                    "objects": [
                        one
                        if one["oid"] in self.hub.objects
                        else one | {"actions": {"upload": {"href": f"{host}/objects/{one['oid']}"}}}
                        for one in json.loads(body)["objects"]
                    ],
                }
            )
        elif path.startswith(f"{API}/commit/"):
            with self.hub.lock:
                if self.hub.cuts():
                    self.close_connection = True
                    return
                self.hub.commit([json.loads(line) for line in body.splitlines()])
            url = f"http://{self.headers['Host']}/datasets/{REPOSITORY}/commit/1"
            self._answer({"commitUrl": url, "commitOid": "1" * 40})
        else:
            self._answer({"error": f"not known: {path}"}, 500)

    def log_message(self, *_: Any) -> None:
        """Write no log."""


def _serve(folder: Path) -> None:
    Handler.hub = Hub(folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    (folder / "port.new").write_text(str(server.server_port))
    (folder / "port.new").rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
