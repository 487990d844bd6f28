"""Settings of the encoder and of its training, as values; named presets are functions."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TrunkConfig:
    """Sizes of the transformer over units; names as in `transformer.py`."""

    n_layer: int = 2
    n_embd: int = 192
    n_head: int = 3
    n_kv_head: int = 1
    mlp_width: int = 384
    window: int = 64
    """Units that see each other: a longer text is cut into windows."""
    is_relative: bool = True
    """Whether attention knows relative positions; without, it sees a bag."""

    def __post_init__(self) -> None:
        """Refuse sizes that do not go together."""
        even = self.n_embd % (2 * self.n_head) == 0 and self.n_head % self.n_kv_head == 0
        if not even or min(self.n_layer, self.n_kv_head, self.mlp_width, self.window) < 1:
            raise ValueError(f"sizes of the trunk do not go together: {self}")


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """What an encoder is; stored beside its weights."""

    preset: str
    """Part of the encoder's name."""
    kinds: tuple[str, ...]
    """Kinds of features: those that make units first, then any of `gram`, `pair`, `part`, ..."""
    max_rows: int
    """Rows of the table: `dim` * `row_bits` / 8 + 8 bytes each on disk."""
    trusted_count: int
    """A unit seen this often in training stands without its n-grams: look-ups are the cost."""
    min_count: int
    """Features seen less often own no row."""
    threshold: float = 0.15
    """A confident unit ends before a character whose probability is below this."""
    context_bits: int = 21
    """Two to this power buckets in the table of character contexts, one byte each."""
    dim: int = 256
    """Width of the vectors."""
    row_bits: int = 4
    """Bits a number of the table is stored in: 4, 8 or 32."""
    trunk: TrunkConfig | None = None
    """None is depth 0: the bag alone."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How an encoder is trained: the bag first, then bag and trunk, at last on sentences alone."""

    bag_steps: int
    """Steps of the bag alone."""
    joint_steps: int
    """Steps of everything, afterwards."""
    sentence_steps: int = 0
    """Steps of bag and trunk on sentences alone, without pairs: there the order of words says most."""
    rounded_steps: int = 0
    """Of all steps the last ones, which see the rows of four bits as they will be stored."""
    batch_size: int = 1024
    """Texts per step; the similarity loss compares all of them with each other."""
    joint_batch_size: int = 256
    """The same, in the later phases: the trunk learns more from many steps than from large ones."""
    group_size: int = 8
    """Near neighbours by the teacher put together: far texts alone say little about similarity."""
    pair_count: int = 256
    """Pairs per step, all of one source: their likeness is what must be told."""
    joint_pair_count: int = 96
    """The same, in the second phase; the third has none."""
    pair_units: int = 64
    """Pairs with more units than this, on their source's mean, are learned by the bag alone."""
    learning_rate: float = 1e-2
    """Peak of the cosine schedule, for the rows, in the first phase."""
    joint_learning_rate: float = 3e-3
    """The same, in the second phase; in the third, half of it."""
    trunk_learning_rate: float = 5e-4
    """Peak for the trunk's matrices (AdamW)."""
    teacher_weight: float = 1.0
    """Weight of everything learned from the teacher; 0 leaves pairs alone."""
    similarity_weight: float = 10.0
    """Weight of the squared difference of similarities against the cosine loss."""
    near_weight: float = 20.0
    """Weight of the same difference within groups alone."""
    pair_weight: float = 0.05
    """Weight of the contrastive loss; 0 leaves the teacher alone."""
    temperature: float = 0.05
    """Of the contrastive loss."""
    early_weight: float = 0.2
    """Weight of the loss at each exit before the last: a pass may stop there."""
    limit_factor: int = 1
    """Times as many texts of each source as its limit says."""
    max_texts: int = 2_000_000
    """Training texts taken from the front of the mixed corpus: the teacher is the slow part."""
    context_chars: int = 40_000_000
    """Characters of text counted for the table of contexts."""
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Preset:
    """An encoder and its training."""

    encoder: EncoderConfig
    train: TrainConfig


def tiny() -> Preset:
    """Seconds on one core; for tests and a first look, not for use."""
    encoder = EncoderConfig(
        preset="tiny",
        kinds=("word", "gram"),
        max_rows=4096,
        trusted_count=1_000_000,
        min_count=1,
        context_bits=16,
        dim=64,
        trunk=TrunkConfig(n_layer=2, n_embd=32, n_head=2, n_kv_head=1, mlp_width=64, window=16),
    )
    train = TrainConfig(
        bag_steps=30,
        joint_steps=20,
        sentence_steps=10,
        rounded_steps=5,
        batch_size=64,
        joint_batch_size=64,
        pair_count=16,
        joint_pair_count=16,
        context_chars=200_000,
    )
    return Preset(encoder, train)


def small() -> Preset:
    """The shipped encoder: an hour on two cores once the teacher's vectors are there."""
    encoder = EncoderConfig(
        preset="small",
        kinds=("word", "gram", "part"),
        max_rows=160_000,
        trusted_count=100,
        min_count=3,
        trunk=TrunkConfig(),
    )
    train = TrainConfig(bag_steps=7000, joint_steps=500, sentence_steps=5000, rounded_steps=1500)
    return Preset(encoder, train)


def base() -> Preset:
    """A wider trunk on twice the text: minutes on an accelerator, a day on two cores."""
    encoder = replace(
        small().encoder,
        preset="base",
        max_rows=150_000,
        trunk=TrunkConfig(n_layer=3, n_embd=256, n_head=4, mlp_width=512),
    )
    train = TrainConfig(
        bag_steps=6000,
        joint_steps=5000,
        sentence_steps=20_000,
        rounded_steps=6000,
        batch_size=2048,
        joint_batch_size=2048,
        pair_count=512,
        joint_pair_count=512,
        trunk_learning_rate=8e-4,
        limit_factor=2,
        max_texts=4_000_000,
    )
    return Preset(encoder, train)


PRESETS = {"tiny": tiny, "small": small, "base": base}
