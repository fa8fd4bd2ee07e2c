"""What a key may do in a minute, how that is told, and that one key's flood is not another's wait."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.access.rates import Rates
from app.api.problems import RateLimited
from app.store.keys import KeyLimits, KnownKey, NewKey, Scope
from tests.keyed import Keyed, bearer, keyed_client
from tests.serving import conversation

FIELD = re.compile(r'"(?P<unit>\w+)";(?P<more>[^,]+)(?:, |$)')


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def key(requests: int | None = None, turns: int | None = None, id_: str = "ssk_1") -> KnownKey:
    return KnownKey(id_, "acme", frozenset(Scope), KeyLimits(requests, turns), None, bytes(32))


def parameters(field: str) -> dict[str, dict[str, Any]]:
    """A structured field: a list of strings with parameters (RFC 9651)."""
    assert FIELD.sub("", field) == ""
    return {
        found["unit"]: {
            name: json.loads(value) for name, _, value in (part.partition("=") for part in found["more"].split(";"))
        }
        for found in FIELD.finditer(field)
    }


def told(rates: Rates, limited: KnownKey) -> dict[str, dict[str, dict[str, Any]]]:
    return {name.decode(): parameters(value.decode()) for name, value in rates.fields(limited)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rates(clock: Clock) -> Rates:
    return Rates(clock)


def test_a_minutes_worth_at_once_and_then_evenly(rates: Rates, clock: Clock) -> None:
    limited = key(requests=6)
    for _ in range(6):
        rates.take_request(limited)
    with pytest.raises(RateLimited, match="6 requests a minute") as refusal:
        rates.take_request(limited)
    assert refusal.value.retry_after_s == 10
    clock.now += 9
    with pytest.raises(RateLimited) as refusal:
        rates.take_request(limited)
    assert refusal.value.retry_after_s == 1
    clock.now += 1
    rates.take_request(limited)
    clock.now += 10_000
    for _ in range(6):
        rates.take_request(limited)
    with pytest.raises(RateLimited):
        rates.take_request(limited)


@pytest.mark.parametrize("limit", [1, 7, 60, 1000])
def test_whoever_waits_as_told_is_served(rates: Rates, clock: Clock, limit: int) -> None:
    limited = key(requests=limit)
    served = 0
    while clock.now < 700:
        try:
            rates.take_request(limited)
            served += 1
        except RateLimited as refusal:
            clock.now += refusal.retry_after_s
            rates.take_request(limited)
            served += 1
    # Ten minutes and the full bucket at the beginning; whole seconds may waste a little.
    assert limit * 9 < served <= limit * 11 + 1


def test_turns_are_counted_apart(rates: Rates, clock: Clock) -> None:
    limited = key(turns=100)
    rates.take_turns(limited, 60)
    rates.take_request(limited)
    with pytest.raises(RateLimited, match="100 turns") as refusal:
        rates.take_turns(limited, 60)
    assert refusal.value.retry_after_s == 12
    rates.take_turns(limited, 40)


def test_a_conversation_longer_than_a_minutes_worth_passes_and_is_made_up_for(rates: Rates, clock: Clock) -> None:
    limited = key(requests=1000, turns=100)
    rates.take_turns(limited, 300)
    assert told(rates, limited)["ratelimit"]["turns"] == {"r": 0, "t": 180}
    with pytest.raises(RateLimited) as refusal:
        rates.take_request(limited)
    assert refusal.value.retry_after_s == 120
    clock.now += 120
    rates.take_request(limited)
    with pytest.raises(RateLimited):
        rates.take_turns(limited, 300)
    clock.now += 60
    rates.take_turns(limited, 300)


def test_a_refused_request_costs_nothing(rates: Rates, clock: Clock) -> None:
    limited = key(requests=1)
    rates.take_request(limited)
    for _ in range(50):
        with pytest.raises(RateLimited):
            rates.take_request(limited)
    clock.now += 60
    rates.take_request(limited)


def test_what_is_told(rates: Rates, clock: Clock) -> None:
    limited = key(requests=60, turns=600)
    for _ in range(5):
        rates.take_request(limited)
    rates.take_turns(limited, 100)
    assert told(rates, limited) == {
        "ratelimit-policy": {"requests": {"q": 60, "w": 60}, "turns": {"q": 600, "w": 60, "qu": "turns"}},
        "ratelimit": {"requests": {"r": 55, "t": 5}, "turns": {"r": 500, "t": 10}},
    }
    assert rates.fields(key()) == []


def test_keys_do_not_share_and_are_forgotten(rates: Rates) -> None:
    one, other = key(requests=1, id_="ssk_1"), key(requests=1, id_="ssk_2")
    rates.take_request(one)
    rates.take_request(other)
    rates.forget_all_but({"ssk_2"})
    rates.take_request(one)
    with pytest.raises(RateLimited):
        rates.take_request(other)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    with keyed_client(tmp_path_factory.mktemp("rates")) as opened:
        yield opened


def post(keyed: Keyed, new: NewKey, turns: int = 2) -> Any:
    body = conversation(*(("agent", f"Hello {number}.") for number in range(turns)))
    return keyed.client.post("/v1/score", json=body, headers=bearer(new))


def test_too_many_requests_are_a_problem_that_says_when(keyed: Keyed) -> None:
    new, other = keyed.new(limits=KeyLimits(requests_per_minute=3)), keyed.new()
    answers = [post(keyed, new) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [parameters(answer.headers["RateLimit"])["requests"]["r"] for answer in answers] == [2, 1, 0]
    refused = post(keyed, new)
    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["title"]) == (
        429,
        "rate_limited",
        "The key's rate is used up",
    )
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == str(problem["retry_after_s"])
    assert 1 <= problem["retry_after_s"] <= 20
    assert parameters(refused.headers["RateLimit-Policy"]) == {"requests": {"q": 3, "w": 60}}
    assert parameters(refused.headers["RateLimit"])["requests"]["r"] == 0
    assert post(keyed, other).status_code == 200


def test_every_answer_of_a_limited_key_tells_its_rate(keyed: Keyed) -> None:
    new = keyed.new(Scope.SCORE, Scope.READ, limits=KeyLimits(requests_per_minute=100))
    for method, path, status in (
        ("GET", "/v1/labels", 200),
        ("GET", "/v1/conversations/none", 404),
        ("DELETE", "/v1/conversations/none", 403),
        ("POST", "/v1/score", 415),
    ):
        response = keyed.client.request(method, path, headers=bearer(new), content=b"{")
        assert response.status_code == status
        assert parameters(response.headers["RateLimit"])["requests"]["r"] < 100
    for free in (keyed.client.get("/v1/labels", headers=bearer(keyed.new())), keyed.client.get("/livez")):
        assert "RateLimit" not in free.headers
        assert "RateLimit-Policy" not in free.headers


def test_turns_are_limited_before_they_are_scored(keyed: Keyed) -> None:
    new = keyed.new(limits=KeyLimits(turns_per_minute=10))
    first = post(keyed, new, turns=8)
    assert parameters(first.headers["RateLimit"])["turns"]["r"] == 2
    scored = keyed.client.app.state.runtime.metrics.turns._value.get()  # type: ignore[attr-defined]
    refused = post(keyed, new, turns=8)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert refused.headers["Retry-After"] == str(refused.json()["retry_after_s"])
    assert keyed.client.app.state.runtime.metrics.turns._value.get() == scored  # type: ignore[attr-defined]
    assert post(keyed, new, turns=2).status_code == 200


def test_a_key_may_be_held_to_smaller_bodies(keyed: Keyed) -> None:
    small = keyed.new(limits=KeyLimits(max_body_bytes=200))
    assert post(keyed, small, turns=1).status_code == 200
    refused = post(keyed, small, turns=50)
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    assert "200 bytes" in refused.json()["detail"]
    large = keyed.new(limits=KeyLimits(max_body_bytes=10**9))
    headers = {**bearer(large), "Content-Type": "application/json"}
    over = keyed.client.post("/v1/score", content=b"x" * 1_048_577, headers=headers)
    assert over.status_code == 413
    assert post(keyed, keyed.new(), turns=50).status_code == 200


def test_the_document_declares_keys_and_rates() -> None:
    folder = Path(__file__).resolve().parents[2] / "openapi"
    newest = json.loads((folder / "openapi.json").read_text(encoding="utf-8"))
    assert newest["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert newest["components"]["securitySchemes"]["apiKey"]["name"] == "X-API-Key"
    score = newest["paths"]["/v1/score"]["post"]
    assert score["security"] == [{"bearer": ["score"]}, {"apiKey": ["score"]}]
    assert {"401", "403", "429"} <= set(score["responses"])
    assert "Retry-After" in score["responses"]["429"]["headers"]
    assert newest["paths"]["/livez"]["get"]["security"] == []
    assert newest["paths"]["/v1/labels"]["get"]["security"] == [{"bearer": []}, {"apiKey": []}]
    older = json.loads((folder / "openapi-3.0.json").read_text(encoding="utf-8"))
    assert older["paths"]["/v1/score"]["post"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert set(older["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    oldest = json.loads((folder / "swagger-2.0.json").read_text(encoding="utf-8"))
    assert oldest["paths"]["/v1/score"]["post"]["security"] == [{"apiKey": []}]
    assert oldest["securityDefinitions"]["apiKey"]["in"] == "header"
