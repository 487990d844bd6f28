"""A table of larger units whose rows have a colour: what followed a unit so far, learned while reading.

A row's weights are learned slowly, by gradients, and stand still when training is over. Its colour is a running mean of
the directions of the characters that followed the units of the row; it changes with every text that is read, in
training and after it, and the network hears it beside the row's weights. Measured as rows of `level_rows.py`, not
shipped.

Shapes: B rows of text, T characters, K larger units that end at one, R rows of the table, N a colour's numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.level_config import LevelConfig
from model.level_network import LevelNetwork

COLOUR_WIDTH = 16
MEMORY = 32
"""Passages through a row after which its colour forgets the older ones as fast as new ones come."""
_SEED = 1
"""Of directions and of rows: the same in every network."""


class ColouredLevels(LevelNetwork):
    """Levels whose characters hear the colours of the larger units that end there; what is read colours them."""

    learns_after_training = True

    def __init__(
        self, config: LevelConfig, *, dropout: float = 0.0, unit_dropout: float = 0.0
    ) -> None:
        """Set up with random weights, all colours zero; there must be a table."""
        super().__init__(config, dropout=dropout, unit_dropout=unit_dropout)
        generator = torch.Generator().manual_seed(_SEED)
        directions = torch.randn(config.alphabet, COLOUR_WIDTH, generator=generator)
        for name, values in (
            ("directions", functional.normalize(directions, dim=1)),
            ("colours", torch.zeros(config.rows, COLOUR_WIDTH)),
            ("passed", torch.zeros(config.rows)),
        ):
            self.register_buffer(name, values)
        self.hear = nn.Linear(
            (len(config.grams) + config.words) * COLOUR_WIDTH, config.widths[0], bias=False
        )
        nn.init.normal_(self.hear.weight, std=self.hear.in_features**-0.5)

    def _embedded(self, ids: Tensor, units: Tensor | None) -> Tensor:
        assert units is not None
        colours = self.get_buffer("colours")[units]  # (B, T, K, N): the longer, the surer
        heard: Tensor = super()._embedded(ids, units) + self.hear(colours.flatten(2))
        if self.training or self.learns_after_training:
            self._pass(ids[:, 1:], units[:, :-1])
        return heard

    @torch.no_grad()
    def _pass(self, following: Tensor, units: Tensor) -> None:
        """Let characters (B, T) colour the rows (B, T, K) of the units that they follow, after these were heard."""
        colours, passed = self.get_buffer("colours"), self.get_buffer("passed")
        codes = self.get_buffer("directions")[following[..., None].expand_as(units).flatten()]
        rows, at = torch.unique(self._coloured(units).flatten(), return_inverse=True)
        counts = torch.bincount(at, minlength=len(rows)).float()
        means = codes.new_zeros(len(rows), COLOUR_WIDTH).index_add_(0, at, codes) / counts[:, None]
        remembered = (passed[rows] + counts).clamp(max=MEMORY)
        share = (counts / remembered).clamp(max=1.0)[:, None]
        colours[rows] += share * (means - colours[rows])
        passed[rows] = remembered

    def _coloured(self, units: Tensor) -> Tensor:
        """The rows that units give their colour to."""
        return units


class StillColours(ColouredLevels):
    """Colours that are learned in training alone."""

    learns_after_training = False


class MisplacedColours(ColouredLevels):
    """A control: units colour rows of others, always the same ones."""

    def _coloured(self, units: Tensor) -> Tensor:
        rows = self.config.rows
        generator = torch.Generator().manual_seed(_SEED)
        return torch.randperm(rows, generator=generator).to(units.device)[units]
