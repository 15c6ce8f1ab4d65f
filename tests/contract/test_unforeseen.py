"""An error of ours is logged once a day, or when it changes."""

from __future__ import annotations

from syncer.contract.unforeseen import DAY, Seldom
from syncer.domain.redact import unexpected


def test_the_same_is_told_once_a_day_and_what_is_new_at_once() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    assert seldom.is_news("Asha", "a bug")
    assert not seldom.is_news("Asha", "a bug")
    assert seldom.is_news("Ravi", "a bug")
    assert seldom.is_news("Asha", "another bug")
    assert not seldom.is_news("Asha", "another bug")
    assert seldom.is_news("Asha", "a bug")
    now[0] = DAY - 1
    assert not seldom.is_news("Asha", "a bug")
    now[0] = DAY
    assert seldom.is_news("Asha", "a bug")
    assert not seldom.is_news("Asha", "a bug")


def test_whoever_fails_no_more_is_forgotten() -> None:
    now = [0.0]
    seldom = Seldom(lambda: now[0])
    for number in range(100):
        seldom.is_news(number, "a bug")
    now[0] = DAY
    seldom.is_news("Asha", "a bug")
    assert len(seldom._told) == 1


def test_the_words_of_an_error_are_short_and_say_where_it_came_from() -> None:
    try:
        raise KeyError("long " * 1000)
    except KeyError as error:
        words = unexpected(error)
    assert len(words) < 400
    assert "test_unforeseen.py" in words
