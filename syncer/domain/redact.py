"""Remove secrets and terminal control characters from every text that leaves the process.

Logs, errors, the ledger and reports all go through `redact`. Its time grows with the length of the text only: a CRM
cannot slow us down with a hostile text.
"""

from __future__ import annotations

import re
import traceback
from base64 import b64encode
from collections.abc import Iterator
from typing import Final

import re2

MASK: Final = "[secret]"
_MASKED: Final = b"\xff"
"""A byte that never occurs in UTF-8. The mask is put in at the end, because a secret may be a part of ``[secret]``."""
ALONE: Final = 4
"""Shorter secrets are masked only as whole words and as they are: they occur within too many words."""
HEAD: Final = 64
"""A secret is searched by this many characters. What may be the rest of a longer secret is masked with them."""
_TOGETHER: Final = 8
_REST_OF_LETTERS: Final = rb"[^\s\"<>]*"
_REST_OF_HEXADECIMAL: Final = rb"(?:\s*(?:[:-]|\\*x|0x)?[0-9a-fA-F]{2})*"
_REST_OF_BASE64: Final = rb"(?:[A-Za-z0-9+/_%=-]|\r?\n|\\+[rn])*"
_TRACEBACK_LINE: Final = 1000
_ERROR: Final = 300
# A text may hold half of a surrogate pair. Whatever it holds, masking must not fail.
_UTF8: Final = ("utf-8", "surrogatepass")
_NAMED: Final = {'"': b"quot", "&": b"amp", "<": b"lt", ">": b"gt", "'": b"apos"}
_BASE64_LETTER: Final = rb"[A-Za-z0-9+/_-]"
_BASE64: Final = {
    ord("+"): rb"(?:[+-]|%2[bB]|\\+u002[bB])",
    ord("/"): rb"(?:\\*/|_|%2[fF]|\\+u002[fF])",
}
_BREAK: Final = rb"(?:\s|%0[aAdD]|\\+[rn])*"
_END_OF_BASE64: Final = rb"(?:=|%3[dD]|\\+u003[dD]){0,2}"
# Control characters except newline and tab, direction marks, line separators, surrogates, byte order marks.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def plain(text: str) -> str:
    """The text with ``�`` for each character that controls a terminal, or hides or reverses other characters.

    Newlines and tabs stay. Carriage return and newline become a newline.
    """
    # Nearly every text is. It is asked of every word of a long answer.
    if text.isprintable():
        return text
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def protect(secret: str) -> None:
    """Mask this secret from now on, in plain text and in these notations.

    Percent-encoding, JSON, HTML, base64 (also within a longer base64 text), hexadecimal digits.
    """
    _secrets.add(secret)


def redact(text: str) -> str:
    """The text as `plain` makes it, with every protected secret masked."""
    return plain(_secrets.mask(text))


def redacted_traceback(error: BaseException) -> str:
    """The traceback of an error and its causes, redacted, with lines of limited length."""
    text = redact("".join(traceback.format_exception(error)))
    return "".join(f"{line[:_TRACEBACK_LINE]}\n" for line in text.splitlines())


