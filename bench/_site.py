"""A web server for benches: it gives one file, in ranges if asked, without touching the bytes itself."""

from __future__ import annotations

import contextlib
import http.server
import os
import re
import sys


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Take no notice of clients that go."""
        with contextlib.suppress(OSError):
            super().handle()

    def do_GET(self) -> None:
        """Send the file or a range of it."""
        with open(sys.argv[1], "rb") as file:  # noqa: PTH123 (as fast as can be)
            size = os.fstat(file.fileno()).st_size
            asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            start, stop = 0, size
            if asked:
                start, stop = int(asked[1]), min(size, int(asked[2] or size) + 1)
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
            else:
                self.send_response(200)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("ETag", f'"{size}"')
            self.send_header("Content-Length", str(stop - start))
            self.end_headers()
            self.wfile.flush()
            try:
                while start < stop:
                    start += os.sendfile(self.connection.fileno(), file.fileno(), start, stop - start)
            except OSError:
                self.close_connection = True


def main() -> None:
    """Print the port, and serve until killed."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
