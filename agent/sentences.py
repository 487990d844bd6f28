"""Split an article's text into sentences, as exact character spans.

A paragraph is parted from the next by an empty line; no sentence crosses one. Nothing is repaired or left out: every
visible character belongs to exactly one sentence.
"""

import re

from agent.word_sets import word_set

Place = tuple[int, int]

_PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n\s*")
# Possessive, and begun only where a run begins: a long run of dots or blanks must not be tried from every place.
_CANDIDATE = re.compile(
    r"(?<![.!?…])(?P<mark>[.!?…]++)(?P<close>[\"”’'»)\]]*+)(?P<gap>\s++)(?=\S)"
    r"|(?<![。！？])(?P<wide>[。！？]++[」』”’)]*+)\s*+(?=\S)"
    r"|(?P<line>\n)\s*+(?=[•▪●◦*·–—-]\s)"
    r"|(?P<bullet>\s)(?=[•▪●◦]\s)"
)
_TITLES = word_set(
    "mr mrs ms mx dr prof sen sens rep reps gov gen lt col sgt capt cmdr maj adm rev hon st ste "
    "mt ft pres supt atty asst messrs vs v fig figs vol ch pp sec art al cf viz approx dept det "
    "cpl pvt pfc spc insp cllr"
)
_MONTHS = word_set("jan feb mar apr jun jul aug sept sep oct nov dec no nos")
_MAYBE = word_set(
    "inc corp co ltd bros jr sr etc llc plc esq ph.d m.d a.m p.m ala ariz ark calif colo conn "
    "del fla ga ill ind kan ky la mass md mich minn miss mo mont neb nev okla ore pa penn tenn "
    "tex va vt wash wis wyo ave blvd rd est dept"
)
_STARTERS = word_set(
    "the a an he she it they we i you this that these those there here his her its their our my "
    "your but and or so yet if when while after before since as in on at for from with by to of "
    "during although though because however meanwhile now then some many most several both all "
    "no not one two three what who why how where under according last next officials police"
)
_DOTTED = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]$")
_LAST_WORD = re.compile(r"[^\s(\[\"“‘'’”/—–-]+$")
_NEXT_WORD = re.compile(r"[\"“‘'(\[]*([^\W_]+(?:['’][^\W_]+)?)")
_SPEAKER = re.compile(
    r"(?:(?:Mr|Mrs|Ms|Dr|Sen|Rep|Gov|Gen|Prof)\. )?(?:[A-Z][\w.'’-]*\s){1,4}"
    r"(?:said|says|asked|asks|told|adds|added|wrote|writes|tweeted|replied|continued|shouted"
    r"|yelled|recalled|explained)\b"
)


def split_sentences(text: str) -> list[Place]:
    """Spans of the sentences in text order: disjoint, without surrounding blanks, covering all that is not blank."""
    places: list[Place] = []
    start = 0
    for gap in _PARAGRAPH_BREAK.finditer(text):
        places += _split_paragraph(text, start, gap.start())
        start = gap.end()
    return places + _split_paragraph(text, start, len(text))


def _split_paragraph(text: str, start: int, end: int) -> list[Place]:
    places: list[Place] = []
    here = start
    for match in _CANDIDATE.finditer(text, start, end):
        if match.end() <= here or not _is_end(text, here, match):
            continue
        cut = (
            match.start("gap")
            if match["gap"]
            else match.end("wide")
            if match["wide"]
            else match.start()
        )
        _add(places, text, here, cut)
        here = cut
    _add(places, text, here, end)
    return places


def _add(places: list[Place], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        places.append((start, end))


def _is_end(text: str, here: int, match: re.Match[str]) -> bool:
    mark = match["mark"]
    if mark is None:
        return True
    after = text[match.end() : match.end() + 80]
    first = after.lstrip("\"“‘'([")[:1]
    if first.islower() or (not first and not after):
        return False
    if "!" in mark or "?" in mark:
        # «"Why?" Smith asked.» is one sentence.
        return not (match["close"] and _SPEAKER.match(after))
    if mark != ".":
        return not first.isdigit()
    if match["close"]:
        return True
    before = _LAST_WORD.search(text, max(here, match.start() - 40), match.start())
    return before is None or not _is_abbreviation(before[0], text[here : before.start()], after)


def _is_abbreviation(word: str, lead: str, after: str) -> bool:
    """Whether the full stop after `word` belongs to it, not to the sentence."""
    low = word.lower()
    following = _NEXT_WORD.match(after)
    begins_anew = following is not None and following[1].lower() in _STARTERS
    if low in _TITLES:
        return True
    if low in _MONTHS:
        return bool(after[:1].isdigit())
    if low in _MAYBE or _DOTTED.match(word):
        return not begins_anew
    if len(word) == 1 and word.isalpha() and word.isupper():
        return (
            not (begins_anew and following is not None and following[1].lower() != "a")
            and word != "I"
        )
    # "1." opens a list item; it does not end a sentence.
    return word.isdigit() and len(word) <= 2 and not lead.strip()
