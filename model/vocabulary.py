"""Words that are worth a row of their own however seldom the training texts use them.

Most words of medicine, of places and of trades are rarer than any text collection of ours is large;
the teacher knows them all the same. The list is that of the `wordfreq` package: words by their
frequency in books, news, subtitles and the web.
"""

from __future__ import annotations

import re

from model.errors import ModelError

WORDS = 100_000
_LISTED = 400_000
_PLAIN_WORD = re.compile(r"[a-z]{3,24}")


def common_words(count: int = WORDS) -> tuple[str, ...]:
    """The most frequent English words of three letters or more, most frequent first.

    Raises:
        ModelError: the list is not installed.
    """
    try:
        from wordfreq import top_n_list
    except ImportError as exc:
        raise ModelError("the word list is not installed (extra `train`)") from exc
    listed = top_n_list("en", _LISTED, wordlist="large")
    return tuple(word for word in listed if _PLAIN_WORD.fullmatch(word))[:count]
