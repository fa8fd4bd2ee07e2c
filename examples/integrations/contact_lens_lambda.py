"""An AWS Lambda that scores each file that Contact Lens writes to S3. Deploy it with `calls.py` beside it.

Settings: SOFTSELL_URL; RESULTS_PREFIX (`softsell/`), under which answers are stored in the same bucket.
Set the function's timeout to some minutes and its concurrency to what softsell's cores bear.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

import boto3
from calls import score, summary

log = logging.getLogger()
log.setLevel(logging.INFO)
s3 = boto3.client("s3")


def objects(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Bucket and key of each new object, as EventBridge tells them or as S3's own notifications do."""
    if "detail" in event:
        yield event["detail"]["bucket"]["name"], event["detail"]["object"]["key"]
    for record in event.get("Records", ()):
        # Here, and only here, keys are encoded.
        yield record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])


def handler(event: dict[str, Any], _: Any) -> list[dict[str, Any]]:
    """Score what is an analysis of a call or chat; a failure is raised, so that Lambda tries again."""
    done = []
    for bucket, key in objects(event):
        # Its own answers must not call it again; recordings lie under Analysis/ as well.
        if "Analysis/" not in key or not key.endswith(".json"):
            continue
        document = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        answer = score(document)
        target = os.environ.get("RESULTS_PREFIX", "softsell/") + key.rpartition("/")[2]
        s3.put_object(Bucket=bucket, Key=target, Body=json.dumps(answer).encode(), ContentType="application/json")
        done.append({"result": target, **summary(answer)})
        log.info("scored %s", json.dumps(done[-1]))
    return done
