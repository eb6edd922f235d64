"""Servers of images on addresses of loopback, in a process of their own: as cheap as possible, so that clients are measured."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_END = b"\r\n\r\n"


class _Origin(asyncio.Protocol):
    """Answers every request with one of the images, by the number in its path."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers, self.received = answers, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        *requests, self.received = (self.received + data).split(_END)
        for request in requests:
            number = int(request.split(b" ", 2)[1].rpartition(b"/")[2].partition(b".")[0])
            self.transport.write(self.answers[number % len(self.answers)])
            if b"connection: close" in request.lower():
                self.transport.close()


async def _serve(images: Sequence[bytes], addresses: Sequence[str]) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n"
    answers = [head.format(len(image)).encode() + image for image in images]
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: _Origin(answers), address, 0, backlog=512) for address in addresses
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the parent closes it


@contextmanager
def origins(images: Sequence[bytes], addresses: Sequence[str], folder: Path) -> Iterator[list[str]]:
    """Run a server on each address while the block runs; give their URLs, to which a path such as ``/17.jpg`` is added.

    Args:
        images: What they send: one of them, by the number in the path.
        addresses: Addresses of loopback.
        folder: An empty folder, for the images.
    """
    for number, image in enumerate(images):
        (folder / f"{number:04d}.jpg").write_bytes(image)
    command = [sys.executable, __file__, str(folder), *addresses]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        ports = child.stdout.readline().split() if child.stdout else []
        try:
            yield [f"http://{address}:{port}" for address, port in zip(addresses, ports, strict=True)]
        finally:
            if child.stdin:
                child.stdin.close()


if __name__ == "__main__":
    stored = sorted(Path(sys.argv[1]).iterdir())
    asyncio.run(_serve([path.read_bytes() for path in stored], sys.argv[2:]))
