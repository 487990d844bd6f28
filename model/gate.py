"""How much of what was read before is heard beside the network: a small gate, fitted once.

At every character the network has its distribution, and for each length of the graph of experience the characters that
followed there have theirs. The gate looks at how sure the network is, at what the graph knows of each length and at
what the network thinks of the character that followed last, and gives each of them a share; what comes out is a
distribution again.

Shapes: T characters, V of the alphabet, K lengths of the graph, F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from model.alphabet import Ids
from model.checkpoint import Arrays
from model.experience import LENGTHS, Traces

FloatArray = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

GATE = "gate."
"""Begins the names of its arrays."""
NETWORK_FEATURES, LENGTH_FEATURES = 2, 8
HIDDEN = 32
"""Width of its hidden layer."""
LEAST_LOG = np.float32(-20.0)
"""Of a share, natural: below it all are alike."""


class Gate:
    """A fitted gate."""

    def __init__(self, arrays: Arrays) -> None:
        """Set up.

        Args:
            arrays: at least those of `gate_shapes`, in these shapes.
        """
        self._inward, self._inward_bias, self._outward, self._outward_bias = (
            arrays[name] for name in gate_shapes()
        )

    def logs(self, logs: Doubles, following: Ids, traces: Sequence[Traces]) -> Doubles:
        """Logs of the shares of what followed, float64 (T,).

        Args:
            logs: of the network's distributions, (T, V).
            following: what came, (T,).
            traces: of the same characters, by length.
        """
        seen = features(logs, traces)
        hidden = seen @ self._inward.T + self._inward_bias
        hidden *= 1 / (1 + np.exp(-np.clip(hidden, -30, 30)))
        heard = hidden @ self._outward.T + self._outward_bias
        heard[:, 1:][~is_known(traces)] = -np.inf
        heard = np.exp(heard - heard.max(axis=1, keepdims=True))
        heard /= heard.sum(axis=1, keepdims=True)
        return np.asarray(np.log((heard * shares(logs, following, traces)).sum(axis=1)))


def gate_shapes() -> dict[str, tuple[int, ...]]:
    """Every array of a gate and its shape."""
    lengths = len(LENGTHS)
    return {
        f"{GATE}inward.weight": (HIDDEN, feature_count(lengths)),
        f"{GATE}inward.bias": (HIDDEN,),
        f"{GATE}outward.weight": (1 + lengths, HIDDEN),
        f"{GATE}outward.bias": (1 + lengths,),
    }


def feature_count(lengths: int) -> int:
    """What the gate looks at where the graph has so many lengths, F."""
    return NETWORK_FEATURES + LENGTH_FEATURES * lengths


def features(logs: Doubles, traces: Sequence[Traces]) -> FloatArray:
    """What the gate looks at, float32 (T, F); nothing of it depends on what comes now."""
    shares_ = np.exp(logs)
    best = logs.argmax(axis=1)
    found = [-(shares_ * np.maximum(logs, LEAST_LOG)).sum(axis=1), logs.max(axis=1)]
    places = np.arange(len(logs))
    for trace in traces:
        is_known = trace.times > 0
        times, kinds = np.log1p(trace.times), np.log1p(trace.kinds)
        is_only = trace.kinds == 1
        agreed = np.maximum(logs[places, trace.last], LEAST_LOG)
        found += [
            times,
            kinds,
            is_only,
            0.3 * agreed * is_known,
            0.1 * np.log1p(trace.age),
            (trace.last == best) & is_known,
            times * is_only,
            is_known,
        ]
    return np.stack(found, axis=1).astype(np.float32)


def is_known(traces: Sequence[Traces]) -> npt.NDArray[np.bool_]:
    """Where something followed before, bool (T, K)."""
    return np.stack([trace.times > 0 for trace in traces], axis=1)


def shares(logs: Doubles, following: Ids, traces: Sequence[Traces]) -> Doubles:
    """Of what followed, in the network's distribution and that of each length, float64 (T, 1 + K)."""
    network = np.exp(logs[np.arange(len(logs)), following])
    return np.stack(
        [network, *(trace.weight / np.maximum(trace.times, 1) for trace in traces)], axis=1
    )
