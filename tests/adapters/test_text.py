"""HTML becomes text and loses nothing but markup; what steers a terminal reaches nobody; none of it takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text import body_text, plain_text, title_text

HTML = [
    ("<p>Call</p><p>Bring the plan</p>", "Call\nBring the plan"),
    ("<style>p { color: red }</style><p>Call</p>", "Call"),
    ("<STYLE type='text/css'>a > b {}</Style >Call<br>back", "Call\nback"),
    ("<script>if (a < b) alert('</p>')</script>Call", "Call"),
    ("<html><head><meta x><title>Mail</title><style>x</style></head><body>Call</body></html>", "Call"),
    ("<!DOCTYPE html><!-- <p>a</p> -->Call", "Call"),
    ("<!--[if mso]><p>x</p><![endif]--><p>Call</p>", "Call"),
    ("<header>Call</header>me", "Call\nme"),
    ("<ul>\n  <li>One</li>\n  <li>Two</li>\n</ul>", "One\nTwo"),
    ("<p>\n  One\n</p>\n<p>\n  Two\n  </p>", "One\nTwo"),
    ("<p>a</p><p><br></p><p>b</p>", "a\n\nb"),
    ("<div>a<br/><br />b</div>", "a\n\nb"),
    ("<p>a &lt;b&gt; &amp;amp; &#39;c&#x27; &eacute;&nbsp;d</p>", "a <b> &amp; 'c' é d"),
    ('<p>a <img alt="x > y" src=z> b</p>', "a  b"),
    ("<p>it's <b>five</b> o'clock</p>", "it's five o'clock"),
    ('<p title="a>b">c</p>', "c"),
    ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
    ("<p>One<p>Two", "One\nTwo"),
    ("<P CLASS=x>One</P><o:p>&nbsp;</o:p>", "One"),
    ("<svg/onload=alert(1)>x</svg>", "x"),
]
LINKS = [
    (
        "<p>Join <a href='https://meet.example/a?b=1&amp;c'>here</a> now</p>",
        "Join here (https://meet.example/a?b=1&c) now",
    ),
    ("<div><a class=x href=http://a.example><b>one</b></a></div>", "one (http://a.example)"),
    ('<p>Write to <a href="mailto:asha@example.com">Asha</a></p>', "Write to Asha (mailto:asha@example.com)"),
    # shown already
    ('<a href="https://example.com/">Example.com</a><br>', "Example.com"),
    ('<a href="mailto:asha@example.com">asha@example.com</a>', "asha@example.com"),
    # of no use elsewhere
    (
        '<a href="#top">Up</a> <a href="/x">here</a> <a href="javascript:go()">go</a> <a name="a">on</a>',
        "Up here go on",
    ),
    (f'<a href="https://example.com/{"x" * 3000}">long</a>', "long"),
    ('<p><a data-href="http://x">a</a></p>', "a"),
]
MALFORMED = [
    ("<p>Call <b me", "Call <b me"),
    ("<p>Call</p><!-- never closed", "Call\n<!-- never closed"),
    ("<style>Call<p>me</p>", "Call\nme"),
    ("<head>Call<p>me</p>", "Call\nme"),
    ('<p>Call <a href="x>me</a> now', "Call me now"),
    ("<p>1 < 2 <3 </p>", "1 < 2 <3"),
    ("</style>Call", "Call"),
    ("<p>&amp &#; &#xZ; &nosuch; &#99999999999;</p>", "&amp &#; &#xZ; &nosuch; &#99999999999;"),
    ("<p><asha@example.com> <Asha Rao> <mailto:x></p>", "<asha@example.com> <Asha Rao> <mailto:x>"),
]
PLAIN = [
    "a < b > c & <asha@example.com> &amp;",
    "2 < 3 and 5 > 4",
    "x <b> y",
    "call <Asha Rao> of <acme>",
    "<3 you",
    "List<String> and a<b>c",
    "  two  blanks \n\tand a tab",
    "if (a<p && b>q)",
]


@pytest.mark.parametrize(("markup", "text"), HTML + LINKS + MALFORMED)
def test_html_becomes_text(markup: str, text: str) -> None:
    assert plain_text(markup).strip() == text


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_html_stays_what_it_is(text: str) -> None:
    assert plain_text(text) == text


def test_entities_without_a_tag() -> None:
    assert plain_text("Tom &amp; Jerry", unescape=True) == "Tom & Jerry"
    assert plain_text("Tom &amp;lt; Jerry", unescape=True) == "Tom &lt; Jerry"


CONTROLS = [
    ("\x1b[31mred\x1b[0m", "red"),
    ("\x9b1;31mred", "red"),
    ("\x1b]0;title\x07text", "text"),
    ("\x1b]8;;http://x\x1b\\\\link\x1b]8;;\x1b\\\\", "link"),
    ("\x1b]52;c;never closed", "52;c;never closed"),
    ("\x1bPq\x1b\\\\x\x1bcy\x1b(Bz", "xyz"),
    ("a\x00b\x07c\x7fd\x80e", "abcde"),
    ("a\u202eb\u2066c\u200fd\ufeffe", "abcde"),
    ("a\r\nb\rc\u2028d\x85e\tf", "a\nb\nc\nd\ne\tf"),
    ("क\u200dष 👩\u200d💻 {\u2060{", "क\u200dष 👩\u200d💻 {\u2060{"),
]


@pytest.mark.parametrize(("raw", "text"), CONTROLS)
def test_what_steers_a_terminal_is_taken_away(raw: str, text: str) -> None:
    raw = raw.replace("\\\\", "\\")
    assert body_text(raw) == text
    assert plain_text(raw) == text
    assert plain_text(f"<p>{raw}</p>").strip() == text


@pytest.mark.parametrize(
    ("raw", "title"), [(None, None), ("", None), (" \x1b[0m\n ", None), (" Call\r\n\n me\tnow\x1b[5m ", "Call  me now")]
)
def test_a_title_is_one_line(raw: str | None, title: str | None) -> None:
    assert title_text(raw) == title


def test_a_title_is_kept_whole() -> None:
    assert title_text("x" * 100_000) == "x" * 100_000


PIECES = [
    "<",
    ">",
    "</",
    "<p>",
    "</p>",
    "<br>",
    "<style>",
    "</style>",
    "<!--",
    "-->",
    "&amp;",
    "&",
    "'",
    '"',
    "z",
    " ",
    "\n",
    "=",
]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_no_text_is_lost(text: str) -> None:
    kept = plain_text(text).count("z")
    hidden = max(text.rfind("</style>"), text.rfind("-->"), 0)
    assert text.count("z", hidden) <= kept <= text.count("z")


@given(st.text())
def test_text_is_clean_after_once(text: str) -> None:
    clean = body_text(text)
    assert body_text(clean) == clean
    assert (title_text(title_text(text)) or "") == (title_text(text) or "")


@given(st.text(alphabet=st.characters(exclude_characters="<", exclude_categories=["Cc", "Cf", "Zl", "Zp"])))
def test_a_text_without_markup_stays_what_it_is(text: str) -> None:
    assert plain_text(text) == body_text(text) == text
