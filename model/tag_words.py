"""Words of a text, and the hashed features by which the tagger sees them.

A word is what the splitter says: letters with inner hyphens, numbers with their signs, abbreviations with their dots;
the possessive and the negation are words of their own. A feature is a 64-bit hash; the tagger folds it into its table.
The background vocabulary (how often a form is written small, in how many articles it occurs, which words it behaves
like) is read from the weights, never built here.

Shapes: W distinct words, N words of a text, F features.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

UNIT_FEATURES = 34
NEAR_FEATURES = 6
FAR_FEATURES = 3
JOINT_FEATURES = 11
OFFSETS = (-2, -1, 1, 2)
FEATURES = UNIT_FEATURES + 2 * NEAR_FEATURES + 2 * FAR_FEATURES + JOINT_FEATURES

MAX_WORD_CHARS = 40
RARITY_SCALE = 16
UNSEEN_BITS = 14.0
UNKNOWN_CLUSTER = 0
BOUNDARY = "\n"
"""Stands before the first and after the last word of a sentence."""

_ABBREVIATIONS = (
    "Mr|Mrs|Ms|Mx|Dr|Prof|Sen|Sens|Rep|Reps|Gov|Gen|Lt|Col|Sgt|Capt|Cmdr|Maj|Adm|Rev|Hon|St|Jr"
    "|Sr|Jan|Feb|Aug|Sept|Sep|"
    "Oct|Nov|Dec|Inc|Corp|Co|Ltd|Bros|Calif|Conn|Fla|Ind|Mass|Mich|Minn|Okla|Tenn|Wash|Wis|Ariz"
    "|Colo|Ga|Ky|La|Md|Mo|Neb|"
    "Nev|Ore|Pa|Tex|Va|Vt|vs|etc|approx|No"
)
WORD = re.compile(
    r"(?:https?://|www\.)[^\s<>\"“”]+"
    r"|[@#]\w+"
    r"|(?:[A-Z]\.){2,}"
    rf"|\b(?:{_ABBREVIATIONS})\."
    r"|\b[A-Z]\.(?=\s[A-Z])"
    r"|[A-Z]-(?:(?:[A-Z]\.)+|[A-Z][a-z]{2,4}\.)"
    r"|\d+(?:[.,:/]\d+)*(?:-\d+)?(?:[^\W\d_]+)?(?:-[^\W\d_]+)*"
    r"|n['’]t\b|['’](?:s|re|ve|ll|d|m|S)\b"
    r"|[^\W\d_]+?(?=n['’]t\b)"
    r"|[^\W_]+(?:[-‑&][^\W_]+|['’](?!(?:s|re|ve|ll|d|m|t|S)\b)[^\W\d_]+)*"
    r"|\.\.\.|\S"
)

_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_FOLD = np.uint64(31)
_JOIN = np.uint64(0x9E3779B97F4A7C15)
_SHAPE_RUN = re.compile(r"(.)\1+")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What background text says about the commonest forms; sorted by `keys`."""

    keys: npt.NDArray[np.uint32]
    """CRC-32 of the form as written."""
    fine: npt.NDArray[np.uint16]
    """Cluster of words in like contexts, many clusters; 0 unknown."""
    coarse: npt.NDArray[np.uint8]
    """The same, few clusters."""
    small: npt.NDArray[np.uint8]
    """Share of occurrences written in lower case, 0..255."""
    rarity: npt.NDArray[np.uint8]
    """16 x log2(articles / articles with the form in any case), at most 255."""
    _rows: dict[int, int] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._rows.update(zip(self.keys.tolist(), range(len(self.keys)), strict=True))

    def row(self, form: str) -> int:
        """Row of a form, or -1."""
        return self._rows.get(crc(form), -1)

    def rarity_bits(self, word: str) -> float:
        """How rare a word is in news at large, in any case: bits; what the background never saw is rarest."""
        rows = [
            row for form in (word, word.capitalize(), word.upper()) if (row := self.row(form)) >= 0
        ]
        return min(int(self.rarity[row]) for row in rows) / RARITY_SCALE if rows else UNSEEN_BITS


def crc(text: str) -> int:
    """A 32-bit hash of a text that is the same everywhere."""
    return zlib.crc32(text.encode("utf-8", "surrogatepass"))


def mix(values: Hashes) -> Hashes:
    """Scatter 64-bit values so that any of their bits may index a table."""
    values = (values ^ (values >> np.uint64(30))) * _MIX_A
    values = (values ^ (values >> np.uint64(27))) * _MIX_B
    return values ^ (values >> _FOLD)