def unexpected(error: BaseException) -> str:
    """An error of ours in one redacted line of limited length: what it is, and in which file and line it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    file = re.split(r"[\\/]", frames[-1].filename)[-1] if frames else ""
    where = f" at {file}:{frames[-1].lineno}" if frames else ""
    # The text may be whatever it was about. A part of a secret would not be masked, so it is shortened last.
    words = " ".join(redact(f"{type(error).__name__}: {error}".rstrip(": ")).split())
    cut = f"{words[:_ERROR]}…" if len(words) > _ERROR else words
    return f"unexpected {cut}{where}"


def longest_form() -> int:
    """The greatest length of a protected secret in any notation that is masked."""
    return _secrets.longest


class Secrets:
    """The secrets to mask. A few patterns find all of them."""

    def __init__(self) -> None:
        self.longest = 0
        self._known: set[str] = set()
        self._groups: list[list[str]] = []
        self._patterns: list[re2._Regexp[bytes]] = []

    def add(self, secret: str) -> None:
        """Mask this secret too."""
        if not secret or secret in self._known:
            return
        # The longest notation of one byte has about ten characters, such as ``&#x006b;``.
        self.longest = max(self.longest, 12 * len(secret.encode(*_UTF8)))
        within = any(other in secret for other in self._known)
        self._known.add(secret)
        # A few secrets share a pattern. A single pattern for all would be compiled again for each new secret.
        if within:
            # Longest first: if a secret that is part of another one were masked first, the rest would stay readable.
            every = sorted(self._known, key=len, reverse=True)
            self._groups = [every[first : first + _TOGETHER] for first in range(0, len(every), _TOGETHER)]
            self._patterns.clear()
        elif self._groups and len(self._groups[-1]) < _TOGETHER:
            self._groups[-1].append(secret)
            del self._patterns[len(self._groups) - 1 :]
        else:
            self._groups.append([secret])

    def mask(self, text: str) -> str:
        """The text with ``[secret]`` for each secret."""
        self._patterns += map(_pattern, self._groups[len(self._patterns) :])
        if not self._patterns:
            return text
        content = text.encode(*_UTF8)
        for pattern in self._patterns:
            content = pattern.sub(_MASKED, content)
        return content.replace(_MASKED, MASK.encode()).decode(*_UTF8)


def _pattern(secrets: list[str]) -> re2._Regexp[bytes]:
    options = re2.Options()
    # The patterns are bytes, and no text of characters.
    options.encoding = re2.Options.Encoding.LATIN1  # type: ignore[attr-defined]  # the stubs lack it
    # A long secret in all notations makes a pattern that RE2's own limit refuses.
    options.max_mem = 64 << 20
    options.log_errors = False
    forms = [form for secret in sorted(secrets, key=len, reverse=True) for form in _forms(secret)]
    return re2.compile(b"|".join(forms), options=options)


_secrets = Secrets()


def _forms(secret: str) -> Iterator[bytes]:
    """Regular expressions for all notations of a secret."""
    content = secret.encode(*_UTF8)
    if len(secret) < ALONE:
        yield _edge(content[:1]) + _literal(content) + _edge(content[-1:])
        return
    longer = len(secret) > HEAD
    yield _literal(content)
    yield b"".join(map(_letter, secret[:HEAD])) + (_REST_OF_LETTERS if longer else b"")
    head = secret[:HEAD].encode(*_UTF8)
    yield rb"\s*(?:[:-]|\\*x|0x)?".join(map(_hexadecimal, head)) + (_REST_OF_HEXADECIMAL if longer else b"")
    # Base64 encodes three bytes at a time, so the letters depend on where in a group the secret begins.
    for before in range(3):
        yield _in_base64(head, before) + (_REST_OF_BASE64 if longer else b"")


def _edge(byte: bytes) -> bytes:
    return rb"\b" if byte.isalnum() else b""


def _literal(content: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in content)


def _hexadecimal(byte: int) -> bytes:
    digits = f"{byte:02x}"
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits).encode()


def _letter(letter: str) -> bytes:
    """One character: as it is, escaped, or in the notation of a URL, a form, a JSON string or HTML."""
    content = letter.encode(*_UTF8)
    units = letter.encode("utf-16-be", "surrogatepass")
    code = ord(letter)
    # Escapes may be repeated: a JSON text within another, a URL within a URL, HTML within HTML.
    forms = [
        rb"\\+" if letter == "\\" else rb"\\*" + _literal(content),
        b"".join(rb"%(?:25)*" + _hexadecimal(byte) for byte in content),
        b"".join(
            rb"\\+u" + _hexadecimal(high) + _hexadecimal(low) for high, low in zip(units[::2], units[1::2], strict=True)
        ),
        rb"\\+x" + _hexadecimal(code) if code < 0x80 else b"",
        rb"&(?:amp;)*(?:#0*%d|#[xX]0*(?i:%x)%s);" % (code, code, b"|" + _NAMED[letter] if letter in _NAMED else b""),
        rb"\+" if letter == " " else b"",
    ]
    return b"(?:" + b"|".join(form for form in forms if form) + b")"


def _in_base64(content: bytes, before: int) -> bytes:
    """The base64 letters of the secret if ``before`` (0 to 2) bytes come before it within its group of three."""
    # The first and the last letter also hold bits of the bytes around the secret, so they may be any letter.
    bits = 8 * (before + len(content))
    start = (8 * before + 5) // 6
    letters = b64encode(bytes(before) + content)[start : bits // 6]
    core = _BREAK.join(_BASE64.get(letter, bytes([letter])) for letter in letters)
    first = _BASE64_LETTER + b"?" + _BREAK if before else b""
    last = _BREAK + _BASE64_LETTER + b"?" if bits % 6 else b""
    return first + core + last + _END_OF_BASE64
