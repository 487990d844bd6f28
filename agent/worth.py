"""Say why a sentence is not worth keeping: furniture of the page, questions, opinions, fragments.

Judges the sentence alone, by its look; whether it bears an answer is for others to say.
"""

import re
from collections.abc import Sequence
from itertools import islice

from agent.clauses import FINITE
from agent.marked import Marked
from model import Word

MIN_CHARS = 40
MAX_CHARS = 600
MIN_WORDS = 6
MAX_CAPITAL_SHARE = 0.6
MAX_ODD_SHARE = 0.25
LEAST_UNQUOTED_LETTERS = 8

_OPENING_BOILERPLATE = re.compile(
    r"(?:read (?:more|also|next|the full)|more:|related:?|see also|also (?:read|on)|watch(?::"
    r"| (?:live|now|the video|more))|listen:|"
    r"click|tap here|sign up|subscribe|follow (?:us|me|him|her|the|@)|share this|photos?:"
    r"|video:|gallery:|image:|source:|credit:|"
    r"correction:|editor['’]s note|note:|advertisement|continue reading|skip to|get (?:the|our"
    r"|your) |download (?:the|our)|"
    r"contributing:|reporting by|editing by|additional reporting|written by|contact the"
    r"|copyright|©|\(?c\) 20|all rights|"
    r"(?:first )?published|updated:?\s|last updated|posted (?:on|at)|opinion:|support (?:our"
    r"|independent) |join (?:us|our|the conversation)|"
    r"have a (?:tip|story|question)|write to|email |e-mail |view |hide caption|toggle caption"
    r"|enlarge this|getty|loading|"
    r"what (?:we|you) (?:know|need)|here['’]s (?:what|why|how|a look)|here are |take (?:our"
    r"|the) (?:quiz|poll)|close\b|\*)",
    re.IGNORECASE,
)
_BOILERPLATE_PATTERN = re.compile(
    r"\bnewsletters?\b|\bsubscri(?:be|ption to)\b|\ball rights reserved\b|\bcopyright\b"
    r"|\bclick here\b|\bsign up (?:for|here|to)\b|"
    r"\b(?:this|the) (?:article|story|piece|post|report|essay|column|op-ed)[^.]{0,40} (?:first "
    r"|originally )?(?:appeared|published|updated|corrected)\b|"
    r"\b(?:follow|like) (?:us|me|him|her|them|[A-Z]\w+ [A-Z]\w+) on (?:twitter|facebook"
    r"|instagram|x|tiktok|youtube)\b|"
    r"\bcookies?\b.*\b(?:policy|consent|accept)\b|\bprivacy policy\b|\bterms of (?:use"
    r"|service)\b|\bmay not be (?:published|reproduced)\b|"
    r"\bcontributed to this (?:report|story|article)\b|\bis (?:a|an|the) [^.]{0,60}(?:reporter"
    r"|columnist|correspondent|contributor|"
    r"editor|staff writer|fellow|author of)\b[^.]{0,80}(?:\bat\b|\bfor\b|\bof\b|\bwith\b)"
    r"|\bload(?:ing)? comments\b|\bapp store\b|"
    r"@[\w.]+\.(?:com|org|net)\b|\bbreaking news alerts?\b|\bour (?:app|podcast|website"
    r"|community guidelines|journalism|readers)\b",
    re.IGNORECASE,
)
_BOILERPLATE = Marked(
    _BOILERPLATE_PATTERN,
    (
        *("newsletter", "subscri", "rights reserved", "copyright", "click here", "sign up"),
        *("appeared", "published", "updated", "corrected"),
        *(" on twitter", " on facebook", " on instagram", " on x", " on tiktok", " on youtube"),
        *("cookie", "privacy policy", "terms of", "may not be", "contributed to this"),
        *("reporter", "columnist", "correspondent", "contributor", "editor", "staff writer"),
        *("fellow", "author of", "comments", "app store", "@", "breaking news", "our "),
    ),
)
_LINK_LIST = Marked(
    re.compile(
        r"\b(?:JUST|MUST) WATCH(?:ED)?\b|Replay More Videos|\bREAD MORE\b|\bSEE ALSO\b"
        r"|\w MORE\b(?! [A-Z]{2})"
    ),
    (" WATCH", "Replay More", " MORE", "SEE ALSO"),
)
_CAPTION_PATTERN = re.compile(
    r"(?:\((?:photo|image|credit|ap|afp|reuters|getty)[^)]*\)|\([^)]{0,60}(?:/|via )(?:ap|afp"
    r"|reuters|getty images?|epa|shutterstock|bloomberg|"
    r"usa today[^)]*)\)|getty images|associated press photo|ap photo|file photo"
    r"|photograph(?:ed)? by|photo by|photo:|image:|"
    r"\bpictured (?:above|below|left|right|here)\b|\((?:left|right|center|centre|top|bottom)\)"
    r"|screenshot)",
    re.IGNORECASE,
)
_CAPTION = Marked(
    _CAPTION_PATTERN,
    (
        *("photo", "getty", "image", "(credit", "(ap", "(afp", "(reuters", "/", "via "),
        *("pictured ", "(left", "(right", "(cent", "(top", "(bottom", "screenshot"),
    ),
)
_CAPTION_END = re.compile(r", [A-Z]{2,} [A-Z]{2,}$", re.IGNORECASE)
_BYLINE = re.compile(
    r"^[Bb][Yy]\s+[A-Z][\w.'’-]+(?:\s[A-Z][\w.'’-]+){1,4}(?:$|[,|]|\s(?:and|for"
    r"|of)\s)|\s\|\s|^[A-Z][\w.' -]+,\s[A-Z ]+$"
)
_DATELINE = re.compile(
    r"[A-Z][A-Z.'’-]+(?:[ /,][A-Z][\w.'’-]*){0,6},?\s*(?:\([^)]{2,30}\)\s*)?(?:—|–|--?)\s"
)
_QUESTION = re.compile(r"\?[\"”’')\]]*$")
_FIRST_PERSON = re.compile(
    r"(?<![\w.])(?:I|I['’](?:m|ve|d|ll)|me|my|mine|myself|we|we['’](?:re|ve|d|ll)|our|ours|us"
    r"|let['’]s)(?![\w.])",
    re.IGNORECASE,
)
_OPINION = Marked(
    re.compile(
        r"\b(?:in my (?:view|opinion)|imho|arguably|of course,|let['’]s face it|needless to say"
        r"|you (?:should|can|may|might|must|need)|you['’](?:ll|re|ve))",
        re.IGNORECASE,
    ),
    ("in my", "imho", "arguably", "of course", "face it", "needless", "you"),
)
_QUOTED = re.compile(r"“[^”]*(?:”|$)|\"[^\"]*(?:\"|$)|(?:^|(?<=\s))[‘'][^’']{12,}[’'](?!\w)")
_QUOTE_MARKS = "“\"‘'"
_ROMAN_US = re.compile(r"\bUS\b")
_ODD = re.compile(r"[^\w\s.,;:'’\"“”‘–—$%()&/-]|_")


