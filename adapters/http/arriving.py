"""Receive an answer: decompress it step by step, and stop as soon as it is too large or too deep.

No server can make us hold more than `LARGEST` bytes, or make a parser recurse deeper than `DEEPEST` levels.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from itertools import accumulate, count
from operator import sub
from typing import Final

LARGEST: Final = 32 * 1024 * 1024
"""The largest answer in bytes, compressed and decompressed."""
DEEPEST: Final = 100
"""The most levels of nested lists and objects."""
STEP: Final = 64 * 1024
"""Bytes that are decompressed and checked at a time."""

_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ALIKE: Final = bytes.maketrans(b"[]", b"{}")
# 2 for an opening and 0 for a closing bracket, because bytes cannot be negative. Taking 1 off for each bracket gives
# +1 and -1.
_WEIGHTS: Final = bytes.maketrans(b"{}", bytes((2, 0)))
_FLAT: Final = 3
"""Inner levels that are removed before the exact count. Rows of most answers have no more levels."""


class Unfit(Exception):
    """The answer is too large, too deep or cannot be decompressed. The text says which."""


class Depth:
    """Checks the depth of JSON before it is parsed, in time proportional to its length."""

    def __init__(self) -> None:
        self._level = 0
        self._in_text = False
        self._escape = b""

    def take(self, piece: bytes) -> None:
        """Check the next piece. Raises `Unfit` if the JSON is too deep."""
        piece = self._escape + piece
        self._escape = b""
        # Remove escaped quotes, so that every quote that remains begins or ends a string. A backslash at the end of a
        # piece is kept for the next one.
        if b"\\" in piece:
            piece = piece.replace(rb"\\", b"").replace(rb"\"", b"")
            if piece.endswith(b"\\"):
                piece, self._escape = piece[:-1], b"\\"
        parts = piece.split(b'"')
        outside = parts[1::2] if self._in_text else parts[::2]
        self._in_text ^= len(parts) % 2 == 0
        self._count(b"".join(outside).translate(_ALIKE, _ALL_BUT_BRACKETS))

    def _count(self, brackets: bytes) -> None:
        # The exact count is slow, so two upper bounds are tried first: all opening brackets, then those that are left
        # when empty pairs are removed a few times.
        opening = brackets.count(b"{")
        if self._level + opening > DEEPEST and self._level + _FLAT + _without_flat(brackets).count(b"{") > DEEPEST:
            levels = map(sub, accumulate(brackets.translate(_WEIGHTS)), count(1))
            if self._level + max(levels) > DEEPEST:
                msg = f"an answer of more than {DEEPEST} levels"
                raise Unfit(msg)
        self._level += 2 * opening - len(brackets)


def _without_flat(brackets: bytes) -> bytes:
    for _ in range(_FLAT):
        brackets = brackets.replace(b"{}", b"")
    return brackets


async def receive(chunks: AsyncIterable[bytes], headers: Mapping[str, str]) -> bytes:
    """The whole body, decompressed. Raises `Unfit` and does not read the rest if the body is not acceptable."""
    # Only a shortcut. The header may be missing or wrong, so the bytes are counted below as well.
    if _number(headers.get("Content-Length", "")) > LARGEST:
        raise _too_large()
    unpack = _unpacking(headers.get("Content-Encoding", ""))
    depth, body, arrived = Depth(), bytearray(), 0
    async for chunk in chunks:
        arrived += len(chunk)
        if arrived > LARGEST:
            raise _too_large()
        for piece in unpack(chunk):
            if len(body) + len(piece) > LARGEST:
                raise _too_large()
            if not body and is_wide(piece):
                depth = _Unlooked()
            depth.take(piece)
            body += piece
    # A compressed answer that breaks off needs no check here: its JSON has no end, so it cannot be parsed.
    return bytes(body)


class _Unlooked(Depth):
    """For UTF-16 and UTF-32: the depth is checked after the conversion to UTF-8, see `answers.readable`."""

    def take(self, piece: bytes) -> None:
        del piece


def is_wide(content: bytes) -> bool:
    """Whether this looks like the beginning of UTF-16 or UTF-32."""
    return content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in content[:4].strip(b" \t\r\n")


def check_depth(content: bytes) -> None:
    """Raise `Unfit` if a whole body is too deep."""
    depth = Depth()
    for start in range(0, len(content), STEP):
        depth.take(content[start : start + STEP])


def _too_large() -> Unfit:
    return Unfit(f"an answer of more than {LARGEST // 2**20} MiB")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _unpacking(encodings: str) -> Callable[[bytes], Iterator[bytes]]:
    """A function that decompresses chunks into pieces of at most `STEP` bytes."""
    names = [name for name in encodings.lower().replace(",", " ").split() if name != "identity"]
    if not names:
        return _steps
    if names in (["gzip"], ["x-gzip"]):
        return _Unpacker(zlib.MAX_WBITS | 16)
    if names == ["deflate"]:
        return _Unpacker(zlib.MAX_WBITS)
    msg = "an answer in a compression that was not requested"
    raise Unfit(msg)


def _steps(chunk: bytes) -> Iterator[bytes]:
    return (chunk[start : start + STEP] for start in range(0, len(chunk), STEP))


class _Unpacker:
    """Decompresses gzip and deflate. Some servers send deflate with zlib's header, some without it."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._unpacker = zlib.decompressobj(window)
        self._begun = False

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        for left in _steps(chunk):
            piece = b""
            # A full piece may not be all: more of it can wait inside the decompressor after the last input.
            while left or len(piece) == STEP:
                if self._unpacker.eof:
                    # A gzip stream may consist of several parts, with padding between them.
                    left = left.lstrip(b"\x00")
                    if not left:
                        break
                    self._unpacker = zlib.decompressobj(self._window)
                piece = self._step(left)
                left = self._unpacker.unconsumed_tail or self._unpacker.unused_data
                if piece:
                    yield piece

    def _step(self, chunk: bytes) -> bytes:
        first, self._begun = not self._begun, True
        try:
            return self._unpacker.decompress(chunk, STEP)
        except zlib.error as error:
            if not first or self._window != zlib.MAX_WBITS:
                msg = "an answer that cannot be decompressed"
                raise Unfit(msg) from error
        # The first bytes of deflate failed: try it again without zlib's header.
        self._window = -zlib.MAX_WBITS
        self._unpacker = zlib.decompressobj(self._window)
        return self._step(chunk)
