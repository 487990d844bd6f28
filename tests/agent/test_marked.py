"""A marked pattern finds what the pattern itself finds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import spans, worth
from agent.marked import Marked

SAMPLES = {
    "boilerplate": """
        read our Newsletter today|please subscribe now|your subscription to it|All Rights Reserved|a copyright of|
        click here|sign up for it|this article first appeared in|the story was originally published|
        the post has been updated|The column was corrected|follow us on Twitter|like them on Facebook|
        follow Ann Lee on instagram|follow her on X|follow him on tiktok|like us on youtube|
        Cookies need your consent|the privacy policy|our terms of use|terms of service|may not be reproduced|
        may not be published|contributed to this report|is a reporter at the desk|is the columnist for a paper|
        is a correspondent of note|is a contributor with them|is an editor at large|is a staff writer for it|
        is a fellow at a college|is the author of a book with a cat|load comments|loading comments|
        in the app store|write me@paper.com|breaking news alerts|our app|our podcast|our website|
        our community guidelines|our journalism|our readers
    """,
    "caption": """
        (Photo of it)|(image of it)|(credit given)|(AP)|(AFP)|(Reuters)|(Getty)|(Ann Lee/AP)|(Ann Lee via Reuters)|
        (Lee/EPA)|(Lee/Shutterstock)|(Lee via Bloomberg)|(Lee/USA TODAY SPORTS)|Getty images|
        Associated Press photo|AP photo|file photo|photographed by|photograph by|photo by|photo:|image:|
        pictured above|pictured here|(left)|(right)|(center)|(centre)|(top)|(bottom)|screenshot
    """,
    "link list": "JUST WATCHED|MUST WATCH|Replay More Videos|READ MORE|SEE ALSO|it MORE",
    "opinion": """
        in my view|In my opinion|IMHO|arguably|of course, it|let's face it|let’s face it|needless to say|you should|
        you can|you may|you might|you must|you need|you'll|you’re|you've
    """,
    "money": """
        $5|£3.20|€7m|¥900|₹12|US$4 billion|tens of thousands of dollars|Millions of euros|thousands of pounds|
        5 dollars|one dollar|20 cents|one cent|3 euros|1 euro|two pounds|900 yen|7 yuan|12 rupees|5 rubles|5 roubles|
        9 pesos|five U.S. dollars
    """,
    "percent": "5%|5 %|twelve percent|5 per cent|2 percentage points|1 percentage point",
}
MARKED = {
    "boilerplate": worth._BOILERPLATE,
    "caption": worth._CAPTION,
    "link list": worth._LINK_LIST,
    "opinion": worth._OPINION,
    "money": spans._MONEY,
    "percent": spans._PERCENT,
}
CASES = [
    (name, " ".join(sample.split()))
    for name, samples in SAMPLES.items()
    for sample in samples.split("|")
]


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_every_way_to_match_holds_a_mark(name, sample):
    marked = MARKED[name]
    text = f"They say {sample} there."
    assert marked._pattern.search(text), "the pattern itself"
    assert marked.search(text)
    assert list(marked.finditer(text))


@given(text=st.lists(st.sampled_from([*"xX aA%", "photo"])).map("".join))
def test_a_marked_pattern_finds_what_the_pattern_finds(text):
    pattern = re.compile("x%|photo a", re.IGNORECASE)
    marked = Marked(pattern, ("x%", "photo"))
    assert [m.span() for m in marked.finditer(text)] == [m.span() for m in pattern.finditer(text)]
    assert bool(marked.search(text)) == bool(pattern.search(text))
