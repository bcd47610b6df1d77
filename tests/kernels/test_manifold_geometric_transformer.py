"""The delta rule's identities, a block in NumPy, and the rank of tokens over depth."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, softmax

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import drain
from aqc.kernels.manifold_geometric_transformer import (
    KERNEL,
    Settings,
    draw_block,
    manifold_geometric_block,
    profile_rank_collapse,
    profile_steps,
)
from aqc.kernels.manifold_geometric_transformer._block import apply_rule
from aqc.kernels.manifold_geometric_transformer._profile import measure

DDL = Settings("ddl")
block = jax.jit(manifold_geometric_block, static_argnums=2)


def tokens(seed: int, size: int = 64, width: int = 64) -> np.ndarray:
    """Normal tokens with one shared normal vector, so that they are alike from the start."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(size, width)) + rng.normal(size=width)


# --- the rule


def test_a_vanishing_beta_changes_nothing() -> None:
    x, v = np.random.default_rng(0).normal(size=(2, 6, 8))
    with jax.enable_x64(True):
        for projection in ("value", "self"):
            settings = DDL._replace(projection=projection)
            np.testing.assert_array_equal(apply_rule(x, v, np.zeros((6, 1)), settings), x)


@pytest.mark.parametrize("beta", [0.3, 1.0, 1.7, 2.0])
def test_the_operator_has_one_eigenvalue_that_is_not_one(beta: float) -> None:
    x, v = np.random.default_rng(1).normal(size=(2, 1, 8))
    unit = v[0] / np.linalg.norm(v)
    with jax.enable_x64(True):
        rule = jax.jit(
            lambda x: apply_rule(x[None], jnp.asarray(v), jnp.full((1, 1), beta), DDL)[0]
        )
        operator = np.asarray(jax.jacfwd(rule)(x[0]))
        moved = np.asarray(rule(x[0]))
    np.testing.assert_allclose(operator, operator.T, atol=1e-12)
    expected = np.sort([1 - beta, *np.ones(7)])
    np.testing.assert_allclose(np.linalg.eigvalsh(operator), expected, atol=1e-12)
    np.testing.assert_allclose(moved, operator @ x[0] + beta * v[0], atol=1e-12)
    along = (1 - beta) * unit @ x[0] + beta * np.linalg.norm(v)
    assert unit @ moved == pytest.approx(along, abs=1e-12)
    if beta == 2.0:
        reflected = x[0] - 2 * unit * (unit @ x[0])
        np.testing.assert_allclose(moved - 2 * v[0], reflected, atol=1e-12)


def in_numpy(x: np.ndarray, weights: Any, settings: Settings) -> np.ndarray:
    """One block with the projection along v, token by token."""

    def normed(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)

    for own in weights:
        own = {name: np.asarray(w) for name, w in own.items()}
        seen = normed(x) if settings.norm == "pre" else x
        if "query" in own:
            parts = [np.split(seen @ own[n], settings.heads, 1) for n in ("query", "key", "value")]
            mixed = [
                softmax(q @ k.T / np.sqrt(q.shape[1]), 1) @ v
                for q, k, v in zip(*parts, strict=True)
            ]
            v = np.concatenate(mixed, 1) @ own["out"]
        else:
            up = seen @ own["up"]
            v = up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3))) / 2 @ own["down"]
        if settings.rule in ("mhc", "mgt"):
            v = v * expit(normed(x) @ own["gate"])
        raw = normed(x) @ own["beta"] + own["bias"]
        beta = 2 * expit(raw) if settings.beta_mode == "householder" else np.tanh(raw)
        moved = []
        for token, value, b in zip(x, v, beta, strict=True):
            unit = value / np.linalg.norm(value)
            erased = unit * (unit @ token) if settings.projection == "value" else token
            delta = token + b * (value - settings.alpha * erased)
            kinds = {"none": value, "vanilla": token + value, "mhc": token + value}
            moved.append(kinds.get(settings.rule, delta))
        x = np.array(moved)
        x = normed(x) if settings.norm == "post" else x
    return x


@pytest.mark.parametrize(
    "settings",
    [
        Settings("mgt"),
        Settings("vanilla", norm="post"),
        Settings("ddl", heads=2, projection="self", beta_mode="tanh_vector", alpha=0.5),
        Settings("mhc", mlp=False),
        Settings("none", heads=1, mlp=False),
    ],
)
def test_a_block_is_its_definition(settings: Settings) -> None:
    x = tokens(0, 10, 16)
    with jax.enable_x64(True):
        weights = draw_block(np.random.default_rng(1), 16, settings, 0.3)
        found, size = block(x, weights, settings)
        found, size = np.asarray(found), float(size)
    np.testing.assert_allclose(found, in_numpy(x, weights, settings), atol=1e-9)
    assert 0.1 < size < 2
    assert np.abs(found - x).max() > 0.1


