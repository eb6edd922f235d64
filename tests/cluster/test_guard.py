"""What luigid refuses, how little others can make it hold and write, and who gets through all the same."""

from __future__ import annotations

import base64
import contextlib
import json
import resource
import socket
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import pytest
from processes import Crew

from tol_luigi.cluster.run import USER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HALF_OPEN = 200
MIB = 2**20
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    text: str


class Luigid:
    """A luigid, and ways to ask it that no client of ours would use."""

    def __init__(self, crew: Crew) -> None:
        address = crew.wait_for(crew.run.read_address)
        self.crew, self.place = crew, (address.host, address.port)
        password = crew.run.read_password()
        self.login = f"Basic {base64.b64encode(f'{USER}:{password}'.encode()).decode()}"
        self.own = {"Authorization": self.login} if password else {}

    @property
    def process(self) -> Path:
        return Path(f"/proc/{self.crew.started[0].pid}")

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: str | None = None) -> Answer:
        connection = HTTPConnection(*self.place, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            answered = connection.getresponse()
            return Answer(answered.status, answered.headers, answered.read().decode())

    def say(self, text: str) -> socket.socket:
        """Open a connection, and send whatever."""
        connection = socket.create_connection(self.place, timeout=30)
        connection.sendall(text.encode())
        return connection

    def first_line(self, text: str) -> str:
        with self.say(text) as connection:
            return connection.recv(4096).decode().partition("\r\n")[0]

    def memory(self) -> float:
        """Return the most memory that luigid has ever held, in MiB."""
        lines = (self.process / "status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10

    def connections(self) -> int:
        """Count the sockets that luigid holds."""
        found = 0
        for each in (self.process / "fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found += str(each.readlink()).startswith("socket")
        return found


@pytest.fixture(scope="module")
def luigid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Luigid]:
    """A luigid with a password, which outlives whatever is done to it here."""
    with Crew(tmp_path_factory.mktemp("guard")) as crew:
        crew.start("luigid")
        yield Luigid(crew)
        assert crew.status().workers == 0


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(4096, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_without_a_password_no_body_is_read(luigid: Luigid) -> None:
    before = luigid.memory()
    size = 90 * MIB
    head = f"POST /api/add_task HTTP/1.1\r\nHost: luigid\r\nContent-Length: {size}\r\n"
    for login in ("", "Authorization: Basic dG9sOndyb25n\r\n"):
        assert (
            luigid.first_line(f"{head}{login}\r\n") == "HTTP/1.1 401 Unauthorized"
        )  # with not a byte of it sent
    with contextlib.ExitStack() as opened:
        for _ in range(12):
            connection = opened.enter_context(luigid.say(f"{head}\r\n"))
            with contextlib.suppress(ConnectionError):
                for _ in range(20):
                    connection.sendall(bytes(MIB))
        luigid.crew.status()
    assert luigid.memory() < before + 30


@pytest.mark.parametrize("path", ["/api/task_list", "/static/visualiser/index.html", "/nowhere"])
def test_a_client_that_sends_a_body_all_the_same_sees_that_it_is_refused(luigid: Luigid, path: str) -> None:
    assert luigid.ask("POST", path, {}, "x" * 30_000).status == 401


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param(f"Content-Length: {17 * MIB}", "413 Request Entity Too Large", id="too large"),
        pytest.param("Content-Length: " + "9" * 5000, "411 Length Required", id="a number without end"),
        pytest.param("Content-Length: -1", "411 Length Required", id="negative"),
        pytest.param("Transfer-Encoding: chunked", "411 Length Required", id="of unknown length"),
        pytest.param("X: " + "x" * 40_000, "", id="too many headers"),
    ],
)
def test_with_the_password_requests_are_bounded_as_well(luigid: Luigid, line: str, status: str) -> None:
    request = f"POST /api/ping HTTP/1.1\r\nHost: luigid\r\nAuthorization: {luigid.login}\r\n{line}\r\n\r\n"
    try:
        assert luigid.first_line(request).removeprefix("HTTP/1.1 ") == status
    except ConnectionError:
        assert not status


def test_bodies_are_bounded_together(luigid: Luigid) -> None:
    head = f"POST /api/ping HTTP/1.1\r\nHost: luigid\r\nAuthorization: {luigid.login}\r\n"
    with contextlib.ExitStack() as opened:
        for _ in range(8):
            opened.enter_context(luigid.say(f"{head}Content-Length: {16 * MIB}\r\n\r\n"))
        luigid.crew.wait_for(
            lambda: (
                luigid.first_line(f"{head}Content-Length: {16 * MIB}\r\n\r\n")
                == "HTTP/1.1 503 Service Unavailable"
            )
        )
        assert luigid.crew.status().workers == 0  # small requests come through


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a program"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="its own page"),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="typed into the browser"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="another port"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
        pytest.param({"Origin": "http://HERE"}, 200, id="its own origin"),
        pytest.param({"Origin": "http://localhost:1"}, 403, id="another origin"),
        pytest.param({"Origin": "null"}, 403, id="a sandbox"),
        pytest.param({"Origin": "http://else", "Sec-Fetch-Site": "same-origin"}, 403, id="contradiction"),
    ],
)
def test_only_its_own_page_uses_the_password_of_a_browser(
    luigid: Luigid, headers: dict[str, str], status: int
) -> None:
    here = ":".join(map(str, luigid.place))
    given = {name: value.replace("HERE", here) for name, value in headers.items()}
    for method in ("GET", "POST"):
        assert luigid.ask(method, "/api/task_list", {**luigid.own, **given}).status == status


