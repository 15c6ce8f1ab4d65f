"""An answer while it arrives: unpacked step by step, and broken off as soon as it is too large or too deep.

Nobody who answers can make us hold more than `LARGEST` bytes of it, nor make a parser recurse further than `DEEPEST`.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from itertools import accumulate, count
from operator import sub
from typing import Final

LARGEST: Final = 32 * 1024 * 1024
"""Bytes of an answer, as sent and as unpacked."""
DEEPEST: Final = 100
"""Levels of lists and objects within each other."""
STEP: Final = 64 * 1024
"""Bytes that are unpacked and looked through at a time."""

_ALL_BUT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ALIKE: Final = bytes.maketrans(b"[]", b"{}")
# Twice what a bracket adds; what every bracket takes off again is its number.
_WEIGHTS: Final = bytes.maketrans(b"{}", bytes((2, 0)))
_FLAT: Final = 3
"""Levels that are taken away at once: most answers have no more within their rows."""


class Unfit(Exception):
    """What arrives cannot be an answer; the text says why."""


class Depth:
    """How deep JSON goes, told before anything parses it, in time proportional to its length."""

    def __init__(self) -> None:
        self._level = 0
        self._in_text = False
        self._escape = b""

    def take(self, piece: bytes) -> None:
        """The next piece of it; raises `Unfit` where it goes too deep."""
        piece = self._escape + piece
        self._escape = b""
        if b"\\" in piece:
            piece = piece.replace(rb"\\", b"").replace(rb"\"", b"")
            if piece.endswith(b"\\"):
                piece, self._escape = piece[:-1], b"\\"
        parts = piece.split(b'"')
        outside = parts[1::2] if self._in_text else parts[::2]
        self._in_text ^= len(parts) % 2 == 0
        self._count(b"".join(outside).translate(_ALIKE, _ALL_BUT_BRACKETS))

    def _count(self, brackets: bytes) -> None:
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
    """The whole body, unpacked. Raises `Unfit`, and leaves the rest unread, where it cannot be an answer."""
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
    return bytes(body)


class _Unlooked(Depth):
    """Of what is not written in bytes: its depth is told after it has been rewritten."""

    def take(self, piece: bytes) -> None:
        del piece


def is_wide(content: bytes) -> bool:
    """Whether this begins like a text of two or four bytes to a character."""
    return content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in content[:4].strip(b" \t\r\n")


def check_depth(content: bytes) -> None:
    """Raises `Unfit` where a whole body goes too deep."""
    depth = Depth()
    for start in range(0, len(content), STEP):
        depth.take(content[start : start + STEP])


def _too_large() -> Unfit:
    return Unfit(f"an answer of more than {LARGEST // 2**20} MiB")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _unpacking(encodings: str) -> Callable[[bytes], Iterator[bytes]]:
    """What takes bytes as they were sent and gives them as they were meant, never more than `STEP` at once."""
    names = [name for name in encodings.lower().replace(",", " ").split() if name != "identity"]
    if not names:
        return _steps
    if names in (["gzip"], ["x-gzip"]):
        return _Unpacker(zlib.MAX_WBITS | 16)
    if names == ["deflate"]:
        return _Unpacker(zlib.MAX_WBITS)
    msg = "an answer packed in a way that was not asked for"
    raise Unfit(msg)


def _steps(chunk: bytes) -> Iterator[bytes]:
    return (chunk[start : start + STEP] for start in range(0, len(chunk), STEP))


class _Unpacker:
    """Unpacks what zlib knows. What is called deflate is packed with zlib's header by some, without by others."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._unpacker = zlib.decompressobj(window)
        self._begun = False

    def __call__(self, chunk: bytes) -> Iterator[bytes]:
        for left in _steps(chunk):
            piece = b""
            while left or len(piece) == STEP:
                if self._unpacker.eof:
                    # A gzip file may hold several, one after the other; padding is no reason to lose them.
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
                msg = "an answer that cannot be unpacked"
                raise Unfit(msg) from error
        self._window = -zlib.MAX_WBITS
        self._unpacker = zlib.decompressobj(self._window)
        return self._step(chunk)