def skip_reason(sentence: str, words: Sequence[Word]) -> str | None:
    """Why the sentence may not become a fact, or None.

    Args:
        sentence: its text.
        words: those behind its dateline.
    """
    if len(sentence) < MIN_CHARS:
        return "too short"
    if len(sentence) > MAX_CHARS:
        return "too long"
    if _OPENING_BOILERPLATE.match(sentence) or _BOILERPLATE.search(sentence):
        return "boilerplate"
    if _LINK_LIST.search(sentence):
        return "boilerplate"
    body = sentence[dateline_end(sentence) :]
    if _CAPTION.search(body) or _CAPTION_END.search(body):
        return "caption"
    if _BYLINE.search(sentence):
        return "byline"
    if _QUESTION.search(sentence):
        return "question"
    outside = _unquoted(sentence, " “” ")
    if _FIRST_PERSON.search(_ROMAN_US.sub("U.S.", outside)) or _OPINION.search(outside):
        return "opinion"
    if _is_open_quote(sentence):
        return "quotation without speaker"
    return _form_reason(sentence, words)


def dateline_end(sentence: str) -> int:
    """Where the sentence proper begins behind "PARIS (Agency) - "; 0 without one."""
    match = _DATELINE.match(sentence)
    return match.end() if match else 0


def _unquoted(sentence: str, instead: str) -> str:
    """The sentence with something else in the place of what is quoted in it."""
    if any(mark in sentence for mark in _QUOTE_MARKS):
        return _QUOTED.sub(instead, sentence)
    return sentence


def _is_open_quote(sentence: str) -> bool:
    """Nothing but quotation: nobody is said to have said it."""
    letters = filter(str.isalpha, _unquoted(sentence, ""))
    is_tail = (
        "”" in sentence
        and not re.search('[“"]', sentence[: sentence.index("”")])
        and len(sentence) - sentence.index("”") < 3
    )
    return is_tail or len(list(islice(letters, LEAST_UNQUOTED_LETTERS))) < LEAST_UNQUOTED_LETTERS


def _form_reason(sentence: str, words: Sequence[Word]) -> str | None:
    letters = [word for word in words if word.text[0].isalpha()]
    if len(letters) < MIN_WORDS:
        return "too short"
    if not any(word.pos in FINITE for word in words):
        return "no verb"
    capitals = sum(word.text[0].isupper() for word in letters)
    odd = len(_ODD.findall(sentence))
    if capitals > MAX_CAPITAL_SHARE * len(letters) or odd > MAX_ODD_SHARE * len(sentence):
        return "headline or list"
    if words[0].pos in {"VB", "UH"} and sentence[-1:] != "”" and words[0].text[0].isupper():
        return "fragment"
    return None
