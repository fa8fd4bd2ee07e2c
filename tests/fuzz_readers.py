"""Coverage-guided fuzzing of the transcript readers, starting from their samples: `make fuzz`.

Each format gets a process of its own, so that a hang or a crash of one is told and the rest go on. The
formats of one family share their code, and so the time that a family gets.
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
FAMILIES = (
    ("bedrock_data_automation", "contact_lens", "contact_lens_chat", "contact_lens_realtime", "post_call_analytics",
     "transcribe", "transcribe_call_analytics"),
    ("genesys_cloud", "genesys_notification"),
    ("google_ccai",),
    ("twilio_conversations", "twilio_intelligence"),
    ("assemblyai", "assemblyai_live", "deepgram", "deepgram_live"),
    ("azure_language", "azure_speech"),
    ("whisper", "whisperx"),
    ("gong", "ringcentral"),
    ("intercom", "zendesk_chat", "zendesk_ticket"),
    ("srt", "webvtt"),
    ("vcon",),
    ("csv", "parquet", "turn_list"),
    ("plain_text", "softsell", "text_field"),
)  # fmt: skip


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz one format in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["app.transcripts"]):
        from app.transcripts.document import Document
        from app.transcripts.registry import format_names, read

        # Formats are imported at the first use, which would be too late to be watched.
        format_names()

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
    seconds: int = typer.Option(600, help="How long each family of formats is fuzzed."),
    only: str = typer.Option("", help="One format, in this process."),
) -> None:
    """Fuzz every format, one after the other; the exit code is 1 if one broke."""
    if only:
        _fuzz(only, seconds)
        return
    FOUND.mkdir(parents=True, exist_ok=True)
    broken = []
    for name, share_s in _shares(seconds):
        command = [sys.executable, "-m", "tests.fuzz_readers", "--only", name, "--seconds", str(share_s)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        runs = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
        typer.echo(f"{name:<28} {runs:>10} inputs in {share_s:>4} s  {'ok' if done.returncode == 0 else 'BROKEN'}")
        sys.stdout.flush()
        if done.returncode:
            broken.append(name)
            typer.echo("\n".join(done.stderr.splitlines()[-25:]), err=True)
    raise typer.Exit(bool(broken))


def _shares(seconds: int) -> list[tuple[str, int]]:
    """Each format with its share of its family's seconds; one without a family has them all."""
    families = [*FAMILIES]
    listed = {name for family in families for name in family}
    families += [(path.name,) for path in sorted(SAMPLES.iterdir()) if path.is_dir() and path.name not in listed]
    return [(name, max(seconds // len(family), 1)) for family in families for name in family]


if __name__ == "__main__":
    typer.run(main)
