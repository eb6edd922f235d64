"""The luigid of a run: where it listens, what it does again and again, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
import socket
import time
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

from luigi import server
from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.netutil import bind_sockets

from tol_luigi.cluster import patches
from tol_luigi.cluster.client import AwayError, Follower
from tol_luigi.cluster.connections import LARGEST_BODY, LARGEST_HEADERS, Connections, Listener
from tol_luigi.cluster.guard import Guard, LogHandler, SafeAnswers, safe_headers
from tol_luigi.cluster.log_limit import LogLimit
from tol_luigi.cluster.logs import LINK
from tol_luigi.cluster.page import PLACE, PageHandler, scripts
from tol_luigi.cluster.run import Address, Run
from tol_luigi.cluster.scheduler import SECONDS_BETWEEN_LOOKS, RunScheduler
from tol_luigi.core.errors import ClusterError
from tol_luigi.core.files import remove

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tornado.web import Application, OutputTransform

    from tol_luigi.tasks.run_sections import ClusterSection
    from tol_luigi.tasks.settings import Settings

__all__ = ["serve"]

_LOG = logging.getLogger("luigi.scheduler")

_SAVING_SHARE = 0.05
"""How much of its time luigid may spend on saving what it knows."""


def serve(settings: Settings) -> int:
    """Be the luigid of the run that builds a dataset, until it is over; gives the exit code.

    Raises:
        ClusterError: It cannot listen where it should, or another one serves the run.
        SettingsError: This release of Luigi is not one that it is tested with.
    """
    patches.check()
    given, run = settings.cluster, Run.of(settings.layout)
    run.make_folders()
    _refuse_second(run)
    password = run.set_password(given.password_file, wanted=given.password)
    _set_up_log()
    remove(run.result)  # of an earlier run: workers would believe it
    scheduler = RunScheduler(run, given)
    scheduler.load()
    asyncio.run(_serve(scheduler, password))
    return 0


def _set_up_log() -> None:
    """Write to standard error what luigid has to say; what others can make it say is limited."""
    log = logging.StreamHandler()
    log.addFilter(LogLimit())
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s: %(message)s", level=logging.INFO, handlers=[log]
    )
    logging.getLogger("tornado.access").setLevel(logging.WARNING + 1)
    logging.getLogger("tornado.general").setLevel(logging.WARNING)  # below that: whatever is no HTTP


def _refuse_second(run: Run) -> None:
    """Refuse to start where another luigid serves the run; one at its old place may be that of another run."""
    if run.read_address() is None:
        return
    with contextlib.suppress(AwayError):
        if Follower(run, patience=0).call("serves") == str(run.directory):
            what = "another luigid serves this run"
            raise ClusterError(run.address, what, "Leave it to that one, or stop that one first: tol stop")


async def _serve(scheduler: RunScheduler, password: str) -> None:
    address, sockets = _listen(scheduler.given)
    if not password:
        _warn_of_others(scheduler.given, sockets)
    connections = Connections()
    headers = safe_headers()
    guard = Guard(_application(scheduler, headers), password, connections, headers)
    http = HTTPServer(guard, max_header_size=LARGEST_HEADERS, max_body_size=LARGEST_BODY)
    listener = Listener(sockets, connections, http.handle_stream)
    listener.start()
    scheduler.run.write_address(address)
    _LOG.info("luigid listens at %s", address.url)
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    duties = _duties(scheduler, address, over)
    beats = [PeriodicCallback(beat, 1000) for beat in (lambda: next(duties, None), connections.close_overdue)]
    for beat in beats:
        beat.start()
    await over.wait()
    for beat in beats:
        beat.stop()
    listener.stop()
    _close(scheduler, address)


def _application(scheduler: RunScheduler, headers: Mapping[str, str]) -> Application:
    """Return Luigi's page and API, the former with its faults fixed, and the logs."""
    application: Application = server.app(scheduler)
    fixed = scripts()
    names = "|".join(map(re.escape, fixed))
    application.add_handlers(
        ".*",
        [
            (f"{LINK}(.*)", LogHandler, {"path": str(scheduler.run.logs)}),
            (f"{PLACE}({names})", PageHandler, {"scripts": fixed}),
        ],
    )
    application.add_transform(cast("type[OutputTransform]", partial(SafeAnswers, headers)))
    return application


def _warn_of_others(given: ClusterSection, sockets: list[socket.socket]) -> None:
    if all(ip_address(each.getsockname()[0]).is_loopback for each in sockets):
        return
    _LOG.warning(
        "[cluster] password = false, bind = %s: whoever reaches luigid there can run programs as you. "
        "Set password = true, or bind = 127.0.0.1.",
        given.bind,
    )


def _listen(given: ClusterSection) -> tuple[Address, list[socket.socket]]:
    try:
        sockets = bind_sockets(given.port, given.bind, reuse_port=False)
    except OSError as error:
        where = f"[cluster] bind = {given.bind}, port = {given.port}"
        remedy = "Give an address of this machine and a port that is free (0 is any)"
        raise ClusterError(where, f"luigid cannot listen there ({error.strerror})", remedy) from error
    port = sockets[0].getsockname()[1]
    host = socket.gethostname() if given.bind == "0.0.0.0" else given.bind  # noqa: S104 (compared only)
    return Address(f"http://{host}:{port}", host, port, time.time()), sockets


def _duties(scheduler: RunScheduler, address: Address, over: asyncio.Event) -> Iterator[None]:
    """Do what has to be done again and again; each step is a second, or however long luigid is busy."""
    given, state = scheduler.given, scheduler._state  # noqa: SLF001 (our own)
    pruned = saved = time.monotonic()
    saving = 0.0
    while True:
        now = time.monotonic()
        if now - pruned >= min(SECONDS_BETWEEN_LOOKS, given.lost_seconds / 4):
            pruned = now
            scheduler.prune()
            scheduler.sample()
            if _is_replaced(scheduler.run, address):
                _LOG.warning("Another luigid serves this run now")
                over.set()
        if not state.is_saved and now - saved >= max(given.save_seconds, saving / _SAVING_SHARE):
            state.dump()
            saved = time.monotonic()
            saving = saved - now
        if scheduler.may_leave:
            over.set()
        yield


def _is_replaced(run: Run, address: Address) -> bool:
    """Return whether another luigid serves the run now; nobody else may say so."""
    try:
        return run.read_address() not in {address, None}
    except ClusterError as error:
        _LOG.warning("%s", error)
        return False


def _close(scheduler: RunScheduler, address: Address) -> None:
    """Save what is known, or remove it; unless another luigid has taken over."""
    run = scheduler.run
    if _is_replaced(run, address):
        return
    if scheduler.forgets:
        remove(run.state)
    else:
        scheduler.dump()
    if scheduler.leaving:
        remove(run.address)
    _LOG.info("luigid has ended: %s", scheduler.leaving or "it was told to by a signal")
