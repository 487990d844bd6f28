"""Where training steps are taken, and what moves there."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T", bound="OnDevice")


@dataclass(frozen=True, slots=True)
class Device:
    """Where steps are taken, and by how many processes they are prepared."""

    name: str = "cpu"
    """As torch names it: `cpu`, `cuda`."""

    @property
    def workers(self) -> int:
        """Processes that prepare steps ahead: an accelerator takes one faster than one is made."""
        return 0 if self.name == "cpu" else max((os.cpu_count() or 1) - 2, 1)

    @property
    def log_every(self) -> int:
        """Steps between two logged ones: to read a loss is to wait for the accelerator."""
        return 1 if self.name == "cpu" else 50


class OnDevice:
    """A dataclass of tensors, and of more of its kind, that moves as a whole."""

    def to(self: T, device: torch.device, *, non_blocking: bool = True) -> T:
        """The same on another device."""
        return self._changed(lambda part: part.to(device, non_blocking=non_blocking))

    def pin_memory(self: T) -> T:
        """The same where an accelerator can fetch it while the processor goes on."""
        return self._changed(lambda part: part.pin_memory())

    def _changed(self: T, change: Any) -> T:
        parts = {at.name: getattr(self, at.name) for at in fields(self)}  # type: ignore[arg-type]  # each of its kind is a dataclass
        return type(self)(
            **{
                name: change(part) if isinstance(part, Tensor | OnDevice) else part
                for name, part in parts.items()
            }
        )
