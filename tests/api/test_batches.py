"""Batches over HTTP: sent, looked at, cancelled, and fetched whole or in parts."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.api.batch import receiver as batch_receiver
from app.api.schemas import ScoreAnswer
from app.engine.limits import Limits
from app.model.stub import StubClassifier
from app.settings import Settings
from app.store.batches import Batches
from tests.serving import conversation, open_client, wait_until

LINES = {"Content-Type": "application/jsonl"}
CANARY = "marmalade"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    limits = Limits(max_batch_bytes=200_000, max_batch_items=500, max_body_bytes=5_000)
    return Settings(engine="stub", database_url=database_url, data_dir=tmp_path / "data", limits=limits)


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with open_client(settings) as opened:
        yield opened


def said(custom_id: str, text: str = "This plan is guaranteed.", **more: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, **conversation(("agent", text), ("customer", "I need to think, no.")), **more}


def jsonl(*lines: Any) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def send(client: TestClient, body: bytes, query: str = "", **headers: str) -> dict[str, Any]:
    response = client.post(f"/v1/batches{query}", content=body, headers={**LINES, **headers})
    assert response.status_code == 202, response.text
    batch: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/batches/{batch['id']}"
    return batch


def final(client: TestClient, batch_id: str) -> dict[str, Any]:
    def batch() -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/v1/batches/{batch_id}").json()
        return found

    wait_until(lambda: batch()["status"] in ("completed", "failed", "cancelled", "expired"), 60)
    return batch()


def lines(client: TestClient, batch_id: str, kind: str = "results") -> list[dict[str, Any]]:
    response = client.get(f"/v1/batches/{batch_id}/{kind}")
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.content.splitlines()]


def test_a_batch_is_scored_in_order_and_told_of(client: TestClient) -> None:
    batch = send(client, jsonl(*(said(f"c-{number}") for number in range(40))))
    assert batch["object"] == "batch"
    assert batch["request_counts"]["total"] == 40
    done = final(client, batch["id"])
    assert (done["status"], done["progress"], done["seconds_left"], done["error"]) == ("completed", 1.0, 0.0, None)
    assert done["request_counts"] == {"total": 40, "completed": 40, "failed": 0, "cancelled": 0}
    assert done["conversations_per_s"] > 0
    assert done["created_at"] <= done["started_at"] <= done["finished_at"] < done["expires_at"] < done["deleted_at"]
    found = lines(client, batch["id"])
    assert [line["custom_id"] for line in found] == [f"c-{number}" for number in range(40)]
    direct = client.post("/v1/score", json={"conversation": said("c-0")["conversation"]})
    assert found[0]["response"] == {"status_code": 200, "body": direct.json()}
    assert lines(client, batch["id"], "errors") == []
    assert [each["id"] for each in client.get("/v1/batches").json()["batches"]] == [batch["id"]]


def test_what_is_wrong_with_a_line_is_told_in_its_place(client: TestClient) -> None:
    body = jsonl(said("a"), said("a"), said("b", options={"evidense": True}), {"conversation": {}}, [1])
    body += b"\n{" + CANARY.encode() + b"\n" + jsonl(said("long", "x " * 3_000), said("z", " "))
    body += b'{"custom_id": "last"}'
    batch = send(client, body)
    done = final(client, batch["id"])
    assert done["request_counts"] == {"total": 9, "completed": 1, "failed": 8, "cancelled": 0}
    errors = lines(client, batch["id"], "errors")
    assert [(error["line"], error["custom_id"], error["error"]["code"]) for error in errors] == [
        (2, "a", "duplicate_custom_id"),
        (3, "b", "invalid_request"),
        (4, None, "invalid_custom_id"),
        (5, None, "invalid_custom_id"),
        (7, None, "invalid_json"),
        (8, None, "limit_exceeded"),
        (9, "z", "invalid_request"),
        (10, "last", "invalid_request"),
    ]
    assert errors[1]["error"]["errors"][0]["pointer"] == "/options"
    assert "did you mean `evidence`?" in errors[1]["error"]["errors"][0]["detail"]
    assert errors[6]["error"]["errors"][0]["pointer"] == "/conversation/turns/0/text"
    assert CANARY not in json.dumps(errors)


def test_a_body_of_which_nothing_can_be_read_is_a_failed_batch(client: TestClient) -> None:
    done = final(client, send(client, b"Agent: hello\nCustomer: hi\n")["id"])
    assert (done["status"], done["error"]) == ("failed", "no_readable_item")
    assert len(lines(client, done["id"], "errors")) == 2


def test_options_of_the_query_hold_where_a_line_has_none(client: TestClient) -> None:
    own = said("b", options={"evidence": True, "turns": True})
    batch = send(client, jsonl(said("a"), own), "?evidence=false&turns=false")
    final(client, batch["id"])
    first, second = (line["response"]["body"]["turns"] for line in lines(client, batch["id"]))
    assert first == []
    assert [span["text"] for span in second[0]["evidence"]] == ["guaranteed"]


def test_answers_are_stored_and_masked_if_asked(client: TestClient) -> None:
    line = said("a", f"My name is Sarah Miller, {CANARY} guaranteed.", options={"redact": True})
    line["conversation"] |= {"id": "kept", "metadata": {"customer_id": "k-1"}}
    batch = send(client, jsonl(line, said("b", id="x")), "?store=true&store_text=true")
    final(client, batch["id"])
    answer = lines(client, batch["id"])[0]["response"]["body"]
    assert (answer["stored"], answer["redaction"]["name"]) == (True, 1)
    stored = client.get("/v1/conversations/kept").json()
    assert stored["turns"][0]["text"] == f"My name is [NAME], {CANARY} guaranteed."
    assert ScoreAnswer.model_validate(answer).mis_selling is not None


def test_what_was_sent_is_erased_when_it_is_scored(client: TestClient, settings: Settings) -> None:
    batch = send(client, jsonl(said("a", f"{CANARY} guaranteed")), "?evidence=false")
    final(client, batch["id"])
    assert CANARY not in client.get(f"/v1/batches/{batch['id']}/results").text
    if settings.store_url.startswith("sqlite"):
        folder = Path(settings.store_url.removeprefix("sqlite:///")).parent
        files = [path for path in folder.glob("softsell.db*") if CANARY.encode() in path.read_bytes()]
        assert files == []


def test_files_of_any_format_are_scored(client: TestClient) -> None:
    two = jsonl({"turns": [{"role": "agent", "text": "Hurry."}]}, {"turns": [{"role": "agent", "text": "Hello."}]})
    files = [
        ("file", ("call.txt", b"Agent: This is guaranteed.\nCustomer: I need it.")),
        ("file", ("two.jsonl", two)),
        ("file", ("bad.bin", b"\x00\x01\x02")),
        ("file", ("call.txt", b"Agent: Once more.\nCustomer: No.")),
    ]
    response = client.post("/v1/batches", files=files)
    assert response.status_code == 202, response.text
    batch = final(client, response.json()["id"])
    assert batch["request_counts"] == {"total": 5, "completed": 3, "failed": 2, "cancelled": 0}
    found = lines(client, batch["id"])
    assert [line["custom_id"] for line in found] == ["call.txt", "two.jsonl:1", "two.jsonl:2"]
    assert found[0]["response"]["body"]["source"]["format"] == "plain_text"
    errors = [(error["custom_id"], error["error"]["code"]) for error in lines(client, batch["id"], "errors")]
    assert errors == [("bad.bin", "unreadable_transcript"), ("call.txt", "duplicate_custom_id")]


def test_twenty_equal_requests_are_one_batch(client: TestClient) -> None:
    body = jsonl(*(said(f"c-{number}") for number in range(20)))
    with ThreadPoolExecutor(20) as pool:
        sent = list(pool.map(lambda _: send(client, body, **{"Idempotency-Key": "once"}), range(20)))
    assert len({batch["id"] for batch in sent}) == 1
    assert len(client.get("/v1/batches").json()["batches"]) == 1
    assert final(client, sent[0]["id"])["request_counts"]["completed"] == 20


@pytest.mark.parametrize("other", [(jsonl(said("b")), ""), (jsonl(said("a")), "?turns=false")])
def test_a_key_with_another_request_is_refused(client: TestClient, other: tuple[bytes, str]) -> None:
    first = send(client, jsonl(said("a")), **{"Idempotency-Key": "once"})
    body, query = other
    response = client.post(f"/v1/batches{query}", content=body, headers={**LINES, "Idempotency-Key": "once"})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert [batch["id"] for batch in client.get("/v1/batches").json()["batches"]] == [first["id"]]


def test_equal_files_are_equal_whatever_stands_between_them(client: TestClient) -> None:
    ids = set()
    for boundary in ("one", "two"):
        part = 'Content-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nAgent: Hello there.\r\n'
        body = f"--{boundary}\r\n{part}--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        response = client.post("/v1/batches", content=body, headers={"Content-Type": kind, "Idempotency-Key": "k"})
        assert response.status_code == 202, response.text
        ids.add(response.json()["id"])
    assert len(ids) == 1


def test_an_unsettled_key_is_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_receiver, "_SETTLING_S", 0.2)
    database = client.app.state.runtime.keeper.database  # type: ignore[attr-defined]
    Batches(database, timedelta(days=1), timedelta(days=1)).begin("local", {}, "k")
    response = client.post("/v1/batches", content=jsonl(said("a")), headers={**LINES, "Idempotency-Key": "k"})
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_unsettled")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", LINES, 400, "invalid_body"),
        (b"\n \n", LINES, 400, "invalid_body"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b"{}", {**LINES, "Content-Encoding": "gzip"}, 415, "unsupported_encoding"),
        (b"x" * 200_001, LINES, 413, "body_too_large"),
        (b"{}\n" * 501, LINES, 422, "limit_exceeded"),
        (b"{}", {**LINES, "Idempotency-Key": "x" * 256}, 422, "invalid_request"),
    ],
)
def test_a_body_that_is_refused_leaves_no_batch(
    client: TestClient, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    response = client.post("/v1/batches", content=body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert client.get("/v1/batches").json()["batches"] == []


def test_a_chunked_body_is_bounded_too(client: TestClient) -> None:
    response = client.post("/v1/batches", content=(jsonl(said(f"c-{n}")) for n in range(2_000)), headers=LINES)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")
    assert client.get("/v1/batches").json()["batches"] == []


def test_results_have_the_same_bytes_each_time_and_in_each_process(client: TestClient, settings: Settings) -> None:
    batch = send(client, jsonl(*(said(f"c-{number}") for number in range(10)), said("c-1")))
    final(client, batch["id"])
    for kind in ("results", "errors"):
        for form in ("jsonl", "csv", "parquet"):
            address = f"/v1/batches/{batch['id']}/{kind}?format={form}"
            first = client.get(address)
            assert client.get(address).content == first.content
            (settings.data_dir / "batches" / f"{batch['id']}.{kind}.{form}").unlink()
            again = client.get(address)
            assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])


def test_results_are_tables_too(client: TestClient) -> None:
    batch = send(client, jsonl(said("=a"), said("b", "Hello there, good morning.")))
    final(client, batch["id"])
    table = client.get(f"/v1/batches/{batch['id']}/results", headers={"Accept": "text/csv;q=0.9, */*;q=0.1"})
    assert table.headers["content-type"].startswith("text/csv")
    first, second = csv.DictReader(io.StringIO(table.text))
    assert (first["custom_id"], first["risk"], first["mis_selling_exaggeration"]) == ("'=a", "0.982014", "0.982014")
    assert (second["band"], second["turns"], second["line"]) == ("low", "2", "2")
    parquet = client.get(f"/v1/batches/{batch['id']}/results?format=parquet")
    rows = pq.read_table(io.BytesIO(parquet.content)).to_pylist()
    assert [(row["custom_id"], row["risk"]) for row in rows] == [("=a", 0.982014), ("b", 0.017986)]


def test_parts_of_results_can_be_asked_for(client: TestClient) -> None:
    batch = send(client, jsonl(said("a"), said("b")))
    final(client, batch["id"])
    address = f"/v1/batches/{batch['id']}/results"
    whole = client.get(address)
    etag = whole.headers["etag"]
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert client.get(address, headers={"Range": "bytes=-5"}).content == whole.content[-5:]
    assert client.get(address, headers={"Range": "bytes=10-19", "If-Range": etag}).status_code == 206
    assert client.get(address, headers={"Range": "bytes=10-19", "If-Range": '"other"'}).content == whole.content
    assert client.get(address, headers={"Range": "lines=1-2"}).content == whole.content
    assert client.get(address, headers={"If-None-Match": etag}).status_code == 304
    beyond = client.get(address, headers={"Range": f"bytes={len(whole.content)}-"})
    assert (beyond.status_code, beyond.json()["code"]) == (416, "range_not_satisfiable")
    assert beyond.headers["content-range"] == f"bytes */{len(whole.content)}"


def test_a_batch_is_cancelled(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = StubClassifier.forward
    monkeypatch.setattr(StubClassifier, "forward", lambda *given: (time.sleep(0.02), quick(*given))[1])
    batch = send(client, jsonl(*(said(f"c-{number}") for number in range(400))))
    address = f"/v1/batches/{batch['id']}"
    assert client.get(f"{address}/results").json()["code"] == "batch_not_final"
    cancelled = client.post(f"{address}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelling")
    done = final(client, batch["id"])
    counts = done["request_counts"]
    assert done["status"] == "cancelled"
    assert counts["cancelled"] > 0
    assert counts["completed"] + counts["cancelled"] == 400
    assert len(lines(client, batch["id"])) == counts["completed"]
    assert {error["error"]["code"] for error in lines(client, batch["id"], "errors")} == {"batch_cancelled"}
    assert client.post(f"{address}/cancel").json()["status"] == "cancelled"


def test_a_batch_that_is_done_cannot_be_cancelled(client: TestClient) -> None:
    batch = send(client, jsonl(said("a")))
    final(client, batch["id"])
    response = client.post(f"/v1/batches/{batch['id']}/cancel")
    assert (response.status_code, response.json()["code"]) == (409, "batch_not_in_progress")


def test_lists_have_pages(client: TestClient) -> None:
    sent = [send(client, jsonl(said("a")))["id"] for _ in range(3)]
    first = client.get("/v1/batches?limit=2").json()
    rest = client.get(f"/v1/batches?limit=2&cursor={first['next_cursor']}").json()
    assert [batch["id"] for page in (first, rest) for batch in page["batches"]] == sent[::-1]
    assert rest["next_cursor"] is None


def test_there_is_nothing_to_see_of_what_is_not_there(client: TestClient) -> None:
    for method, path in (("GET", ""), ("GET", "/results"), ("GET", "/errors"), ("POST", "/cancel")):
        assert client.request(method, f"/v1/batches/batch_0{path}").status_code == 404


def test_a_batch_goes_on_after_a_restart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as slow, open_client(settings) as client:
        quick = StubClassifier.forward
        slow.setattr(StubClassifier, "forward", lambda *given: (time.sleep(0.05), quick(*given))[1])
        batch = send(client, jsonl(*(said(f"c-{number}") for number in range(200))))
    with open_client(settings) as client:
        done = final(client, batch["id"])
        assert done["request_counts"]["completed"] == 200
        assert [line["line"] for line in lines(client, batch["id"])] == list(range(1, 201))
