"""The language model of levels while it is trained: stretches of text to updates.

Which stretches a step sees depends on the seed and its number alone, so that a run that was stopped goes on as if it
had not been.

Shapes: B stretches, T characters of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from model.alphabet import Ids
from model.averaged import AveragedTrainer, rise_and_fall
from model.codes import Codes
from model.errors import ModelError
from model.level_config import LevelConfig
from model.level_loss import LevelLoss, LevelLosses, bits_per_character
from model.level_network import LevelNetwork
from model.predict_config import PredictTrainConfig
from model.unit_hash import UnitFinder
from model.word_levels import LossMaker, NetworkMaker

WARM_UP_STEPS = 50
EVALUATED_AT_ONCE = 16
_STEPS = 7_919


class LevelModel(nn.Module):
    """The network, and what makes scores and losses of what it says."""

    def __init__(
        self,
        levels: LevelConfig,
        codes: Sequence[Codes],
        *,
        dropout: float = 0.0,
        unit_dropout: float = 0.0,
        network: NetworkMaker = LevelNetwork,
        loss: LossMaker = LevelLoss,
    ) -> None:
        super().__init__()
        self.network = network(levels, dropout=dropout, unit_dropout=unit_dropout)
        self.loss = loss(codes, levels.alphabet)

    def forward(self, ids: Tensor, units: Tensor | None) -> list[LevelLosses]:
        """Losses by level of stretches (B, T), see `LevelNetwork`."""
        found: list[LevelLosses] = self.loss(self.network(ids, units), ids)
        return found


class PredictTrainer(AveragedTrainer[LevelModel]):
    """Network, optimisers and the mean of the weights, all on one device."""

    def __init__(
        self,
        levels: LevelConfig,
        train: PredictTrainConfig,
        codes: Sequence[Codes],
        hasher: UnitFinder | None,
        *,
        device: str = "cpu",
        network: NetworkMaker = LevelNetwork,
        loss: LossMaker = LevelLoss,
    ) -> None:
        """Set up with random weights.

        Args:
            levels: the network.
            train: its training.
            codes: of every level.
            hasher: of the table of larger units, where there is one.
            device: `cpu` or `cuda`.
            network: makes what it is of those sizes.
            loss: makes what the levels are trained on.
        """
        self.train, self.levels, self.codes, self.hasher = train, levels, tuple(codes), hasher
        self._network, self._loss = network, loss
        torch.manual_seed(train.seed)
        model = LevelModel(
            levels,
            codes,
            dropout=train.dropout,
            unit_dropout=train.unit_dropout,
            network=network,
            loss=loss,
        )
        matrices, table, others = _parted(model)
        groups = [
            {"params": others, "lr": train.learning_rate, "weight_decay": 0.0},
            {"params": table, "lr": train.table_rate, "weight_decay": 0.0},
        ]
        super().__init__(
            model,
            groups,
            memory=train.average,
            seed=train.seed,
            device=device,
            matrices={"params": matrices, "lr": train.matrix_rate},
        )

    def take_step(self, text: Ids) -> float:
        """One update on stretches of a text, uint8 (N,).

        Returns:
            Bits a character of these stretches, before the update.

        Raises:
            ModelError: the loss is not finite; nothing was changed.
        """
        self.begin_step()
        self.network.train()
        rng = np.random.default_rng((self.seed, _STEPS, self.step))
        starts = rng.integers(0, len(text) - self.train.chars + 1, self.train.texts)
        losses = self._losses(np.stack([text[at : at + self.train.chars] for at in starts]))
        loss = self._total(losses)
        if not bool(torch.isfinite(loss.detach())):
            places = ", ".join(map(str, sorted(starts)))
            raise ModelError(
                f"training stopped at step {self.step + 1}: the loss is {loss.detach().item()}; its "
                f"text begins at characters {places}"
            )
        progress = self.step / self.train.steps
        self.update(loss, rise_and_fall((self.step + 1) / WARM_UP_STEPS, progress))
        return bits_per_character(losses)

    def evaluate(self, text: Ids) -> list[dict[str, float]]:
        """Means of the losses by level, of the running mean's weights, on a text cut into stretches."""
        own, self.network = self.network, self.mean_model()
        try:
            with torch.no_grad():
                found = [
                    [(float(each.distance), float(each.contrast)) for each in self._losses(part)]
                    for part in self._cut(text)
                ]
        finally:
            self.network = own
        means = np.mean(found, axis=0)  # (levels, 2)
        return [
            {"distance": round(float(a), 4), "bits": round(float(b) / np.log(2).item(), 4)}
            for a, b in means
        ]

    def mean_model(self) -> LevelModel:
        """The running mean's weights, nothing left out."""
        made = LevelModel(self.levels, self.codes, network=self._network, loss=self._loss)
        model = made.to(self.device)
        model.load_state_dict(self.mean)
        return model.eval()

    def _cut(self, text: Ids) -> Iterator[Ids]:
        T = self.train.chars
        rows = text[: len(text) // T * T].reshape(-1, T)
        for first in range(0, len(rows), EVALUATED_AT_ONCE):
            yield rows[first : first + EVALUATED_AT_ONCE]

    def _losses(self, rows: Ids) -> list[LevelLosses]:
        """Of stretches, uint8 (B, T)."""
        ids = torch.from_numpy(rows.astype(np.int64)).to(self.device)
        units = None
        if self.hasher is not None:
            units = torch.from_numpy(self.hasher(rows)).to(self.device)
        with self.fast:
            found: list[LevelLosses] = self.network(ids, units)
        return found

    def _total(self, losses: Sequence[LevelLosses]) -> Tensor:
        parts = [
            weight * (self.train.distance_weight * each.distance + each.contrast)
            for weight, each in zip(self.train.level_weights, losses, strict=True)
        ]
        return torch.stack(parts).sum()


def _parted(model: LevelModel) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Matrices that act on states, the table of larger units, and all other weights."""
    matrices: list[Tensor] = []
    table: list[Tensor] = []
    others: list[Tensor] = []
    for name, value in model.named_parameters():
        if name == "network.units.weight":
            table.append(value)
        elif value.ndim == 2 and not name.startswith(("network.characters", "network.heads")):
            (others if name.endswith(".near") else matrices).append(value)
        else:
            others.append(value)
    return matrices, table, others
