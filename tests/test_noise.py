"""The generator, the word layout, and the numbers made from the words."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import iterorder as ito
from iterorder import noise
from tests import naive

seeds = st.integers(0, 2**64 - 1)
replicas = st.integers(0, 2**32 - 1)
steps = st.integers(0, 2**62)

FROZEN = {
    "bits": [1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0],
    "indices": [205, 557, 991, 651, 975],
    "weighted": [0, 1, 2, 1, 2],
    "pair": [24, 77],
    "batch": [19, 81, 48, 23, 10, 13],
    "shuffle": [2, 3, 0, 1, 4, 6, 7, 5],
    "feistel": [1044, 3663, 4976, 417, 3821, 4798],
    "uniforms": [0.20689577500185163, 0.5034320670582267],
    "normals": [-0.6807244076412569, -0.014681630225728149, -0.24864432823638247],
    "normals beside an index": [-2.005765699618871, 0.06994193088188848, 0.43717543124804403],
}

# Level of each statistical test of this file.
LEVEL = 1e-6


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_random123_known_answers(counter, key, answer):
    block, seed = counter[0] | counter[1] << 32, key[0] | key[1] << 32
    expected = [int(word, 16) for word in answer.split()]
    assert noise.words(seed, block, counter[2], counter[3]).tolist() == expected
    assert list(naive.philox(block, counter[2], counter[3], seed)) == expected


@given(seeds, steps, replicas, st.integers(0, 2**32 - 1))
def test_words_match_python_integers(seed, block, replica, stream):
    assert noise.words(seed, block, replica, stream).tolist() == list(naive.philox(block, replica, stream, seed))


def test_word_layout_is_frozen():
    """These numbers are the contract: a change of layout changes every seeded result of every user."""
    seed, replica = 0x0123456789ABCDEF, 7
    place = np.arange(5)
    assert noise.fair_bits(seed, replica, np.arange(120, 140)).tolist() == FROZEN["bits"]
    assert noise.indices(seed, replica, place, 1000).tolist() == FROZEN["indices"]
    assert noise.indices(seed, replica, place, 3, [0.5, 0.25, 0.25]).tolist() == FROZEN["weighted"]
    assert noise.batch(seed, replica, 3, 100, 2).tolist() == FROZEN["pair"]
    assert noise.batch(seed, replica, 3, 100, 6).tolist() == FROZEN["batch"]
    assert noise.permutation(seed, replica, 2, 8).tolist() == FROZEN["shuffle"]
    assert noise.permutation(seed, replica, 2, 5000)[:6].tolist() == FROZEN["feistel"]
    assert noise.uniforms(seed, replica, 3, 2).tolist() == FROZEN["uniforms"]
    assert noise.normals(seed, replica, 3, 3).tolist() == FROZEN["normals"]
    assert noise.normals_beside_index(seed, replica, 3, 3).tolist() == FROZEN["normals beside an index"]


@given(seeds, replicas, steps, st.integers(1, 9))
def test_step_words_match_the_layout(seed, replica, step, count):
    expected = [naive.step_word(seed, replica, step, slot, count) for slot in range(count)]
    assert noise.step_words(seed, replica, step, count).tolist() == expected


@given(seeds, replicas, steps, st.integers(1, 2**31 - 1))
def test_index_matches_the_layout(seed, replica, step, n):
    assert int(noise.indices(seed, replica, step, n)) == naive.index(seed, replica, step, n)


@given(seeds, replicas, steps, st.lists(st.integers(0, 5), min_size=1, max_size=8).filter(any))
def test_weighted_index_matches_the_layout(seed, replica, step, counts):
    probabilities = np.array(counts) / sum(counts)
    drawn = int(noise.indices(seed, replica, step, len(counts), probabilities))
    assert drawn == naive.index(seed, replica, step, len(counts), probabilities)
    assert counts[drawn] > 0


@given(seeds, replicas, steps, st.integers(1, 60), st.data())
def test_batch_is_floyds(seed, replica, step, n, data):
    size = data.draw(st.integers(1, n))
    points = noise.batch(seed, replica, step, n, size).tolist()
    assert points == naive.batch(seed, replica, step, n, size)
    assert len(set(points)) == size
    assert all(0 <= point < n for point in points)


@given(seeds, replicas, st.integers(0, 2**62), st.integers(1, 40))
def test_shuffle_is_fisher_yates(seed, replica, epoch, n):
    items = noise.permutation(seed, replica, epoch, n).tolist()
    assert items == naive.fisher_yates(seed, replica, epoch, n)
    assert sorted(items) == list(range(n))


@pytest.mark.parametrize("n", [4097, 5000, 16384, 16385])
def test_feistel_is_a_permutation(n):
    items = noise.permutation(5, 1, 3, n)
    assert items.tolist() == naive.feistel(5, 1, 3, n)
    assert np.array_equal(np.sort(items), np.arange(n))


def chi_square_rejects(counts, expected) -> bool:
    """Whether counts deviate from their expectations at LEVEL."""
    from scipy.stats import chi2

    statistic = float(((counts - expected) ** 2 / expected).sum())
    return statistic > chi2.isf(LEVEL, len(np.ravel(counts)) - 1)


@pytest.mark.parametrize("n", [2, 3, 7, 100])
def test_indices_are_uniform(n):
    counts = np.bincount(noise.indices(1, np.arange(400)[:, None], np.arange(500), n).ravel(), minlength=n)
    assert not chi_square_rejects(counts, np.full(n, 200_000 / n))
    # The wrong target: one index half as likely again as the others.
    wrong = np.where(np.arange(n) == 0, 1.5, 1.0)
    assert chi_square_rejects(counts, 200_000 * wrong / wrong.sum())


def test_small_shuffles_are_uniform_over_all_permutations():
    orders = {order: i for i, order in enumerate(itertools.permutations(range(4)))}
    drawn = [orders[tuple(noise.permutation(3, r, e, 4).tolist())] for r in range(40) for e in range(60)]
    counts = np.bincount(drawn, minlength=24)
    assert not chi_square_rejects(counts, np.full(24, 100.0))
    assert chi_square_rejects(counts, np.where(np.arange(24) < 12, 130.0, 70.0))


def test_feistel_pairs_are_uniform():
    """The joint law of the images of two neighbours, in an 8×8 table of intervals of the domain."""
    n, epochs = 5000, 3000
    images = np.array([noise.feistel(np.array([0, 1]), 9, 0, e, n) for e in range(epochs)])
    cells = images * 8 // n
    counts = np.bincount(8 * cells[:, 0] + cells[:, 1], minlength=64)
    same = 625 * 624 / (n * (n - 1))  # both in one interval of 625 items
    different = 625 * 625 / (n * (n - 1))
    expected = epochs * np.where(np.arange(64) // 8 == np.arange(64) % 8, same, different)
    assert not chi_square_rejects(counts, expected)
    assert chi_square_rejects(counts, np.where(np.arange(64) % 8 < 4, 1.3, 0.7) * expected)


def test_batches_hit_every_pair_equally_often():
    n = 5
    pairs = {frozenset(pair): i for i, pair in enumerate(itertools.combinations(range(n), 2))}
    counts = np.zeros(len(pairs))
    for step in range(5000):
        counts[pairs[frozenset(noise.batch(2, 0, step, n, 2).tolist())]] += 1
    assert not chi_square_rejects(counts, np.full(len(pairs), 500.0))


def test_the_series_are_those_of_the_functions():
    """Logarithm and circle within the errors that their series and roundings have."""
    u = np.r_[0.0, 2.0**-53, 1 - 2.0**-53, 0.125, 0.25, 0.5, 0.75, np.random.default_rng(0).random(10**5)]
    x = 1.0 - u
    assert (np.abs(noise._log(x) - np.log(x)) <= 2 * np.spacing(np.abs(np.log(x)))).all()
    cosine, sine = noise._circle(u)
    # The angle 2πu is itself rounded in the comparison: up to 7 times half an ulp of it.
    for found, expected in ((cosine, np.cos(2 * np.pi * u)), (sine, np.sin(2 * np.pi * u))):
        np.testing.assert_allclose(found, expected, rtol=0, atol=8 * np.finfo(float).eps)
    np.testing.assert_allclose(cosine**2 + sine**2, 1.0, rtol=0, atol=8 * np.finfo(float).eps)


def test_uniforms_and_normals_follow_their_laws():
    from scipy.stats import expon, kstest, norm, uniform

    u = noise.uniforms(4, np.arange(100)[:, None], np.arange(200), 3).ravel()
    z = noise.normals(4, np.arange(100)[:, None], np.arange(200), 3).ravel()
    assert u.min() >= 0.0
    assert u.max() < 1.0
    assert ((u * 2.0**53) % 1.0 == 0.0).all()
    assert kstest(u, uniform.cdf).pvalue > LEVEL
    assert kstest(z, norm.cdf).pvalue > LEVEL
    assert kstest(u, expon.cdf).pvalue < LEVEL
    assert kstest(z, norm(scale=1.05).cdf).pvalue < LEVEL
    # The two normals of a pair share a radius; they must be uncorrelated all the same, and so must their squares.
    pairs = noise.normals(5, 0, np.arange(40_000), 2)
    bound = norm.isf(LEVEL / 2) / math.sqrt(len(pairs))
    assert abs(np.corrcoef(pairs.T)[0, 1]) < bound
    assert abs(np.corrcoef((pairs**2).T)[0, 1]) < bound


def test_streams_do_not_meet():
    """Steps, groups of slots, epochs and purposes read different counters."""
    seen = noise.words(1, np.arange(50)[:, None], 0, [0, 1, 2, 1 << 24, (1 << 24) + 1, 2 << 24]).reshape(-1, 4)
    assert len(np.unique(seen, axis=0)) == len(seen)


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, "1", None, True, np.float64(1)])
def test_seed_must_be_a_key(seed):
    with pytest.raises(ito.InvalidInputError, match="seed is"):
        noise.words(seed, 0, 0)


def test_seed_sequence_gives_its_first_word():
    sequence = np.random.SeedSequence(11)
    key = int(sequence.generate_state(1, np.uint64)[0])
    assert noise.words(sequence, 0, 0).tolist() == noise.words(key, 0, 0).tolist()
