"""Slurm's commands ``sbatch``, ``squeue``, ``scancel`` and ``scontrol``; no accounting database is needed."""

from tol_luigi.slurm.capacity import Limits, count, limits
from tol_luigi.slurm.durations import DURATION, seconds
from tol_luigi.slurm.jobs import Job, RefusedError, cancel, queue, requeue, submit
from tol_luigi.slurm.memory import MEMORY, double_memory, max_memory
from tol_luigi.slurm.options import Request, log_option

__all__ = [
    "DURATION",
    "MEMORY",
    "Job",
    "Limits",
    "RefusedError",
    "Request",
    "cancel",
    "count",
    "double_memory",
    "limits",
    "log_option",
    "max_memory",
    "queue",
    "requeue",
    "seconds",
    "submit",
]
