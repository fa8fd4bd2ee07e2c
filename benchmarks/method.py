"""What the page of tables says of how its numbers came about."""

from __future__ import annotations

from benchmarks.load import SIDE_BY_SIDE
from benchmarks.machine import BUSY_SHARE

METHOD = f"""\
## How it is measured

Everybody runs the encoder of the same release. The other servers get it under a linear head with as many outputs;
they know no windows of several turns, so each turn goes to them as a text of its own, behind up to 128 tokens of what
came before it, which is what softsell reads too. A whole call is one request to softsell and to infinity (a list of
texts); to the others its turns go side by side, so that {SIDE_BY_SIDE} are always under way and batches fill. LitServe,
Ray Serve and mosec batch up to 32 texts and wait 5 ms at most; infinity and the pipeline run by their defaults. The
engine alone is softsell without a server: one thread beside one client, a thread a core beside more.

One subject runs at a time, on the same cores as the load generator, whose share is in the tables; subjects take turns
round by round. Clients send the next request when the last one is answered. Every turn that is sent ends with a random
number, so that nothing sent before is sent again, but where a conversation grows: then softsell gets all of it again
(`live`), or the new turn alone for the conversation that it remembers (`appended`). Numbers are medians over the rounds
[lowest, highest]; \\* marks those of which others had more than {BUSY_SHARE:.0%} of the cores. A turn counts only if
its answer has status 200, and a call has a latency only if all of it was answered so; calls that do not end within the
measured time have none, so long calls are missing where latencies are near it. Share of peak: the arithmetic of the
windows, or of the texts without their padding, over what the cores do in matrix products alone.
"""