def test_nothing_erased_and_beta_one_is_the_plain_residual() -> None:
    x = tokens(1, 6, 8)
    with jax.enable_x64(True):
        weights = draw_block(np.random.default_rng(1), 8, DDL)
        weights = [own | {"beta": 0 * own["beta"]} for own in weights]
        for delta, plain in (("ddl", "vanilla"), ("mgt", "mhc")):
            with_delta, beta = block(x, weights, Settings(delta, alpha=0.0))
            without, _ = block(x, weights, Settings(plain))
            np.testing.assert_allclose(with_delta, without, atol=1e-12)
            assert float(beta) == 1.0


def test_a_gate_that_is_open_is_none() -> None:
    x = tokens(1, 6, 8)
    settings = Settings("mgt", mlp=False, alpha=0.0)
    (own,) = draw_block(np.random.default_rng(2), 8, settings)
    seen = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    is_open = {"gate": np.linalg.pinv(seen) @ np.full((6, 8), 50.0), "beta": 0 * own["beta"]}
    with jax.enable_x64(True):
        gated, _ = block(x, [own | is_open], settings)
        plain, _ = block(x, [own], Settings("vanilla", mlp=False))
        np.testing.assert_allclose(gated, plain, atol=1e-12)


def measured(x: np.ndarray, first: np.ndarray) -> np.ndarray:
    return measure(x[None, None], first, np.full((1, 1), 0.7))[:, 0, 0]


def test_what_is_measured() -> None:
    x, first = tokens(2, 7, 9), tokens(3, 7, 9)
    rank, cosine, rms, residual, identity, beta, distance = measured(x, first)
    assert measured(np.eye(8), np.eye(8))[0] == pytest.approx(8)
    np.testing.assert_allclose(measured(np.ones((7, 9)), first)[:2], [1, 1], atol=1e-9)
    assert beta == 0.7
    assert distance == pytest.approx(np.sqrt(np.sum((x - first) ** 2) / np.sum(first**2)))
    shares = np.sqrt(np.linalg.eigvalsh(x @ x.T))
    shares /= shares.sum()
    assert rank == pytest.approx(np.prod(shares**-shares))

    def angle(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.sqrt(a @ a) / np.sqrt(b @ b))

    pairs = [angle(x[i], x[j]) for i in range(7) for j in range(i)]
    assert cosine == pytest.approx(np.mean(pairs))
    assert rms == pytest.approx(np.sqrt(np.mean(x**2)))
    assert residual == pytest.approx(np.linalg.norm(x - x.mean(0)) / np.linalg.norm(x))
    own = [max(range(7), key=lambda j: angle(x[i], first[j])) == i for i in range(7)]
    assert identity == pytest.approx(np.mean(own))


# --- depth


def test_attention_alone_collapses_to_rank_one() -> None:
    """Dong and others' theorem: doubly exponential without residuals and MLPs."""
    (alone,) = profile_rank_collapse(tokens(4), 8, rules=["none"], mlp=False, seeds=5)
    assert (alone.effective_rank[:, 0] > 3).all()
    np.testing.assert_allclose(alone.effective_rank[:, 3:], 1, atol=0.01)
    np.testing.assert_allclose(alone.mean_cosine[:, 3:], 1, atol=1e-3)
    # From layer to layer by a growing factor, until rounding.
    falls = alone.residual_ratio[:, :3]
    assert (falls[:, 1] / falls[:, 0] > falls[:, 2] / falls[:, 1]).all()


def test_layer_norm_after_the_residual_collapses() -> None:
    (post,) = profile_rank_collapse(tokens(5), 32, rules=["vanilla"], norm="post", seeds=5)
    assert post.effective_rank[:, -1].max() <= 1.2


def at_depth(seed: int, **options: Any) -> dict[str, Any]:
    return {p.rule: p for p in profile_rank_collapse(tokens(seed), 128, seeds=5, **options)}


@pytest.mark.slow
def test_gate_and_delta_together_keep_the_rank_at_initialization() -> None:
    for seed in (0, 1):
        found = at_depth(seed)
        rank = {name: profile.effective_rank for name, profile in found.items()}
        assert (rank["mgt"][:, -1] >= 2.5 * rank["vanilla"][:, -1]).all()
        assert rank["mgt"].min() >= 30
        for layer in (31, 127):
            for ablation in ("mhc", "ddl"):
                assert (rank["mgt"][:, layer] > rank[ablation][:, layer]).all()
        # Not because nothing happened.
        assert found["mgt"].mean_beta.mean() > 0.8
        assert found["mgt"].distance[:, -1].min() > 1
        # High rank is not memory: no token knows where it came from (by chance 1 / 64).
        assert found["mgt"].identity[:, -1].max() < 0.1
        assert found["mgt"].identity[:, -1].mean() < 0.04
        assert found["mhc"].identity[:, -1].mean() > 0.08