@pytest.mark.parametrize(
    ("method", "call", "status"),
    [
        ("GET", "task_list", 200),
        ("GET", "run_status", 200),
        ("POST", "is_paused", 200),
        ("POST", "pause", 200),
        *(
            ("GET", call, 405)
            for call in ("pause", "finish", "add_task", "mark_as_done", "get_work", "leave")
        ),
        ("GET", "%70ause", 405),
        ("GET", "no_call", 405),
        ("POST", "no_call", 404),
        ("HEAD", "pause", 405),
        ("OPTIONS", "pause", 405),
    ],
)
def test_what_changes_something_wants_post(luigid: Luigid, method: str, call: str, status: int) -> None:
    luigid.ask("POST", "/api/unpause", luigid.own)
    answer = luigid.ask(method, f"/api/{call}", {**luigid.own, **FORM}, urlencode({"data": "{}"}))
    assert answer.status == status
    assert answer.headers["Allow"] == ("POST" if status == 405 else None)
    paused = luigid.ask("GET", "/api/is_paused", luigid.own)
    assert json.loads(paused.text)["response"]["paused"] is (status == 200 and call == "pause")


@pytest.mark.parametrize(
    ("path", "has_password", "status"),
    [
        ("/", False, 401),
        ("/static/visualiser/index.html", True, 200),
        ("/static/visualiser/js/luigi.js", True, 200),
        ("/static/visualiser/js/util.js", True, 200),
        ("/api/task_list", True, 200),
        ("/api/pause", True, 405),
        ("/logs/none", True, 404),
        ("/nowhere", True, 404),
    ],
)
def test_every_answer_forbids_frames_and_guesses(
    luigid: Luigid, path: str, has_password: bool, status: int
) -> None:
    answer = luigid.ask("GET", path, luigid.own if has_password else {})
    assert answer.status == status
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_half_sent_requests_end_by_themselves_and_keep_nobody_out(luigid: Luigid) -> None:
    before = luigid.connections()
    half_body = f"POST /api/ping HTTP/1.1\r\nHost: luigid\r\nAuthorization: {luigid.login}\r\nContent-Length: 9\r\n\r\nda"
    idle = f"GET /api/is_paused HTTP/1.1\r\nHost: luigid\r\nAuthorization: {luigid.login}\r\n\r\n"
    with contextlib.ExitStack() as opened:
        held = [
            opened.enter_context(luigid.say(text))
            for text in ["", "GET / HTT", "GET / HTTP/1.1\r\nX: x\r\n", half_body, idle] * (HALF_OPEN // 5)
        ]
        started = time.monotonic()
        assert luigid.crew.status().workers == 0
        assert time.monotonic() - started < 8
        assert luigid.connections() >= HALF_OPEN  # some of those before may have ended
        luigid.crew.wait_for(lambda: all(map(is_closed, held)), 30)
    luigid.crew.wait_for(lambda: luigid.connections() <= before)


def test_more_connections_than_it_holds_make_room_for_a_complete_request(luigid: Luigid) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(400):
            opened.enter_context(luigid.say("GET / HTTP/1.1\r\nX: x\r\n"))
        started = time.monotonic()
        assert luigid.crew.status().workers == 0
        assert time.monotonic() - started < 8
        assert luigid.connections() < 300


def test_at_the_limit_of_descriptors_it_serves_on_and_writes_little(tmp_path: Path) -> None:
    with Crew(tmp_path) as crew:
        process = crew.start("luigid")
        here = Luigid(crew)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (48, 48))
        with contextlib.ExitStack() as opened:
            for _ in range(160):
                opened.enter_context(here.say("GET / HTTP/1.1\r\nX: x\r\n"))
            for _ in range(3):
                assert crew.status().workers == 0
            time.sleep(2)
        assert process.poll() is None
        assert "Traceback" not in crew.output()
        assert len(crew.output()) < 30_000
        assert "Cannot accept another connection (Too many open files)" in crew.output()


def test_errors_that_others_cause_fill_no_log(tmp_path: Path) -> None:
    with Crew(tmp_path) as crew:
        crew.start("luigid")
        here = Luigid(crew)
        for _ in range(40):
            assert here.ask("POST", "/api/ping", {**here.own, **FORM}, "data=nonsense").status == 500
        assert (
            0 < crew.output().count("Traceback") <= 15
        )  # one error has three, as the parser's is the cause of others


@pytest.mark.parametrize(
    ("cluster", "is_warned"),
    [
        ({"password": "false", "bind": "0.0.0.0"}, True),
        ({"password": "false", "bind": "localhost"}, False),
        ({"bind": "0.0.0.0"}, False),
    ],
)
def test_an_open_door_is_warned_of(tmp_path: Path, cluster: dict[str, str], is_warned: bool) -> None:
    with Crew(tmp_path, {"cluster": cluster}) as crew:
        crew.start("luigid")
        crew.wait_for(crew.run.read_address)
        crew.wait_for(lambda: "luigid listens at" in crew.output())
        warnings = [
            line for line in crew.output().splitlines() if "anyone who can reach this address can run" in line
        ]
        assert len(warnings) == is_warned
