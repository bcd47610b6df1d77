"""Gradients through deep networks, and networks whose weights are given."""

from typing import Any

import jax
import numpy as np
import pytest

from aqc.errors import DivergenceError, InputError
from aqc.kernels.manifold_geometric_transformer import (
    Mlp,
    Settings,
    Stack,
    Sublayers,
    draw_block,
    manifold_geometric_block,
    profile_gradients,
    profile_own_layers,
    profile_rank_collapse,
)

X = np.random.default_rng(0).normal(size=(6, 8)) + np.random.default_rng(1).normal(size=8)


def stacked(depth: int, settings: Settings, width: int = 8) -> Stack:
    """The layers that seed 0 draws."""
    drawn = [draw_block(np.random.default_rng([0, k]), width, settings) for k in range(depth)]
    parts = [
        {name: np.stack([block[i][name] for block in drawn]) for name in drawn[0][i]}
        for i in range(len(drawn[0]))
    ]
    own = [Sublayers(part.pop("gate"), part.pop("beta"), part.pop("bias")) for part in parts]
    mlp = Mlp(**parts[1], own=own[1]) if settings.mlp else None
    return Stack(**parts[0], own=own[0], mlp=mlp)


@pytest.mark.parametrize(
    "settings", [Settings("mgt"), Settings("ddl", mlp=False, norm="post", beta_mode="tanh_vector")]
)
def test_own_layers_are_those_that_were_drawn(settings: Settings) -> None:
    options = {name: getattr(settings, name) for name in ("norm", "beta_mode", "heads")}
    found = profile_own_layers(X, stacked(3, settings), settings.rule, **options)
    (drawn,) = profile_rank_collapse(X, 3, rules=[settings.rule], mlp=settings.mlp, **options)
    for name, curve in vars(drawn).items():
        if name != "rule":
            np.testing.assert_allclose(getattr(found.profile, name), curve, rtol=1e-9, atol=1e-12)
    (gradients,) = profile_gradients(X, 3, rules=[settings.rule], mlp=settings.mlp, **options)
    np.testing.assert_allclose(found.gradients.norm, gradients.norm, rtol=1e-9)


def test_gradients_are_those_of_the_whole_network() -> None:
    settings = Settings("mgt", mlp=False)
    blocks = [draw_block(np.random.default_rng([0, k]), 8, settings) for k in range(3)]
    u = np.random.default_rng(0).normal(size=X.shape)
    u /= np.linalg.norm(u)

    def last(added: Any) -> Any:
        """The output, when something is added to each layer's tokens on their way."""
        x = X
        for weights, more in zip(blocks, added, strict=True):
            x = manifold_geometric_block(x + more, weights, settings)[0]
        return (u * x).sum()

    with jax.enable_x64(True):
        gradients = jax.jit(jax.grad(last))(np.zeros((3, *X.shape)))
        expected = np.linalg.norm(gradients, axis=(1, 2))
    (found,) = profile_gradients(X, 3, rules=["mgt"], mlp=False)
    np.testing.assert_allclose(found.norm[0], [*expected, 1.0], rtol=1e-9)


def test_refusals_of_own_layers() -> None:
    layers = stacked(3, Settings("mgt"))
    short = Stack(**vars(layers) | {"key": layers.key[:2]})
    for arguments, sentence in (
        ({"layers": short}, r"`layers.key` must have 3 entries along axis 0 \(L\)"),
        ({"layers": layers, "heads": 3}, r"`heads` must divide the width of the tokens \(8\)"),
        (
            {"layers": layers, "rule": "mtg"},
            'must be one of "none", "vanilla", "mhc", "ddl", "mgt"',
        ),
        ({"layers": layers, "beta_mode": "tanh_vector"}, "`layers.own.beta` must have 8 columns"),
        ({"layers": layers, "x": X[:, :7]}, r"at least 8 entries along axis 1"),
    ):
        with pytest.raises(InputError, match=sentence):
            profile_own_layers(**{"x": X} | arguments)
    assert layers.mlp is not None
    steep = Mlp(1e59 * layers.mlp.up, 1e59 * layers.mlp.down, layers.mlp.own)
    huge = Stack(**vars(layers) | {"mlp": steep})
    with pytest.raises(
        DivergenceError, match=r"overflow or vanish at layer \d of the rule vanilla"
    ):
        profile_own_layers(X, huge, "vanilla")
    with pytest.raises(InputError, match="`depth` must keep n d L seeds at most 20000000"):
        profile_gradients(np.ones((256, 256)), 512)
