"""Settings of the reader and of its training, as values; named presets are functions."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """What a reader is; stored beside its weights."""

    preset: str
    """Part of the reader's name."""
    n_layer: int = 2
    n_embd: int = 96
    n_head: int = 3
    mlp_width: int = 192
    match_width: int = 48
    """Of the vectors by which words of one side look for their like on the other."""
    pair_width: int = 32
    """Of the vectors by which the first and the last word of a span are held together."""
    reach: int = 2
    """Words to either side that a convolution sees."""
    max_span_words: int = 16
    """No answer is longer."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        sizes = (self.n_layer, self.mlp_width, self.match_width, self.pair_width)
        even = self.n_embd % (2 * self.n_head) == 0
        if not even or min(*sizes, self.reach, self.max_span_words) < 1:
            raise ValueError(f"sizes of the reader do not go together: {self}")


@dataclass(frozen=True, slots=True)
class ReadTrainConfig:
    """How a reader is trained: on every source first, then on whole paragraphs."""

    first_steps: int
    """Steps on every source."""
    last_steps: int
    """Steps afterwards, mostly on questions that people asked of whole paragraphs."""
    made_steps: int = 0
    """Steps before all others, on questions made of texts."""
    again_steps: int = 0
    """Steps after these, with a second rise of the learning rate, and news among the questions."""
    people_steps: int = 0
    """Steps before `last_steps` on questions that people asked, most of them from further folders."""
    told_steps: int = 0
    """Steps after these on every source, and on questions that only a teacher can answer."""
    batch_size: int = 16
    """Pairs per step."""
    learning_rate: float = 1e-3
    """Peak of the schedule: a short rise, then a cosine fall."""
    again_share: float = 0.5
    """Of that peak, the second one."""
    weight_decay: float = 0.03
    dropout: float = 0.15
    """Share of each state left out within blocks."""
    word_dropout: float = 0.2
    """Share of each word's vector left out."""
    average: float = 0.998
    """The shipped weights are a running mean with this memory."""
    max_texts: int = 5000
    """Passages that questions are made of."""
    max_questions: int = 1_000_000
    """Questions taken from each source."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class ReadPreset:
    """A reader and its training."""

    reader: ReaderConfig
    train: ReadTrainConfig
    teacher: ReadTrainConfig | None = None
    """How a teacher is trained first, from whom the reader then learns instead of from right answers."""

    def seeded(self, seed: int) -> ReadPreset:
        """The same with another seed."""
        teacher = replace(self.teacher, seed=seed) if self.teacher is not None else None
        return ReadPreset(self.reader, replace(self.train, seed=seed), teacher)


def tiny() -> ReadPreset:
    """Seconds on one core; for tests and a first look, not for use."""
    reader = ReaderConfig("tiny", n_layer=1, n_embd=32, n_head=2, mlp_width=32, match_width=8)
    train = ReadTrainConfig(6, 6, batch_size=8, average=0.8, max_questions=60)
    return ReadPreset(reader, train)


def small() -> ReadPreset:
    """Trained on right answers alone: 40 minutes on one core."""
    return ReadPreset(ReaderConfig("small"), ReadTrainConfig(1280, 2240, again_steps=2880))


def base() -> ReadPreset:
    """The shipped reader: told by a teacher, millions of questions: minutes on an accelerator."""
    reader = ReaderConfig(
        "base", n_layer=3, n_embd=160, n_head=5, mlp_width=320, match_width=64, pair_width=48
    )
    train = ReadTrainConfig(
        0,
        0,
        made_steps=2000,
        told_steps=6600,
        batch_size=128,
        learning_rate=1.5e-3,
        dropout=0.05,
        word_dropout=0.1,
        average=0.999,
        max_texts=12_000,
    )
    teacher = ReadTrainConfig(
        0,
        0,
        made_steps=500,
        people_steps=2500,
        batch_size=128,
        learning_rate=1e-4,
        weight_decay=0.01,
        dropout=0.1,
        average=0.99,
    )
    return ReadPreset(reader, train, teacher)


PRESETS = {"tiny": tiny, "small": small, "base": base}
