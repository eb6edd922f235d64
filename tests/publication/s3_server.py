"""A server of S3 in a process of its own, moto's, that records what it is sent and can end its client in the middle.

    python s3_server.py FOLDER

It writes its port to ``FOLDER/port`` and a line for each request that sends a body to ``FOLDER/sent``. If there is a file
``FOLDER/cut`` with a number and a file ``FOLDER/pid``, it kills that process when the request with this number comes, and
does not serve it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class Recorder:
    """Wraps an application: records, and cuts."""

    def __init__(self, application: Any, folder: Path) -> None:
        self.application, self.folder, self.lock = application, folder, threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Serve a request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        if environ["REQUEST_METHOD"] == "PUT" and path.count("/") > 1:
            with self.lock:
                if self._cut():
                    start("503 Slow Down", [])
                    return [b""]
                part = query.partition("partNumber=")[2].partition("&")[0]
                with (self.folder / "sent").open("a") as log:
                    log.write(f"{path}\t{part}\t{length}\n")
        answer: Iterable[bytes] = self.application(environ, start)
        return answer

    def _cut(self) -> bool:
        cut = self.folder / "cut"
        if not cut.exists():
            return False
        left = int(cut.read_text()) - 1
        cut.write_text(str(left))
        if left > 0:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)
        return True


def _serve(folder: Path) -> None:
    from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415
    from werkzeug.serving import make_server  # noqa: PLC0415

    application = Recorder(DomainDispatcherApplication(create_backend_app), folder)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    (folder / "port.new").write_text(str(server.server_port))
    (folder / "port.new").rename(folder / "port")
    server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
