"""How deep an answer is nested is told before anything parses it."""

from __future__ import annotations

import contextlib
import itertools
import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.http import arriving
from adapters.http.arriving import DEEPEST, STEP, Depth, Unfit
from syncer.contract.errors import BadAnswer
from tests.support.http_client import nested, read


@pytest.mark.parametrize("around", [(b"", b""), (b'{"a": "[[[\\"{{", "data": ', b"}")])
def test_depth_is_told_before_anything_parses_it(around: tuple[bytes, bytes]) -> None:
    levels = DEEPEST - (1 if around[0] else 0)
    assert read(around[0] + nested(levels) + around[1]) is not None
    for deep in (nested(levels + 1), b"[" * 20_000, nested(200, '{"a":', "}")):
        with pytest.raises(BadAnswer, match="more than 100 levels"):
            read(around[0] + deep + around[1])


def test_many_things_beside_each_other_are_not_deep() -> None:
    assert read(json.dumps([[{"a": [1]}] * 5] * 2000).encode()) is not None


def slow_depth(text: str) -> int:
    """The largest number of open brackets outside of texts, told one character after the other."""
    level = deepest = 0
    in_text = escaped = False
    for letter in text:
        if letter == '"' and not escaped:
            in_text = not in_text
        elif not in_text and letter in "[{":
            level += 1
            deepest = max(deepest, level)
        elif not in_text and letter in "]}":
            level -= 1
        escaped = letter == "\\" and not escaped
    return deepest


@given(st.text('[]{}"\\a', max_size=60), st.lists(st.integers(1, 9), min_size=1), st.integers(1, 8))
@example('\\"[[', [1], 1)
@example('"\\\\"[[', [1], 1)
@example('"\\"[["[', [3], 1)
def test_depth_does_not_depend_on_where_the_pieces_end(text: str, sizes: list[int], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arriving, "DEEPEST", most)
        depth, rest, too_deep = Depth(), text.encode(), False
        for size in itertools.cycle(sizes):
            try:
                depth.take(rest[:size])
            except Unfit:
                too_deep = True
            rest = rest[size:]
            if too_deep or not rest:
                break
        assert too_deep == (slow_depth(text) > most)


@pytest.mark.parametrize(
    "piece", [b"[]", b"[[]]", b'"', b'\\"', b'"\\"', b'""', b'"a",', b"\\", b"[", b"a", b'{"a":[1]},']
)
def test_depth_takes_linear_time(piece: bytes) -> None:
    body = b'"' + piece * (2_000_000 // len(piece))
    started = time.process_time()
    for body_of in (body, body[1:]):
        depth = Depth()
        with contextlib.suppress(Unfit):
            for start in range(0, len(body_of), STEP):
                depth.take(body_of[start : start + STEP])
    assert time.process_time() - started < 2
