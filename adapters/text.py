"""Convert texts of a CRM, which may be HTML, to plain text for another CRM (pure). Everything takes linear time.

The standard library's HTML parser is not used: it takes quadratic time on markup that never ends, and drops text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from syncer.domain.fields import TaskField, Value, same_value, words_of
from syncer.domain.task_ids import split_marker


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS: Final = _names(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer"
    " form h1 h2 h3 h4 h5 h6 header html legend li main menu nav ol option p pre section summary table tbody tfoot"
    " thead tr ul"
)
_BREAKS: Final = frozenset({"br", "hr"})
_INLINE: Final = _names(
    "a abbr acronym b bdi bdo big button cite code col colgroup data del dfn em font i iframe img input ins kbd label"
    " link mark meta noscript object param picture q s samp select small source span strike strong sub sup svg td"
    " textarea tfoot th time tt u var video wbr"
)
_UNSEEN: Final = frozenset({"head", "script", "style", "template", "title"})
# Only known elements are markup: people also write <name> or <asap>, and that must stay in the text.
_KNOWN: Final = _BLOCKS | _BREAKS | _INLINE | _UNSEEN
_SPECIAL: Final = re.compile(r"[<>\"']")
_ANGLE: Final = re.compile(r"[<>]")
# Includes elements with a prefix, as office programs write them: ``<o:p>``.
_NAME: Final = re.compile(
    r"/?((?:(?:o|v|w|m|x|st1):)?+[A-Za-z][A-Za-z0-9]{0,31}+)(?=[\s/]*+(?:>|(?<=[\s/])[A-Za-z_:@\"']))"
)
# The address of a link, in quotes or without.
_ADDRESS: Final = re.compile(r"""\shref\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.IGNORECASE)
_READABLE: Final = re.compile(r"(?:https?://|mailto:)(\S++)", re.IGNORECASE)
_LONGEST_ADDRESS: Final = 2000
_DECLARATION: Final = re.compile(r"!(?:doctype\b|\[(?:CDATA|if|endif)\b)|\?xml\b", re.IGNORECASE | re.ASCII)
# Longer numbers are no characters, and the standard library takes quadratic time for them, or fails.
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}+|#[xX][0-9a-fA-F]{1,6}+|[A-Za-z][A-Za-z0-9]{1,31}+);")

_LINE_ENDS: Final = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
# Terminal escape sequences, beginning with ESC or a C1 control: strings up to their end, then sequences, then the rest.
_ESCAPES: Final = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9b-\x9f\n]*+(?:\x07|\x9c|\x1b\\)"
    r"|(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    r"|\x1b[ -/]*+[0-~]"
)
# They make a text look otherwise than it is: in the next CRM, in a log, on a terminal.
_CONTROLS: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]"
)
_PASSES: Final = 5
"""The most conversions of one text. A tag that was escaped as entities becomes a tag, and disappears in the next
pass."""
_LINE_BREAKS: Final = re.compile(r"[\n\t]+")


