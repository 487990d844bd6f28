"""The errors of this package, one tree.

ModelError                  anything a caller can report in one line
    CheckpointError         weights are missing, incomplete, damaged or of another version
    DataError               training or evaluation data is missing or not of the expected layout
"""

from __future__ import annotations


class ModelError(Exception):
    """Something in the model failed in a way the caller can report."""


class CheckpointError(ModelError):
    """Weights could not be loaded or saved: missing, damaged, or not ours."""


class DataError(ModelError):
    """Training or evaluation data is missing, or is not laid out as expected."""
