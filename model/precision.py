"""In which numbers a device multiplies matrices fastest."""

from __future__ import annotations

import torch


def fast_dtype(device: str = "cpu") -> torch.dtype:
    """bfloat16 where the device multiplies it in hardware, else float32.

    Where it does not, bfloat16 is many times slower than float32.
    """
    if device != "cpu" or torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return torch.float32
