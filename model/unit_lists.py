"""Lists of larger units, found in the training text in other ways, to be measured against the hash of `unit_hash.py`.

A unit is a stretch of 2 to 8 characters within a line. At every character stand the rows of the two longest units of a
list that end there: only the list differs, and none of them is shipped. In the list are the parts that byte-pair
encoding merges (Sennrich and others 2016), the most frequent stretches, those that are most often read with confidence,
or random ones.

Shapes: B rows, T characters, N stretches of one length.
"""

from __future__ import annotations

import enum
import heapq
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.alphabet import Alphabet, Ids
from model.unit_hash import Rows, letters_of

SHORTEST, LONGEST = 2, 8
"""Characters of a unit: so many bytes are one number."""
COUNT = 2
"""Units that have a row at a character, K."""
FOUND_IN = 4_000_000
"""Characters at the beginning of the training text that lists are made from."""
CONTEXT, LEAST_SEEN = 3, 8
"""So many characters tell how sure the next one is, one less where they were seen less often than that."""
UNIT_CHARS = 4.5
"""Of a confident unit on average: one of so many characters begins one."""
LEAST_MERGED = 2

Keys = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]
Pair = tuple[bytes, bytes]


class UnitKind(enum.StrEnum):
    """How a list is found."""

    MERGED = "merged"
    FREQUENT = "frequent"
    CONFIDENT = "confident"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class ListedUnits:
    """Which rows belong to a character: those of the two longest listed units that end there, row 0 for none."""

    keys: tuple[Keys, ...]
    """By length from `SHORTEST` on: the units, ascending."""

    @classmethod
    def of(cls, units: Iterable[bytes]) -> ListedUnits:
        """For different units, each the ids of its characters."""
        by_length: list[list[int]] = [[] for _ in range(SHORTEST, LONGEST + 1)]
        for unit in units:
            by_length[len(unit) - SHORTEST].append(int.from_bytes(unit))
        return cls(tuple(np.array(sorted(keys), np.uint64) for keys in by_length))

    def __len__(self) -> int:
        return sum(map(len, self.keys))

    def __call__(self, ids: Ids) -> Rows:
        """Rows of every character's units.

        Args:
            ids: uint8 (B, T), each row a text.

        Returns:
            int64 (B, T, K), the longest unit's first; at most as many as units.
        """
        found = np.zeros((*ids.shape, COUNT), np.int64)
        first_row = 1
        for length, keys in enumerate(self.keys, start=SHORTEST):
            windows = _windows(ids, length)  # (B, T - length + 1), by start
            if len(keys) and windows.size:
                places = np.minimum(np.searchsorted(keys, windows), len(keys) - 1)
                ends = found[:, length - 1 :]
                is_listed = keys[places] == windows
                ends[is_listed] = np.stack(
                    (first_row + places[is_listed], ends[is_listed][:, 0]), axis=-1
                )
            first_row += len(keys)
        return found


def list_units(
    kind: UnitKind, text: Ids, alphabet: Alphabet, *, rows: int, seed: int
) -> ListedUnits:
    """Find as many units in a text as a table has rows, one excepted.

    Args:
        kind: how.
        text: uint8 (T,), what is trained on.
        alphabet: of its ids.
        rows: of the table.
        seed: of random units; the others do not depend on it.
    """
    text, most = text[:FOUND_IN], rows - 1
    line_end = int(alphabet.ids("\n")[0])
    match kind:
        case UnitKind.MERGED:
            units = merged_units(_words(text, alphabet), most)
        case UnitKind.FREQUENT:
            units = _most_frequent(text, _in_lines(text == line_end), most)
        case UnitKind.CONFIDENT:
            units = _most_frequent(text, confident_stretches(text, line_end), most)
        case UnitKind.RANDOM:
            units = _random_units(text, _in_lines(text == line_end), most, seed)
    return ListedUnits.of(units)


def merged_units(words: Counter[bytes], most: int) -> list[bytes]:
    """What byte-pair encoding merges, the first ones first: always the pair of parts that is most frequent."""
    parts = [[bytes([char]) for char in word] for word in words]
    amounts = list(words.values())
    counts: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for at, word in enumerate(parts):
        for pair in itertools.pairwise(word):
            counts[pair] += amounts[at]
            places[pair].add(at)
    queue = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(queue)
    units: dict[bytes, None] = {}
    while queue and len(units) < most:
        count, pair = heapq.heappop(queue)
        unit = pair[0] + pair[1]
        if counts[pair] != -count or -count < LEAST_MERGED or len(unit) > LONGEST:
            continue  # counted anew since, or nothing to merge
        units[unit] = None
        changed: set[Pair] = set()
        for at in sorted(places.pop(pair)):
            before, after = parts[at], _merged(parts[at], pair)
            parts[at] = after
            for sign, word in ((-1, before), (1, after)):
                for other in itertools.pairwise(word):
                    counts[other] += sign * amounts[at]
                    changed.add(other)
            for other in itertools.pairwise(after):
                places[other].add(at)
        for other in sorted(changed):
            if counts[other]:
                heapq.heappush(queue, (-counts[other], other))
    return list(units)


