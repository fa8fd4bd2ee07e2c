"""Coverage-guided fuzzing of the transcript readers, starting from their samples: `make fuzz`.

Each format gets a process of its own, so that a hang or a crash of one is told and the rest go on.
What breaks a reader is left in `build/fuzz/` for a test to be made of it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import typer

SAMPLES = Path(__file__).parent / "transcripts" / "samples"
FOUND = Path("build") / "fuzz"
# Longer than any reader takes for the largest input below.
SLOWEST_S = 5
LARGEST_BYTES = 1 << 16


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz one format in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["app.transcripts"]):
        from app.transcripts.document import Document
        from app.transcripts.registry import read

    def check(content: bytes) -> None:
        for entry in read(Document.of(content)):
            assert entry.format or isinstance(entry.outcome, Exception)

    corpus = FOUND / "corpus" / name
    shutil.rmtree(corpus, ignore_errors=True)
    shutil.copytree(SAMPLES / name, corpus)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST_S}", f"-max_len={LARGEST_BYTES}", "-rss_limit_mb=2048"]
    limits += ["-print_final_stats=1", f"-artifact_prefix={FOUND}/{name}-"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], check)
    atheris.Fuzz()


def main(
    seconds: int = typer.Option(600, help="How long each format is fuzzed."),
    only: str = typer.Option("", help="One format, in this process."),
) -> None:
    """Fuzz every format, one after the other; the exit code is 1 if one broke."""
    if only:
        _fuzz(only, seconds)
        return
    FOUND.mkdir(parents=True, exist_ok=True)
    broken = []
    for folder in sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()):
        command = [sys.executable, "-m", "tests.fuzz_readers", "--only", folder, "--seconds", str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        runs = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
        typer.echo(f"{folder:<28} {runs:>10} inputs  {'ok' if done.returncode == 0 else 'BROKEN'}")
        if done.returncode:
            broken.append(folder)
            typer.echo("\n".join(done.stderr.splitlines()[-25:]), err=True)
    raise typer.Exit(bool(broken))


if __name__ == "__main__":
    typer.run(main)
