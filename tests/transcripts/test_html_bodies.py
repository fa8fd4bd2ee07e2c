"""HTML bodies as plain text."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.transcripts.shared.html import plain


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", ""),
        ("plain\nwords\n\non lines", "plain\nwords\n\non lines"),
        ("a < b &amp; c > d <3", "a < b & c > d <3"),
        ("<p>one</p><p>two<br>three</p>", "one\ntwo\nthree"),
        ("<p>one\n  two\t<b>thr</b>ee</p>", "one two three"),
        ("<ul><li>a</li><li>b</li></ul>c", "a\nb\nc"),
        ('<p title="a>b">c&nbsp;d</p>', "c\xa0d"),
        ("a<script>if (1 < 2) { x('</p>') }</script>b<style>p > a {}</style>c", "abc"),
        ("<title>t</title><p>a", "a"),
        ("a<!-- <p>b</p> -->c<!doctype html><?php x ?>", "a c"),
        ("<![CDATA[ a ]]><p>b</p><![if x]>c", "b\nc"),
        ("<p>a</p> b <c", "a\nb <c"),
        ('<p><img src="a.png" alt="b"></p>', ""),
        ("<p>&#xD800;&#x110000;&lt;b&gt;</p>", "\ufffd\ufffd<b>"),
    ],
)
def test_bodies(body: str, expected: str) -> None:
    assert plain(body) == expected


@given(
    st.lists(st.sampled_from([*"<>/!-?[]&;#\"'= a\n\x00", "<!--", "-->", "<![", "<p>", "<script", "</"])).map("".join)
)
def test_no_body_raises(body: str) -> None:
    plain(body).encode()


@pytest.mark.parametrize(
    "piece", ["<", "<a ", '<a b="', "<!--", "<![CDATA[>", "<!", "<?", "</", "<script>", "<p>", "&#"]
)
def test_time_grows_no_faster_than_the_body(piece: str) -> None:
    for ending in ("", ">", "-->"):
        started = time.process_time()
        plain(piece * (100_000 // len(piece)) + ending)
        assert time.process_time() - started < 5


def test_a_very_long_body_loses_its_tags() -> None:
    assert plain("<p>a</p>" * 50_000) == "\n".join("a" * 50_000)
