"""Which articles are copies of each other: MinHash finds the candidates, shingles decide. Pure."""

import hashlib
from collections.abc import Sequence

import numpy as np
from datasketch import MinHash

from kb.words import plain

SHINGLE_WORDS = 5
PERMUTATIONS = 64
BANDS = 16  # of 4 rows: a pair at 0.8 is missed once in 5,000 times
SEED = 1
COPY_AT = 0.8  # Jaccard index of shingles from which an article is a copy


def shingles(text: str) -> frozenset[str]:
    """Every run of five words; the whole text when it is shorter."""
    spoken = plain(text).split()
    if len(spoken) <= SHINGLE_WORDS:
        return frozenset([" ".join(spoken)] if spoken else [])
    return frozenset(
        " ".join(spoken[start : start + SHINGLE_WORDS])
        for start in range(len(spoken) - SHINGLE_WORDS + 1)
    )


def bands(text: str) -> tuple[str, ...]:
    """Digests of the text's MinHash bands; none for a text without words."""
    held = shingles(text)
    if not held:
        return ()
    sketch = MinHash(num_perm=PERMUTATIONS, seed=SEED, hashfunc=_hash, scheme="affine32")
    sketch.update_batch([shingle.encode() for shingle in held])
    rows = np.asarray(sketch.hashvalues, dtype="<u8").reshape(BANDS, -1)
    return tuple(
        hashlib.sha256(bytes([number]) + row.tobytes()).hexdigest()[:16]
        for number, row in enumerate(rows)
    )


def _hash(shingle: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(shingle, digest_size=4).digest(), "little")


def resemblance(a: str, b: str) -> float:
    """Jaccard index of the shingles of two texts."""
    x, y = shingles(a), shingles(b)
    return len(x & y) / len(x | y) if x or y else 0.0


def copied(text: str, others: Sequence[tuple[str, str]]) -> str | None:
    """Id of the (id, text) that this text copies most closely; None when it is no copy."""
    scored = sorted((-resemblance(text, other), other_id) for other_id, other in others)
    return scored[0][1] if scored and -scored[0][0] >= COPY_AT else None
