"""The luigid of a run: its server, its periodic work and its shutdown."""

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
from tol_luigi.cluster.client import RemoteRunScheduler, UnreachableError
from tol_luigi.cluster.connections import MAX_BODY_BYTES, MAX_HEADER_BYTES, Connections, Listener
from tol_luigi.cluster.log_limit import LogLimit
from tol_luigi.cluster.logs import LINK
from tol_luigi.cluster.page import PAGE_PATH, PageHandler, scripts
from tol_luigi.cluster.request_filter import AddHeaders, LogHandler, RequestFilter, security_headers
from tol_luigi.cluster.run import Address, Run
from tol_luigi.cluster.scheduler import PRUNE_SECONDS, RunScheduler
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
"""The share of a processor that luigid may take for saving its state."""


def serve(settings: Settings) -> int:
    """Serve the run that builds a dataset until the run ends; return the exit code.

    Raises:
        ClusterError: The address cannot be used, or another luigid serves the run.
        SettingsError: The release of Luigi is not supported.
    """
    patches.check()
    section, run = settings.cluster, Run.of(settings.layout)
    run.make_folders()
    _validate_only_luigid(run)
    password = run.set_password(section.password_file, wanted=section.password)
    _set_up_log()
    remove(run.result)  # workers would stop because of the result of an earlier run
    scheduler = RunScheduler(run, section)
    scheduler.load()
    asyncio.run(_serve(scheduler, password))
    return 0


def _set_up_log() -> None:
    """Log to standard error, with a limit on lines that clients can cause."""
    log = logging.StreamHandler()
    log.addFilter(LogLimit())
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s: %(message)s", level=logging.INFO, handlers=[log]
    )
    logging.getLogger("tornado.access").setLevel(logging.WARNING + 1)
    logging.getLogger("tornado.general").setLevel(logging.WARNING)  # below: every malformed request


def _validate_only_luigid(run: Run) -> None:
    """Raise if another luigid serves the run; a luigid at its old address may serve another run."""
    if run.read_address() is None:
        return
    with contextlib.suppress(UnreachableError):
        if RemoteRunScheduler(run, patience=0).call("serves") == str(run.directory):
            what = "another luigid serves this run"
            raise ClusterError(run.address, what, "Let it continue, or stop it first: tol stop")


async def _serve(scheduler: RunScheduler, password: str) -> None:
    address, sockets = _listen(scheduler.section)
    if not password:
        _warn_if_exposed(scheduler.section, sockets)
    connections = Connections()
    headers = security_headers()
    request_filter = RequestFilter(_application(scheduler, headers), password, connections, headers)
    http = HTTPServer(request_filter, max_header_size=MAX_HEADER_BYTES, max_body_size=MAX_BODY_BYTES)
    listener = Listener(sockets, connections, http.handle_stream)
    listener.start()
    scheduler.run.write_address(address)
    _LOG.info("luigid listens at %s", address.url)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    periodic = _periodic_work(scheduler, address, stop)
    timers = [
        PeriodicCallback(each, 1000) for each in (lambda: next(periodic, None), connections.close_overdue)
    ]
    for timer in timers:
        timer.start()
    await stop.wait()
    for timer in timers:
        timer.stop()
    listener.stop()
    _close(scheduler, address)


def _application(scheduler: RunScheduler, headers: Mapping[str, str]) -> Application:
    """Return the application that serves Luigi's page with our fixes, its API, and the logs."""
    application: Application = server.app(scheduler)
    fixed = scripts()
    names = "|".join(map(re.escape, fixed))
    application.add_handlers(
        ".*",
        [
            (f"{LINK}(.*)", LogHandler, {"path": str(scheduler.run.logs)}),
            (f"{PAGE_PATH}({names})", PageHandler, {"scripts": fixed}),
        ],
    )
    application.add_transform(cast("type[OutputTransform]", partial(AddHeaders, headers)))
    return application


def _warn_if_exposed(section: ClusterSection, sockets: list[socket.socket]) -> None:
    if all(ip_address(each.getsockname()[0]).is_loopback for each in sockets):
        return
    _LOG.warning(
        "[cluster] password = false, bind = %s: anyone who can reach this address can run programs as you. "
        "Set password = true, or bind = 127.0.0.1.",
        section.bind,
    )


def _listen(section: ClusterSection) -> tuple[Address, list[socket.socket]]:
    try:
        sockets = bind_sockets(section.port, section.bind, reuse_port=False)
    except OSError as error:
        where = f"[cluster] bind = {section.bind}, port = {section.port}"
        remedy = "Set bind to an address of this machine, and port to a free port (0 for any)"
        raise ClusterError(where, f"luigid cannot listen there ({error.strerror})", remedy) from error
    port = sockets[0].getsockname()[1]
    host = socket.gethostname() if section.bind == "0.0.0.0" else section.bind  # noqa: S104 (compared only)
    return Address(f"http://{host}:{port}", host, port, time.time()), sockets


def _periodic_work(scheduler: RunScheduler, address: Address, stop: asyncio.Event) -> Iterator[None]:
    """Do the periodic work of luigid; advance about once per second, later if luigid is busy."""
    section, state = scheduler.section, scheduler._state  # noqa: SLF001 (our own)
    pruned = saved = time.monotonic()
    while True:
        now = time.monotonic()
        if now - pruned >= min(PRUNE_SECONDS, section.lost_seconds / 4):
            pruned = now
            scheduler.prune()
            scheduler.sample()
            if _is_replaced(scheduler.run, address):
                _LOG.warning("Another luigid now serves this run")
                stop.set()
        is_due = now - saved >= max(section.save_seconds, state.saving_seconds / _SAVING_SHARE)
        if not state.is_saving and is_due and not state.is_saved:
            state.start_saving()
            saved = now
        if scheduler.can_stop:
            stop.set()
        yield


def _is_replaced(run: Run, address: Address) -> bool:
    """Return whether another luigid now serves the run; an address file of another user does not count."""
    try:
        return run.read_address() not in {address, None}
    except ClusterError as error:
        _LOG.warning("%s", error)
        return False


def _close(scheduler: RunScheduler, address: Address) -> None:
    """Save or remove the state, unless another luigid now serves the run."""
    run = scheduler.run
    scheduler._state.stop_saving()  # noqa: SLF001 (our own)
    if _is_replaced(run, address):
        return
    if scheduler.discards_state:
        remove(run.state)
    else:
        scheduler.dump()
    if scheduler.leaving:
        remove(run.address)
    _LOG.info("luigid has stopped: %s", scheduler.leaving or "it received a signal")
