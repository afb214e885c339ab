"""Which machine figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from evals.records import Machine

CPUINFO = Path("/proc/cpuinfo")


def this_machine() -> Machine:
    """Processor, usable cores, system and Python of this process."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        platform=platform.platform(),
        python=platform.python_version(),
    )


def _cpu() -> str:
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
