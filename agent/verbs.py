"""English verb forms: the base form behind a past or third-person form, and auxiliaries."""

import re

from agent.word_sets import word_set

BE = word_set("is are was were be been being 's 're am")
HAVE = word_set("has have had 've")
DO = word_set("do does did")
MODALS = word_set("will would can could may might must shall should ca wo 'll 'd")
AUXILIARIES = (BE | HAVE | DO | MODALS) - word_set("'s 're 've 'll 'd ca wo be been being am")
"""Forms that may stand before the subject in a question."""

SAYING = word_set(
    "said says say added adds told tells wrote writes tweeted tweets explained argued argues "
    "warned warns noted notes claimed claims announced announces confirmed confirms insisted "
    "insists acknowledged asked asks replied recalled declared stated states testified "
    "continued concluded posted suggested stressed predicted"
)

_IRREGULAR = dict(
    pair.split(":")
    for pair in word_set(
        "arose:arise ate:eat became:become began:begin bent:bend bet:bet bid:bid bit:bite "
        "bled:bleed blew:blow bore:bear bought:buy bound:bind bred:breed broke:break "
        "brought:bring built:build burnt:burn came:come caught:catch chose:choose clung:cling "
        "crept:creep dealt:deal did:do dove:dive drank:drink drew:draw dreamt:dream drove:drive "
        "dug:dig fed:feed fell:fall felt:feel fled:flee flew:fly flung:fling forbade:forbid "
        "forgave:forgive forgot:forget fought:fight found:find froze:freeze gave:give got:get "
        "grew:grow ground:grind had:have heard:hear held:hold hid:hide hung:hang kept:keep "
        "knelt:kneel knew:know laid:lay leapt:leap led:lead left:leave lent:lend lit:light "
        "lost:lose made:make meant:mean met:meet mistook:mistake outdid:outdo overcame:overcome "
        "oversaw:oversee overtook:overtake overthrew:overthrow paid:pay pled:plead proved:prove "
        "ran:run rang:ring rebuilt:rebuild repaid:repay reran:rerun rewrote:rewrite rode:ride "
        "rose:rise said:say sang:sing sank:sink sat:sit saw:see sent:send sewed:sew shook:shake "
        "shone:shine shot:shoot showed:show shrank:shrink shrunk:shrink slept:sleep slid:slide "
        "slung:sling sold:sell sought:seek spat:spit sped:speed spent:spend spoke:speak "
        "sprang:spring stole:steal stood:stand strode:stride strove:strive struck:strike "
        "stuck:stick stung:sting stunk:stink sued:sue swam:swim swept:sweep swore:swear "
        "swung:swing taught:teach thought:think threw:throw told:tell took:take tore:tear "
        "undertook:undertake undid:undo understood:understand underwent:undergo upheld:uphold "
        "was:be went:go were:be withdrew:withdraw withheld:withhold withstood:withstand "
        "woke:wake won:win wore:wear wove:weave wound:wind wrote:write has:have does:do goes:go "
        "is:be are:be"
    )
)
_UNCHANGED = word_set(
    "bet broadcast burst cast cost cut fit forecast hit hurt let put quit read rid set shed "
    "shut slit split spread thrust upset beat bid bust reset recast overrun come become run "
    "overcome"
)
# Regular pasts whose base the spelling rules below would miss; found by counting both spellings in news text.
_BASES = word_set(
    "add agree acquire adore amaze appall bath benefit bill birdie blanket blaze blossom "
    "boo bore call cancel carpet chill choke closet cloth compel compile control convene "
    "create credit dare debut decree deposit describe die discredit disagree dole drill dye "
    "edit elicit enroll envision evoke excel exhibit exile exit expel eye facet factor file "
    "fill focus free fulfil gaze grill guarantee guide hinge hole hone hype inhabit inhale "
    "inherit inscribe install interfere interpret intervene invoke joke kill knee learn lie "
    "limit market massacre mentor merit mill oversee owe patrol penetrate persuade phone "
    "pile pivot plateau plummet pocket poke poll pore postpone premiere prescribe profile "
    "profit prohibit propel provoke pull quote ratchet raze recall recreate recruit referee "
    "refocus require reroute reschedule revere revisit revoke ridicule rile rocket roll "
    "rule scale schedule score severe shell shelve skill skyrocket smell smile smoke spell "
    "spill square squeeze stall stockpile stoke style stymie suit swell target taste "
    "telephone thrill ticket tie toll travel tune underscore unearth veto visit voice wall "
    "wane waste yell"
)
_LISTED = {f"{base}d" if base.endswith("e") else f"{base}ed": base for base in _BASES}
_LISTED |= {
    "cancelled": "cancel",
    "controlled": "control",
    "compelled": "compel",
    "expelled": "expel",
}
_LISTED |= {
    "patrolled": "patrol",
    "propelled": "propel",
    "travelled": "travel",
    "fulfilled": "fulfil",
    "excelled": "excel",
}
_NEEDS_E = re.compile(
    r"(?:[bcdfgklpstz]l|(?<!e)[aeiu]t|[mnv]ot|i[zs]|yz|[nr]c|[aeiou]c|[dlr]g|[aeiu]g|[aeu]ng"
    r"|[lr]s|[np]s|as|os|us"
    r"|[aeilor]v|[^aeiou][iu]r|[chlp]ar|[^aeio][lnptd]or|[^aeo][aeiu]k|[^aeiou][aiou]m"
    r"|[^aeiou][aeiou]d|[^aeiou]in"
    r"|[^aeiou][aiou]p|[fl][iu]n|u|th)$"
)
_LONG_VOWEL = re.compile(r"(?:[aeo][aeiou]|ou)[bcdfgklmnprtw]$")


def base_form(verb: str, part: str) -> str:
    """Base form of a verb in past (VBD) or present (VBZ, VBP); anything else comes back in lower case."""
    low = verb.lower()
    if low in _IRREGULAR:
        return _IRREGULAR[low]
    if part == "VBD" and low not in _UNCHANGED:
        return _of_past(low)
    if part == "VBZ":
        return _of_third_person(low)
    return low


def _of_past(low: str) -> str:
    if low in _LISTED:
        return _LISTED[low]
    if not low.endswith("ed") or len(low) < 4:
        return low
    stem = low[:-2]
    if stem.endswith("i"):
        return stem[:-1] + "y"
    if stem.endswith("e"):
        return stem
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in "lsfz":
        return stem[:-1]
    return stem + "e" if _NEEDS_E.search(stem) and not _LONG_VOWEL.search(stem) else stem


def _of_third_person(low: str) -> str:
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    if low.endswith(("shes", "ches", "sses", "xes", "zzes", "oes")):
        return low[:-2]
    return low[:-1] if low.endswith("s") and not low.endswith("ss") else low
