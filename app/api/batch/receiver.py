"""Takes in the body of a batch: to the store as it comes, held in memory a group of items at a time.

An `Idempotency-Key` is taken before the body is read, and what two requests of one key have to agree on is the hash of
their options and of the body, which is made while it comes in.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from app.api.access.tenant import tenant_of
from app.api.batch.desk import BatchDesk
from app.api.batch.items import GROUP_BYTES, GROUP_ITEMS, Lines, duplicate, fingerprint, of_document, of_line
from app.api.batch.work import OF_DOCUMENTS
from app.api.problems import Refused
from app.api.runtime import Runtime
from app.core.conversation import Role
from app.core.errors import LimitExceeded, StoreUnavailable
from app.store.batches import NewItem

_MOST_FILES = 1_000
_MOST_KEY_CHARACTERS = 255
# How long a request waits for an equal one that is still being received.
_SETTLING_S = 30.0
_POLL_S = 0.1
_CHUNK_BYTES = 1 << 18


class Receiver:
    """Takes in the body of one batch."""

    def __init__(self, runtime: Runtime, desk: BatchDesk, request: Request, options: dict[str, Any]) -> None:
        self._runtime = runtime
        self._limits = runtime.settings.limits
        self._desk = desk
        self._request = request
        self._options = options

    async def receive(self, key: str | None, roles: dict[str, Role], only: str) -> str:
        """The id of the batch: a new one, or that of an equal request with the same key.

        Raises:
            Refused: if the body is empty, or differs from that which came with this key before.
            LimitExceeded: if there are too many conversations.
            StoreUnavailable: if it cannot be stored; nothing is, then.
        """
        batches, keeper = self._desk.batches, self._runtime.keeper
        batch_id, is_new = await keeper.run(batches.begin, tenant_of(self._request), self._options, key)
        target = batch_id if is_new else None
        try:
            if self._options[OF_DOCUMENTS]:
                count, digest = await self._documents(target, roles, only)
            else:
                count, digest = await self._lines(target)
            if not count:
                raise Refused(400, "the body holds no conversation; send one a line, or files")
            found = fingerprint(self._options, digest)
            if is_new:
                await keeper.run(batches.received, batch_id, found)
        except BaseException:
            if is_new:
                await self._dropped(batch_id)
            raise
        if not is_new:
            await self._compare(batch_id, found)
        return batch_id

    async def _dropped(self, batch_id: str) -> None:
        # Should the store fail here too, the batch is dropped when its lease has run out.
        with suppress(StoreUnavailable):
            await asyncio.shield(asyncio.ensure_future(self._runtime.keeper.run(self._desk.batches.drop, batch_id)))

    async def _compare(self, batch_id: str, found: str) -> None:
        """Return if the batch came with the same body."""
        give_up = asyncio.get_running_loop().time() + _SETTLING_S
        while asyncio.get_running_loop().time() < give_up:
            batch = await self._runtime.keeper.run(self._desk.batches.get, tenant_of(self._request), batch_id)
            if batch is None:
                break
            if batch.body_sha256 is not None:
                if batch.body_sha256 != found:
                    detail = (
                        "this Idempotency-Key came with another body or other options; use a new key for a new batch"
                    )
                    raise Refused(422, detail, "idempotency_key_reused")
                return
            await asyncio.sleep(_POLL_S)
        raise Refused(409, "an equal request is not settled yet; send it again in a minute", "idempotency_unsettled")

    async def _lines(self, batch_id: str | None) -> tuple[int, str]:
        most_bytes, most_id = self._limits.max_body_bytes, self._limits.max_id_characters
        lines = Lines(self._request.stream(), most_bytes)
        count, size, group = 0, 0, list[tuple[int, bytes | None]]()

        def items() -> list[NewItem]:
            return [of_line(number, line, most_bytes, most_id) for number, line in group]

        async for number, line in lines.each():
            count = self._counted(count + 1)
            if batch_id is None:
                continue
            group.append((number, line))
            size += len(line or b"")
            if len(group) >= GROUP_ITEMS or size >= GROUP_BYTES:
                await self._add(batch_id, await asyncio.to_thread(items))
                group, size = [], 0
        if group and batch_id is not None:
            await self._add(batch_id, await asyncio.to_thread(items))
        return count, lines.digest.hexdigest()

    async def _documents(self, batch_id: str | None, roles: dict[str, Role], only: str) -> tuple[int, str]:
        async with self._request.form(max_files=_MOST_FILES, max_fields=0) as form:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            digest = await asyncio.to_thread(_digest, form)
            count = 0
            for file in files:
                items = of_document(
                    file.file, file.filename or "", roles, only, count + 1, self._limits.max_id_characters
                )
                while group := await asyncio.to_thread(_next_group, items):
                    count = self._counted(count + len(group))
                    if batch_id is not None:
                        await self._add(batch_id, group)
        return count, digest

    async def _add(self, batch_id: str, items: list[NewItem]) -> None:
        await self._runtime.keeper.run(self._desk.batches.add, batch_id, items, duplicate)

    def _counted(self, count: int) -> int:
        if count > self._limits.max_batch_items:
            raise LimitExceeded(f"a batch has at most {self._limits.max_batch_items} conversations; send several")
        return count


def _next_group(items: Iterator[NewItem]) -> list[NewItem]:
    group: list[NewItem] = []
    size = 0
    for item in items:
        group.append(item)
        size += len(item.input or b"")
        if len(group) >= GROUP_ITEMS or size >= GROUP_BYTES:
            break
    return group


def _digest(form: FormData) -> str:
    """Of names and contents: the boundary between parts differs each time a request is sent."""
    digest = hashlib.sha256()
    for _, value in form.multi_items():
        if isinstance(value, UploadFile):
            content = hashlib.sha256()
            while part := value.file.read(_CHUNK_BYTES):
                content.update(part)
            digest.update(
                f"{content.hexdigest()} {(value.filename or '').encode('utf-8', 'surrogatepass').hex()}\n".encode()
            )
            value.file.seek(0)
    return digest.hexdigest()


def checked_key(key: str | None) -> str | None:
    """An `Idempotency-Key` of the length and characters that are taken. Raises `Refused`."""
    if key is not None and not (0 < len(key) <= _MOST_KEY_CHARACTERS and key.isascii() and key.isprintable()):
        raise Refused(422, f"an Idempotency-Key has 1 to {_MOST_KEY_CHARACTERS} printable ASCII characters")
    return key
