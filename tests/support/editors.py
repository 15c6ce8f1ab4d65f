"""What CRMs make of a text by themselves: paragraphs of HTML, other white space. Nobody's words change by it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Final

_PARAGRAPH: Final = re.compile(r"<p>(.*?)</p>\s*", re.DOTALL)


def paragraphs(text: str) -> str:
    """Each line is a paragraph, as an editor stores it. HTML stays as it is."""
    if _PARAGRAPH.search(text):
        return text
    lines = re.split(r"\r\n|\n", text)
    return "".join(f"<p>{html.escape(line, quote=False) or '<br>'}</p>" for line in lines)


def spaced(text: str) -> str:
    """Line ends are CRLF, also between paragraphs; a second space is one that does not break, and an end is added."""
    text = re.sub(r"</p>\s*(?=<p>)", "</p>\n", text)
    return re.sub(r"\r\n|\n", "\r\n", text.rstrip()).replace("  ", " \xa0") + "\r\n"


def tidied(text: str) -> str:
    """Without spaces at the ends of lines, without empty lines, and with single spaces."""
    lines = (" ".join(line.split()) for line in text.replace("<p><br></p>", "").splitlines())
    return "\n".join(line for line in lines if line)


EDITORS: Final[Mapping[str, Callable[[str], str]]] = {
    "": lambda text: text,
    "paragraphs": paragraphs,
    "spaced": spaced,
    "tidied": tidied,
}