def join(*columns: Hashes) -> Hashes:
    """One hash for several aligned columns, order mattering."""
    total = np.zeros_like(columns[0])
    for column in columns:
        total = mix(total * _JOIN + column)
    return total


def plain_form(word: str) -> str:
    """The form features are taken from: straight apostrophes, digits as 0, bounded length."""
    if word.isalpha():
        return word[:MAX_WORD_CHARS]
    word = word[:MAX_WORD_CHARS].replace("’", "'").replace("‑", "-")
    return re.sub(r"\d", "0", word)


def word_shape(word: str) -> str:
    """Letters as X and x, digits as 0, runs of three and more shortened to two."""
    kinds = "".join(
        "X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word
    )
    return _SHAPE_RUN.sub(r"\1\1", kinds)


@dataclass(frozen=True, slots=True)
class WordFeatures:
    """Hashes of one word: alone, as a neighbour, and the traits that are joined with its neighbours'."""

    unit: tuple[int, ...]
    near: tuple[int, ...]
    traits: tuple[int, ...]
    """form, short shape, fine cluster, coarse cluster, how often small."""


def word_features(word: str, vocabulary: Vocabulary) -> WordFeatures:
    """Hash one word. Deterministic; any text will do."""
    form = plain_form(word)
    low = form.lower()
    row = vocabulary.row(form)
    low_row = vocabulary.row(low)
    fine = int(vocabulary.fine[row]) if row >= 0 else UNKNOWN_CLUSTER
    coarse = int(vocabulary.coarse[row]) if row >= 0 else UNKNOWN_CLUSTER
    low_fine = int(vocabulary.fine[low_row]) if low_row >= 0 else UNKNOWN_CLUSTER
    share = (
        int(vocabulary.small[row if row >= 0 else low_row]) // 43 if max(row, low_row) >= 0 else 9
    )
    shape = word_shape(word)
    short = _SHAPE_RUN.sub(r"\1", shape)
    names = [
        f"w{form}",
        f"l{low}",
        f"s{shape}",
        f"r{short}",
        f"f{fine}",
        f"c{coarse}",
        f"g{low_fine}",
    ]
    names += [f"m{share}{short}", f"n{len(form)}{short}"]
    names += [f"p{k}{form[:k]}" for k in (1, 2, 3, 4, 5) if k < len(form)]
    names += [f"e{k}{form[-k:]}" for k in (1, 2, 3, 4, 5) if k < len(form)]
    if "-" in form:
        names += [f"h{low.rsplit('-', 1)[1]}", f"H{low.split('-', 1)[0]}"]
    padded = f"^{low}$"
    names += [f"t{padded[i : i + 4]}" for i in range(len(padded) - 3)]
    hashes = tuple(crc(name) for name in names[:UNIT_FEATURES])
    near = (f"l{low}", f"r{short}", f"f{fine}", f"e{form[-3:]}", f"c{coarse}", f"m{share}{short}")
    traits = (crc(low), crc(short), fine, coarse, share)
    return WordFeatures(hashes, tuple(crc(name) for name in near), traits)


def joint_features(traits: Hashes, is_first: npt.NDArray[np.bool_]) -> Hashes:
    """Features of a word together with its neighbours.

    Args:
        traits: uint64 (N + 4, 5), the words of one run of sentences with two boundary rows on either side.
        is_first: bool (N,), whether the word opens its sentence.

    Returns:
        uint64 (N, JOINT_FEATURES).
    """
    before2, before, here, after, after2 = (traits[k : len(traits) - 4 + k] for k in range(5))
    form, short, fine, coarse, share = range(5)
    first = is_first.astype(np.uint64)
    pairs = (
        (before[:, form], here[:, form]),
        (here[:, form], after[:, form]),
        (before[:, short], here[:, short], after[:, short]),
        (before[:, fine], here[:, fine]),
        (here[:, fine], after[:, fine]),
        (before[:, fine], after[:, fine]),
        (before[:, coarse], here[:, coarse], after[:, coarse]),
        (before[:, form], here[:, short]),
        (here[:, short], here[:, share], first),
        (before2[:, coarse], before[:, coarse], here[:, coarse]),
        (here[:, short], after[:, short], after2[:, short]),
    )
    return np.stack(
        [join(*pair, np.full(len(here), k + 101, np.uint64)) for k, pair in enumerate(pairs)],
        axis=1,
    )
