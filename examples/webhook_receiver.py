"""Receives softsell's webhooks: `SOFTSELL_WEBHOOK_SECRET=whsec_… python examples/webhook_receiver.py 9000`.

Needs `pip install standardwebhooks`. Put it behind a proxy that speaks https.
"""

from __future__ import annotations

import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST_BYTES = 65_536
seen: set[str] = set()  # Put a table with a unique index in its place.


class _Receiver(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if not 0 <= length <= LARGEST_BYTES:
            return self.answer(413)
        try:
            # The bytes as they came: JSON that is read and written again has another signature.
            event = Webhook(os.environ["SOFTSELL_WEBHOOK_SECRET"]).verify(self.rfile.read(length), dict(self.headers))
        except WebhookVerificationError:
            return self.answer(401)
        if self.headers["webhook-id"] not in seen:
            # A message may come twice, under the same id.
            seen.add(self.headers["webhook-id"])
            print(event["type"], event["data"], flush=True)
        return self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log no requests."""


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), _Receiver).serve_forever()
