"""A rig as larger sites have it: a database says what users may, and the kernel holds jobs to their memory."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from slurm_rig import START_SECONDS, Rig, free_ports, wait_for

__all__ = ["PROGRAMS", "AccountedRig", "unable"]

PROGRAMS = ("mariadb-install-db", "mariadbd", "slurmdbd", "sacctmgr")
"""What it takes besides."""

CONFIG = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge.socket
AccountingStorageEnforce=limits
JobAcctGatherType=jobacct_gather/none
TaskPlugin=task/cgroup
SelectTypeParameters=CR_Core_Memory"""

CGROUP_CONFIG = """\
CgroupPlugin=cgroup/v1
ConstrainRAMSpace=yes
"""

DATABASE_CONFIG = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={port}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={storage}
StorageUser=root
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""

MEMORY = Path("/sys/fs/cgroup/memory")


def unable() -> str:
    """Say why the kernel cannot hold jobs to their memory here; "" if it can."""
    group = MEMORY / f"rig-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(1 << 30))
        group.rmdir()
    except OSError as error:
        return f"no control group can be made at {MEMORY}: {error.strerror}"
    return ""


class AccountedRig(Rig):
    """A rig with slurmdbd, on a MariaDB of its own, whose jobs lie in control groups.

    Args:
        folder: As of any rig; its name is that of the nodes, since control groups are known by it.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, nodes=tuple(f"{folder.name}-{number}" for number in range(2)))

    def accounting(self) -> str:
        """Give the lines on that; slurmdbd and the nodes look for theirs beside them."""
        port, self._storage = free_ports(2)
        config = self.folder / "slurmdbd.conf"
        config.touch(0o600)
        config.write_text(DATABASE_CONFIG.format(folder=self.folder, port=port, storage=self._storage))
        (self.folder / "cgroup.conf").write_text(CGROUP_CONFIG)
        return CONFIG.format(folder=self.folder, port=port)

    def start_accounting(self) -> None:
        """Start the database, then slurmdbd."""
        folder = self.folder / "database"
        own = ("--no-defaults", "--user=root", f"--datadir={folder}")
        self.ask("mariadb-install-db", *own, "--auth-root-authentication-method=normal", "--skip-test-db")
        where = ("--bind-address=127.0.0.1", f"--port={self._storage}", f"--socket={folder}/socket")
        self.daemon("mariadbd", *own, *where, "--innodb-buffer-pool-size=32M")
        wait_for("mariadbd listens", (folder / "socket").exists, START_SECONDS)
        self.daemon("slurmdbd", "-D")
        wait_for("slurmdbd answers", lambda: "root" in self.sacctmgr("show", "user"), START_SECONDS)
        self.sacctmgr("add", "cluster", "rig")

    def sacctmgr(self, *command: str) -> str:
        """Ask slurmdbd, or tell it."""
        return self.ask("sacctmgr", "--immediate", "--noheader", "--parsable2", *command, check=False)

    def allow(self, jobs: int) -> None:
        """Let the user have so many jobs, elements of arrays counted one by one."""
        self.sacctmgr("modify", "user", "root", "set", f"MaxSubmitJobs={jobs}")
        asked = ("scontrol", "--oneliner", "show", "assoc_mgr", "flags=assoc", "users=root")
        wait_for("the controller knows it", lambda: f"MaxSubmitJobs={jobs}(" in self.ask(*asked), 30)

    def stop(self) -> None:
        """End everything, and remove the control groups."""
        super().stop()
        for node in self.nodes:
            for folder, _, _ in os.walk(MEMORY / f"slurm_{node}", topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
