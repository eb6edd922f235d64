"""A build of the demonstration during which everything is killed in turn ends with the same bytes."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

from processes import Crew, digests

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

SEED = 4
ROUNDS = 12


def undisturbed(folder: Path) -> dict[str, str]:
    """Build the same with nobody disturbing it."""
    folder.mkdir()
    with Crew(folder) as crew:
        crew.start("luigid")
        crew.start("worker")
        assert crew.end_of(crew.start("foreman")) == 0, crew.output()
        return digests(crew.dataset)


def test_a_build_amid_chaos_ends_with_the_same_bytes(tmp_path: Path) -> None:
    wanted = undisturbed(tmp_path / "undisturbed")
    (tmp_path / "chaos").mkdir()
    dice = random.Random(SEED)  # noqa: S311 (moments, not secrets)
    with Crew(tmp_path / "chaos", {"cluster": {"losses": 50, "retries": 1}}) as crew:
        parts: dict[str, subprocess.Popen[bytes]] = {"luigid": crew.start("luigid")}
        parts["foreman"] = crew.start("foreman")
        workers = [crew.start("worker", f"n{number}") for number in range(2)]
        crew.wait_for(lambda: crew.run.read_address() and crew.status().running)
        for _ in range(ROUNDS):
            time.sleep(dice.uniform(0.1, 1.0))
            if parts["foreman"].poll() is not None:
                break
            what = dice.choice(["worker", "worker", "worker", "luigid", "foreman"])
            if what == "worker":
                victim = workers.pop(0)
                victim.send_signal(dice.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1]))
                workers.append(crew.start("worker", f"n{len(crew.started)}"))
            else:
                parts[what].kill()
                crew.end_of(parts[what])
                parts[what] = crew.start(what)
        assert crew.end_of(parts["foreman"]) == 0, crew.output()
        assert [crew.end_of(worker) for worker in workers] == [0, 0], crew.output()
        assert crew.end_of(parts["luigid"]) == 0
        crew.assert_nobody_is_left()
        assert digests(crew.dataset) == wanted
