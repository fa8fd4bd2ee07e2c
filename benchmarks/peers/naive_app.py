"""The usual way: FastAPI, a plain function as endpoint, a transformers pipeline in it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from transformers import pipeline

from benchmarks.peers.classifier import MODEL


class Text(BaseModel):
    """What is sent."""

    text: str


def create_app() -> FastAPI:
    """The application, with its model loaded."""
    classify = pipeline("text-classification", model=str(MODEL), device="cpu", top_k=None)
    app = FastAPI()

    @app.post("/classify")
    def score(sent: Text) -> Any:
        return classify(sent.text)

    return app