def _merged(word: list[bytes], pair: Pair) -> list[bytes]:
    found: list[bytes] = []
    rest = iter(range(len(word)))
    for at in rest:
        if tuple(word[at : at + 2]) == pair:
            found.append(word[at] + word[at + 1])
            next(rest)
        else:
            found.append(word[at])
    return found


def _words(text: Ids, alphabet: Alphabet) -> Counter[bytes]:
    """Words with the blank before them; everything else is a word of one character."""
    letters = b"".join(re.escape(bytes([char])) for char in np.flatnonzero(letters_of(alphabet)))
    blank = re.escape(bytes(alphabet.ids(" ")))
    return Counter(re.findall(blank + b"?[" + letters + b"]+", text.tobytes(), re.DOTALL))


def confident_stretches(text: Ids, line_end: int) -> Iterator[Bools]:
    """By length where stretches start that begin where the text is unsure and go on where it is not.

    How sure a place is, is the entropy of what follows its context everywhere in the text.
    """
    unsure = _entropies(text)
    is_start = unsure > np.quantile(unsure, 1 - 1 / UNIT_CHARS)
    going = is_start
    for length, is_whole in enumerate(_in_lines(text == line_end), start=SHORTEST):
        going = going[: len(is_whole)] & ~is_start[length - 1 :]
        yield going & is_whole


def _entropies(text: Ids) -> npt.NDArray[np.float64]:
    """Bits of uncertainty before each character, float64 (T,)."""
    found = np.full(len(text), np.inf)
    for context in (CONTEXT - 1, CONTEXT):
        windows = _windows(text[None], context + 1)[0]
        pairs, counts = np.unique(windows, return_counts=True)
        contexts, which = np.unique(pairs >> np.uint64(8), return_inverse=True)
        totals = np.bincount(which, counts)
        bits = np.log2(totals) - np.bincount(which, counts * np.log2(counts)) / totals
        at = np.searchsorted(contexts, windows >> np.uint64(8))
        is_known = (totals[at] >= LEAST_SEEN) | (context < CONTEXT)
        found[context:][is_known] = bits[at[is_known]]
    return found


def _most_frequent(text: Ids, counted: Iterable[Bools], most: int) -> list[bytes]:
    """The stretches that start most often at places that count, given by length."""
    everything: list[tuple[int, bytes]] = []
    for length, counts_here in enumerate(counted, start=SHORTEST):
        keys, counts = np.unique(_windows(text[None], length)[0][counts_here], return_counts=True)
        everything += zip((-counts).tolist(), _units(keys, length), strict=True)
    return [unit for _, unit in heapq.nsmallest(most, everything)]


def _random_units(text: Ids, is_whole: Iterator[Bools], most: int, seed: int) -> list[bytes]:
    """Different stretches from random places of the text, of random lengths."""
    rng = np.random.default_rng(seed)
    everything: list[tuple[float, bytes]] = []
    for length, whole in enumerate(is_whole, start=SHORTEST):
        keys = _windows(text[None], length)[0][whole]
        units = dict.fromkeys(_units(keys[rng.integers(0, len(keys), 2 * most)], length))
        everything += zip(rng.random(len(units)).tolist(), units, strict=True)
    return [unit for _, unit in heapq.nsmallest(most, everything)]


def _in_lines(is_line_end: Bools) -> Iterator[Bools]:
    """By length from `SHORTEST` on: whether the stretch that starts at a character has no line break in it."""
    whole = ~is_line_end
    for length in range(SHORTEST, LONGEST + 1):
        whole = whole[:-1] & ~is_line_end[length - 1 :]
        yield whole


def _windows(ids: Ids, length: int) -> Keys:
    """Stretches of one length as numbers, uint64 (B, T - length + 1), by start."""
    count = max(ids.shape[1] - length + 1, 0)
    keys = np.zeros((len(ids), count), np.uint64)
    for at in range(length):
        keys = (keys << np.uint64(8)) | ids[:, at : at + count].astype(np.uint64)
    return keys


def _units(keys: Keys, length: int) -> list[bytes]:
    return [key.to_bytes(length) for key in keys.tolist()]