def body_text(text: str) -> str:
    """A text without control characters and direction marks. Line ends become ``\\n``; tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub("", _ESCAPES.sub("", _LINE_ENDS.sub("\n", text)))


def title_text(text: str | None) -> str | None:
    """A text as one line, not shortened; ``None`` if nothing is left."""
    return _LINE_BREAKS.sub(" ", body_text((text or "").strip())).strip() or None


def plain_text(text: str, *, unescape: bool = False) -> str:
    """Convert a text that may be HTML to plain text. Other texts are only cleaned by `body_text`.

    A text counts as HTML if it has a closing tag of a known element, a line break, the beginning of a block, a comment,
    or an invisible element such as a script. In HTML, the ends of blocks become line ends, entities become characters,
    and all known tags, comments, styles, scripts and the head are removed. The address of a link follows its text in
    brackets. Malformed and unknown tags stay as text, so that nothing but markup is lost. ``unescape`` converts
    entities even in a text without any tag.
    """
    pieces = list(_pieces(text)) if "<" in text else [text]
    if any(_is_markup(piece) for piece in pieces if isinstance(piece, _Tag)):
        # Editors of HTML store a blank that was typed twice as a non-breaking one.
        text = _lines(pieces).replace("\xa0", " ")
        text = "\n".join(line.rstrip() for line in text.split("\n"))
    elif unescape:
        text = _unescaped(text).replace("\xa0", " ")
    return body_text(text)


def same_text_value(field: TaskField, one: Value, other: Value) -> bool:
    """Whether two values are the same in a CRM that may convert a text to HTML or back.

    Markup, entities, white space, control characters and marker lines are ignored.
    """
    if field is TaskField.ASSIGNEE or isinstance(one, datetime) or isinstance(other, datetime):
        return same_value(field, one, other)
    texts = [value if isinstance(value, str) else "" for value in (one, other)]
    # Most texts are equal as they are, and the conversion takes much longer than this comparison.
    return texts[0] == texts[1] or plain_words(texts[0]) == plain_words(texts[1])


def plain_words(text: str) -> str:
    """The words of a text, in whatever form it is written. The result does not change if it is converted again."""
    for _ in range(_PASSES):
        plain = plain_text(split_marker(text)[0] or "", unescape=True)
        if plain == text:
            break
        text = plain
    return words_of(text)


class _Tag(str):
    """Markup: ``p``, ``/p``, or ``!`` for a comment, a declaration or an invisible element. A link has an address."""

    address = ""


def _is_markup(tag: _Tag) -> bool:
    return tag.startswith(("/", "!")) or tag in _BLOCKS or tag in _BREAKS or tag in _UNSEEN


def _pieces(text: str) -> Iterator[str | _Tag]:
    """Text and markup in turn, in linear time: see `_Ends`."""
    ends = _Ends(text)
    done, at = 0, text.find("<")
    while at >= 0:
        found = _markup(text, at, ends)
        if found is not None:
            tag, end = found
            yield text[done:at]
            yield tag
            done = end
        at = text.find("<", max(done, at + 1))
    yield text[done:]


def _markup(text: str, at: int, ends: _Ends) -> tuple[_Tag, int] | None:
    """The markup that begins at ``at``, and where it ends. ``None`` if it is text."""
    if text.startswith("<!--", at):
        end = ends.after("-->", at + 4)
        return None if end is None else (_Tag("!"), end)
    if _DECLARATION.match(text, at + 1):
        end = ends.after(">", at)
        return None if end is None else (_Tag("!"), end)
    named = _NAME.match(text, at + 1)
    name = named[1].lower() if named else ""
    if named is None or (name not in _KNOWN and ":" not in name):
        return None
    end = ends.of_tag(named.end())
    if end is None:
        return None
    closes = text[at + 1] == "/"
    if name in _UNSEEN and not closes:
        # If its end is missing, only the tag is removed: a browser would hide all the rest, and we must not lose it.
        whole = ends.of_element(name, end)
        return (_Tag("!"), whole) if whole is not None else (_Tag(name), end)
    tag = _Tag(f"/{name}" if closes else name)
    if tag == "a":
        tag.address = _address(text[named.end() : end])
    return tag, end


def _address(attributes: str) -> str:
    """The address of a link that people can use elsewhere; empty if there is none."""
    found = _ADDRESS.search(attributes)
    address = "" if found is None else _unescaped(found[1] or found[2] or found[3] or "").strip()
    return address if len(address) <= _LONGEST_ADDRESS and _READABLE.fullmatch(address) else ""


class _Ends:
    """Finds ends, and remembers what has no end: to search for it again from each tag would take quadratic time."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._never: set[str] = set()
        self._quotes_from = 0

    def after(self, mark: str, at: int) -> int | None:
        """The position after the next ``mark``."""
        found = -1 if mark in self._never else self._text.find(mark, at)
        if found < 0:
            self._never.add(mark)
            return None
        return found + len(mark)

    def of_element(self, name: str, at: int) -> int | None:
        """The position after ``</name>``."""
        if name in self._never:
            return None
        found = re.compile(rf"</{name}[\s/>]", re.IGNORECASE | re.ASCII).search(self._text, at)
        end = None if found is None else self.after(">", found.end() - 1)
        if end is None:
            self._never.add(name)
        return end

    def of_tag(self, at: int) -> int | None:
        """The position after the ``>`` of a tag. A ``>`` within quotes does not count, if every quote is closed."""
        end = self._quoted(at) if at >= self._quotes_from else None
        if end is None:
            # A quote without an end is an apostrophe, and must not swallow the text after the tag.
            found = _ANGLE.search(self._text, at)
            end = found.end() if found and found[0] == ">" else None
        return end

    def _quoted(self, at: int) -> int | None:
        while special := _SPECIAL.search(self._text, at):
            if special[0] == ">":
                return special.end()
            closing = -1 if special[0] == "<" else self._text.find(special[0], special.end())
            if closing < 0:
                # Remembered, or each tag of a text full of such quotes would search it to its end again.
                self._quotes_from = special.end() if special[0] == "<" else len(self._text)
                return None
            at = closing + 1
        self._quotes_from = len(self._text)
        return None


def _lines(pieces: list[str | _Tag]) -> str:
    """The text of HTML. A block begins and ends a line, ``<br>`` ends one, and indentation of the markup is ignored."""
    made: list[str] = []
    fresh = True
    address, begun = "", 0
    for piece in pieces:
        if not isinstance(piece, _Tag):
            shown = _unescaped(_outside(piece) if fresh else piece)
            if shown.strip() or not fresh:
                made.append(shown)
                fresh = shown.endswith("\n") or (fresh and not shown)
            continue
        name = piece.lstrip("/")
        if name in _BREAKS:
            made.append("\n")
            fresh = True
        elif name in _BLOCKS and not fresh:
            # No browser shows the blanks before the end of a block.
            made[-1] = made[-1].rstrip()
            made.append("\n")
            fresh = True
        elif piece in ("/td", "/th"):
            made.append(" ")
        elif piece == "a":
            address, begun = piece.address, len(made)
        elif piece == "/a" and address:
            # Written back from another CRM, the text would be a link to nowhere.
            made.append(_target("".join(made[begun:]), address))
            fresh, address = False, ""
    return "".join(made)


def _target(shown: str, address: str) -> str:
    """The address of a link in brackets; empty if the text of the link shows it already."""
    bare = _READABLE.sub(r"\1", address).rstrip("/")
    return "" if bare.casefold() in shown.casefold() else f" ({address})"


def _outside(text: str) -> str:
    """A text at the beginning of a line, without the line ends and the indentation before it."""
    lead = text[: len(text) - len(text.lstrip())]
    return text[len(lead) :] if "\n" in lead else text


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)