@pytest.mark.slow
def test_the_choices_that_the_paper_leaves_open_decide() -> None:
    for seed in (0, 1):
        literal = at_depth(seed, rules=["mgt"], projection="self")["mgt"]
        assert literal.effective_rank[:, -1].max() < 1.05
        literal = at_depth(seed, rules=["mgt"], projection="self", beta_mode="tanh_vector")["mgt"]
        assert literal.effective_rank[:, -1].mean() < 25
        assert literal.effective_rank[:, -1].min() < 15
        vector = at_depth(seed, rules=["ddl", "mgt"], beta_mode="tanh_vector")
        alone, both = (vector[name].effective_rank[:, -1] for name in ("ddl", "mgt"))
        assert min(alone.min(), both.min()) > 47
        assert abs(alone.mean() - both.mean()) < 1  # the gate adds nothing
        assert vector["mgt"].identity[:, -1].mean() > 0.1


def test_networks_depend_neither_on_their_number_nor_on_the_rules_before() -> None:
    x = tokens(6, 8, 8)
    one = profile_rank_collapse(x, 3, rules=["mgt"])
    two = profile_rank_collapse(x, 3, rules=["ddl", "mgt"], seeds=2)
    np.testing.assert_allclose(two[1].final[0], one[0].final[0], atol=1e-12)
    assert np.abs(two[0].final[0] - two[0].final[1]).max() > 0.1
    scaled = profile_rank_collapse(x, 3, rules=["mgt"], beta_bias=-10.0)
    assert scaled[0].mean_beta.max() < 0.01
    assert scaled[0].distance.max() < 0.01


def test_a_resumed_run_is_the_same_run() -> None:
    options = (tokens(7, 8, 8), 40, ("mhc", "mgt"), 4, True, "pre", "value", "householder")
    options += (1.0, 0.0, 2)
    whole = drain(profile_steps(*options))
    states = [state for _, state in profile_steps(*options)]
    for state in (states[0], states[2], states[3], states[-1]):
        again = drain(profile_steps(*options, state=state))
        for one, other in zip(again, whole, strict=True):
            np.testing.assert_array_equal(one.final, other.final)
            np.testing.assert_array_equal(one.effective_rank, other.effective_rank)


# --- refusals


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"heads": 3}, r"`heads` must divide the width of the tokens \(8\), but is 3"),
        ({"rules": ["mtg"]}, 'must be one of "none", "vanilla", "mhc", "ddl", "mgt"'),
        ({"rules": ["mgt", "mgt"]}, "one is given twice"),
        ({"rules": []}, "`rules` must have 1 to 5 items"),
        ({"alpha": 2.1}, "`alpha` must be at most 2"),
        ({"depth": 513}, "`depth` must be at most 512"),
        ({"seeds": 6}, "`seeds` must be at most 5"),
        ({"x": np.full((4, 8), np.nan)}, "`x` must be finite"),
        ({"x": np.zeros((4, 8))}, "`x` must hold no token of zeros"),
        ({"x": np.ones((4, 7))}, r"at least 8 entries along axis 1 \(d\)"),
        ({"x": np.full((4, 8), 1e70)}, "`x` must hold numbers of size at most"),
        ({"beta_mode": "relu"}, '`beta_mode` must be one of "householder"'),
    ],
)
def test_refusals(change: dict[str, Any], sentence: str) -> None:
    given: dict[str, Any] = {"x": tokens(8, 4, 8), "depth": 2}
    with pytest.raises(InputError, match=sentence):
        profile_rank_collapse(**given | change)


def test_overflow_names_the_layer_and_size_its_limit() -> None:
    options = {"rules": ["ddl"], "projection": "self", "alpha": 2.0, "beta_bias": 10.0}
    with pytest.raises(DivergenceError, match=r"overflow or vanish at layer 1\d\d of the rule ddl"):
        profile_rank_collapse(tokens(9, 4, 8), 300, **options)
    most = {"rules": ["none", "vanilla", "mhc", "ddl", "mgt"], "heads": 16, "seeds": 5}
    with pytest.raises(InputError, match="takes at most 5e.12 multiplications"):
        KERNEL.operation().run({"x": np.ones((256, 256)), "depth": 512} | most)
