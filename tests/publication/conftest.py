"""Destinations on this machine, and publications that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent

PART = 32 << 10
"""The size of parts in the tests, so that shards have several."""


@pytest.fixture(scope="session")
def small_build(build_once: Callable[..., Path], shared: Path) -> Path:
    """The smallest source, built: few files, but shards of all splits."""
    tables = shared / "sample" / "metadata"
    source = {
        "images": shared / "sample" / "bioscan",
        "metadata": tables / "bioscan" / "BIOSCAN_Insect_Dataset_metadata.jsonld",
    }
    dataset = {"root": "out", "tag": "small", "val_percent": 10, "train_small_percent": 15}
    chains = {"chains": tables / "itis" / "species_level_taxonomy_chains.csv"}
    return build_once(
        "published-build",
        {
            "dataset": dataset,
            "shards": {"max_samples": 4},
            "report": {"page": "false"},
            "bioscan": source,
            "itis": chains,
        },
    )


class Server:
    """A server in a process of its own, with a folder that it is controlled by."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    @property
    def sent(self) -> list[tuple[str, str, int]]:
        """What has been sent so far: path, part and length."""
        log = self.folder / "sent"
        lines = log.read_text().splitlines() if log.exists() else []
        return [(path, part, int(length)) for path, part, length in (line.split("\t") for line in lines)]

    @property
    def environment(self) -> dict[str, str]:
        """The address and credentials as libraries of S3 take them."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def cut(self, number: int) -> None:
        """Have the client killed by the request with this number from now on that sends something."""
        (self.folder / "cut").write_text(str(number))

    def serve_all(self) -> None:
        """Cut no more."""
        (self.folder / "cut").unlink(missing_ok=True)


def _serving(program: str, folder: Path, **environment: str) -> Iterator[Server]:
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", HERE / program, folder],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        ) as process,
    ):
        try:
            while not (folder / "port").exists():
                assert process.poll() is None, (folder / "log").read_text()
                time.sleep(0.02)
            yield Server(folder, f"http://127.0.0.1:{(folder / 'port').read_text()}")
        finally:
            process.kill()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of S3 that has a bucket ``datasets``, which everybody may read."""
    folder = tmp_path_factory.mktemp("s3")
    for server in _serving("s3_server.py", folder, S3_UPLOAD_PART_MIN_SIZE="1"):
        import requests  # noqa: PLC0415

        assert requests.put(f"{server.url}/datasets", timeout=60).ok
        reading = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::datasets/*",
        }
        policy = {"Version": "2012-10-17", "Statement": [reading]}
        assert requests.put(f"{server.url}/datasets?policy", json.dumps(policy), timeout=60).ok
        yield server


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A stand-in of the Hugging Face Hub."""
    yield from _serving("hub_server.py", tmp_path_factory.mktemp("hub"))


@dataclass
class Publisher:
    """Publishes by a process that forks."""

    process: subprocess.Popen[str]
    folder: Path
    part_size = PART

    def __call__(
        self,
        dataset: Path,
        destination: str,
        *,
        pid: Path | None = None,
        kill_at: int = 0,
        delete: bool = False,
        **environment: str,
    ) -> tuple[int, str]:
        """Publish, and be killed with -9 after a number of bytes if one is given; return the exit code and what was written."""
        assert self.process.stdin
        assert self.process.stdout
        given: dict[str, Any] = {
            "dataset": str(dataset),
            "destination": destination,
            "part_size": PART,
            "environment": environment,
            "pid": str(pid or self.folder / "pid"),
            "kill_at": kill_at,
            "delete": delete,
            "log": str(self.folder / "log"),
        }
        self.process.stdin.write(json.dumps(given) + "\n")
        code = int(self.process.stdout.readline())
        return code, (self.folder / "log").read_text()


MODULES = (
    "tol_luigi.publication.publish",
    "tol_luigi.publication.hub",
    "s3fs",
    "aiobotocore.session",
    "huggingface_hub.hf_api",
    "huggingface_hub.hf_file_system",
)


@pytest.fixture(scope="session")
def publishes(hub: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    """Publish in a process of its own, for which the stand-in is the Hub: huggingface_hub reads its address on import."""
    folder = tmp_path_factory.mktemp("publisher")
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", HERE / "forked_publish.py", *MODULES],
        env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(folder / "hf")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        yield Publisher(process, folder)
        assert process.stdin
        process.stdin.close()
