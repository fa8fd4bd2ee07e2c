"""Scores one item of a batch: what was sent in, a line of the results or of the errors out.

An item is scored as `POST /v1/score` scores it, through the batch lane, and what is wrong with it is told in the same
words. Reading and writing are done on threads that give way, as the scoring is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import ValidationError

from app.api.batch.items import READ
from app.api.bodies import read_json
from app.api.conversations import check_storable, to_store
from app.api.problems import NotReady, Refused, told_invalid
from app.api.requests import Options, ScoreBody, field_names
from app.api.runtime import Runtime
from app.api.schemas import score_answer
from app.api.scores import transcribed
from app.core.conversation import Conversation
from app.core.errors import ModelFailed, Overloaded, SoftsellError
from app.core.labels import LABEL_SET_VERSION
from app.core.scores import ConversationScore
from app.engine.lanes import give_way
from app.jobs.files import error_line, result_line
from app.jobs.worker import Later
from app.observe import LOGGER
from app.privacy.masks import redacted
from app.store.batch_queue import Claimed, Finished
from app.transcripts.intake import Taken

# Whether the items of a batch are requests in JSON Lines, or conversations that were read from documents.
OF_DOCUMENTS = "of_documents"
# A forward pass may fail for want of memory, which passes.
_TRIES = 3
_PAUSE_S = 1.0

logger = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class _Job:
    """An item as it is scored."""

    conversation: Conversation
    options: Options
    taken: Taken | None


class BatchWork:
    """What a worker calls for each item; `body` is the request model with this server's bounds."""

    def __init__(self, runtime: Runtime, body: type[ScoreBody]) -> None:
        self._runtime = runtime
        self._body = body
        self._fields = field_names(body)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="batch-lines", initializer=give_way)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, item: Claimed) -> Finished:
        """Score it. Raises `Later` while nothing can be scored, after a pause."""
        in_thread = partial(asyncio.get_running_loop().run_in_executor, self._threads)
        try:
            job = await in_thread(self._read, item)
            score = await self._scored(job, item)
            return await in_thread(self._written, item, job, score)
        except _Invalid as invalid:
            return invalid.finished(item)
        except (NotReady, Overloaded):
            await asyncio.sleep(_PAUSE_S)
            raise Later("nothing can be scored at present") from None
        except SoftsellError as error:
            return _Invalid(error.code, str(error)).finished(item)
        except Exception:
            logger.exception("an item of a batch cannot be scored")
            return _Invalid("internal_error", "something in softsell failed; report it if it persists").finished(item)

    async def _scored(self, job: _Job, item: Claimed) -> ConversationScore:
        for attempt in range(_TRIES):
            try:
                return await self._runtime.score(
                    job.conversation, evidence=job.options.evidence, scope=item.tenant, batch=True
                )
            except ModelFailed:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(_PAUSE_S)
        raise AssertionError("unreachable")

    def _read(self, item: Claimed) -> _Job:
        given = {name: value for name, value in item.options.items() if name in Options.model_fields}
        if item.options.get(OF_DOCUMENTS):
            read = READ.validate_json(item.input)
            job = _Job(read.conversation, Options(**given), read.taken())
        else:
            job = self._of_line(item.input, given)
        if job.options.store:
            check_storable(job.conversation)
        return job

    def _of_line(self, line: bytes, given: Mapping[str, Any]) -> _Job:
        try:
            value = read_json(line)
            value.pop("custom_id")
            own = value.get("options", {})
            sent = self._body.model_validate({**value, "options": {**given, **own} if isinstance(own, dict) else own})
        except Refused as refusal:
            raise _Invalid(refusal.code, refusal.detail) from None
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            # As FastAPI names places, which begin with the part of the request.
            told = told_invalid([{**each, "loc": ("body", *each["loc"])} for each in found], self._fields)
            raise _Invalid(told.code, told.detail, [each.model_dump() for each in told.errors]) from None
        if sent.conversation is not None:
            return _Job(sent.parsed(), sent.options, None)
        taken, conversation = transcribed(sent, sent.format, sent.roles)
        return _Job(conversation, sent.options, taken)

    def _written(self, item: Claimed, job: _Job, score: ConversationScore) -> Finished:
        conversation, options = job.conversation, job.options
        written = partial(
            score_answer,
            model_version=self._runtime.service.model_version,
            label_set_version=LABEL_SET_VERSION,
            turns=options.turns,
            taken=job.taken,
        )
        redaction = redacted(conversation) if options.redact else None
        answer = written(conversation, score, redaction=redaction)
        stored = None
        if options.store:
            kept = answer
            if redaction:
                # What is stored has the masked text alone, so its evidence counts in that.
                conversation, masked = redaction.conversation, redaction.masked_score(score)
                kept = written(conversation, masked, redaction=redaction.settled())
            stored, kept = to_store(conversation, kept, item.tenant, store_text=options.store_text)
            answer = answer.model_copy(update={"conversation_id": kept.conversation_id, "stored": True})
        line = result_line(item.custom_id, item.key.ordinal, answer.model_dump_json().encode())
        return Finished(item, line, stored=stored)


class _Invalid(Exception):
    """The item cannot be scored as it is."""

    def __init__(self, code: str, detail: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(code)
        self._code, self._detail, self._errors = code, detail, errors or []

    def finished(self, item: Claimed) -> Finished:
        """The error's line."""
        line = error_line(item.custom_id, item.key.ordinal, self._code, self._detail, self._errors)
        return Finished(item, line, self._code)
