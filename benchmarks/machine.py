"""What machine this is, and how busy everybody else kept it while something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.process import ROOT

# With more of the cores in other hands than this, a measurement is marked.
BUSY_SHARE = 0.05


def describe() -> dict[str, Any]:
    """Processor, memory, system."""
    model = platform.processor()
    flags: set[str] = set()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        fields = {
            name.strip(): value.strip()
            for name, found, value in (line.partition(":") for line in cpuinfo.read_text().splitlines())
            if found
        }
        model, flags = fields.get("model name", model), set(fields.get("flags", "").split())
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16")
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "instructions": [flag for flag in wanted if flag in flags],
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def commit() -> str:
    """The commit of the working tree, and whether files differ from it; `unknown` outside a repository."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + (" with changes" if changed else "")


class Others:
    """How much of the cores went to processes that belong to no measurement, between its making and `share`."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._busy = self._busy_s()

    @staticmethod
    def _busy_s() -> float:
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))

    def share(self, own_cpu_s: float) -> float:
        """From 0 to 1 of all cores, where the measurement itself used `own_cpu_s`."""
        seconds = (time.perf_counter() - self._began) * (os.cpu_count() or 1)
        return max(0.0, (self._busy_s() - self._busy - own_cpu_s) / seconds)
