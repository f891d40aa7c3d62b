"""Results come back from their files with the maps that made them, as far as those are no user's code."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pickle

import numpy as np
import pytest

import iterorder as ito
from iterorder.maps import gallery
from iterorder.maps.digest import digest_of

#: Numbers for each entry of the gallery.
ENTRIES = {
    "two_point_quadratic": (0.5,),
    "bernoulli_convolution": (0.25,),
    "sierpinski": (),
    "barnsley_fern": (),
    "ar1": (0.5, np.float64(1.0)),
    "arcsine": (),
    "vervaat": (),
    "reflected_walk": (),
    "cyclic_walk": (np.int64(5),),
    "double_well": (0.1, 0.2),
}
ROWS = np.random.default_rng(0).normal(size=(8, 2))
REGRESSION = ito.LinearRegressionSGD(ROWS, ROWS[:, 0], 0.05)


def own_map(x, draw, params, out):
    out[0] = 0.5 * x[0] + draw[0]


OWN = ito.CustomMaps(own_map, dim=1, lipschitz=0.5)


def again(result, tmp_path):
    result.save(tmp_path / "a.npz")
    return ito.load(tmp_path / "a.npz")


def test_every_entry_of_the_gallery_is_here():
    assert set(ENTRIES) == {name for name in gallery.__all__ if callable(getattr(gallery, name))}


@pytest.mark.parametrize("name", ENTRIES)
def test_systems_of_the_gallery_come_back_whole(name, tmp_path):
    maps = getattr(gallery, name)(*ENTRIES[name])
    run = ito.simulate(maps, np.zeros(maps.dim), 5, n_replicas=2, seed=1)
    back = again(run, tmp_path).maps
    assert type(back) is type(maps)
    assert digest_of(back) == digest_of(maps)
    assert back.origin == maps.origin
    assert (back.law is None) == (maps.law is None)
    np.testing.assert_array_equal(ito.simulate(back, np.zeros(maps.dim), 5, n_replicas=2, seed=1).states, run.states)


def test_an_optimizer_of_the_gallery_comes_back(tmp_path):
    maps = ito.Optimizer(gallery.two_point_quadratic(0.5), momentum=0.5)
    back = again(ito.simulate(maps, [0.0, 0.0], 5, seed=1), tmp_path).maps
    assert digest_of(back) == digest_of(maps)
    assert back.maps.law is not None


def test_maps_that_were_changed_are_of_the_gallery_no_more(tmp_path):
    """Its name would be that of other maps."""
    changed = dataclasses.replace(gallery.two_point_quadratic(0.5), step_size=0.25)
    assert changed.origin is None
    assert again(ito.simulate(changed, [0.0], 5, seed=1), tmp_path).maps.step_size == 0.25
    assert pickle.loads(pickle.dumps(gallery.ar1(0.5, 1.0))).origin == ("ar1", {"a": 0.5, "sigma": 1.0})


def test_the_map_of_a_user_stays_out_and_is_said_to(tmp_path):
    run = again(ito.simulate(OWN, [0.0], 5, seed=1), tmp_path)
    sample = again(ito.stationary_sample(OWN, 10, seed=1), tmp_path)
    for back in (run, sample):
        assert back.maps is None
        assert "maps=None (of a user's code, which no file keeps)" in repr(back)
    assert sample.rests_on == "lipschitz given"
    assert sample.plot().get_legend() is not None
    assert sample.to_dataframe().shape == (10, 1)


@pytest.mark.parametrize(
    "maps", [REGRESSION, gallery.arcsine(), gallery.reflected_walk()], ids=lambda maps: str(maps)[:12]
)
def test_samples_come_back_to_the_bit(maps, tmp_path):
    tol = 1e-2 if maps.lipschitz_max == 1.0 else 1e-8
    sample = ito.stationary_sample(maps, 20, seed=2**64 - 1, tol=tol)
    back = again(sample, tmp_path)
    assert type(back) is ito.StationarySample
    for field in dataclasses.fields(sample):
        one, other = (getattr(result, field.name) for result in (sample, back))
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, strict=True)
        elif field.name != "maps":
            assert one == other, field.name
    assert digest_of(back.maps) == digest_of(maps)
    assert repr(back) == repr(sample)


def test_training_is_loaded_by_the_same_function(tmp_path):
    rng = np.random.default_rng(0)
    model = ito.networks.MLP(rng.normal(size=(20, 3)), rng.integers(0, 2, 20), hidden=(), step_size=0.1)
    run = ito.networks.train(model, batch_size=4, n_steps=5, save_steps="all", seed=1)
    back = again(run, tmp_path)
    assert type(back) is ito.networks.TrainingRun
    np.testing.assert_array_equal(back.moves, run.moves)
    with pytest.raises(ito.InvalidInputError, match=r"ends with \.npz, or write run\.to_dataframe\(\)\.to_csv"):
        run.save(tmp_path / "a.csv")


HEADER = {"family": None, "parameters": {}, "certificate": "sure", "rests_on": "moments", "seed": 1}


def written(path, changes, arrays):
    sample = ito.stationary_sample(gallery.two_point_quadratic(0.5), 4, seed=1)
    parts = {name: getattr(sample, name) for name in ("points", "error_bound", "n_steps", "spread")} | arrays
    header = {"schema": "iterorder.sample/1", **HEADER} | changes
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **parts)
    return path


@pytest.mark.parametrize(
    ("changes", "arrays", "told"),
    [
        ({"gallery": {"name": "made", "arguments": {}}}, {}, "gallery has no 'made'"),
        ({"gallery": {"name": "__builtins__", "arguments": {}}}, {}, "gallery has no"),
        ({"gallery": {"name": "SIERPINSKI_CORNERS", "arguments": {}}}, {}, "gallery has no"),
        ({"gallery": {"name": "ar1", "arguments": {"a": "x", "sigma": 1}}}, {}, "a is 'x'"),
        ({"gallery": {"name": "sierpinski", "arguments": {}}}, {}, "points has shape"),
        ({"gallery": {"name": "sierpinski", "arguments": {"out": 1}}}, {}, "unexpected keyword"),
        ({"certificate": "word of honour"}, {}, "certificate is 'word of honour'"),
        ({"seed": -1}, {}, "seed is -1"),
        ({"schema": "iterorder.sample/9"}, {}, "schema 'iterorder.sample/9'"),
        ({}, {"spread": np.zeros(3)}, "spread has shape"),
        ({}, {"n_steps": np.zeros(4)}, "n_steps has shape"),
        ({}, {"points": np.zeros(4)}, "points has shape"),
    ],
)
def test_hostile_files_are_refused(changes, arrays, told, tmp_path):
    assert ito.load(written(tmp_path / "whole.npz", {}, {})).maps is None
    with pytest.raises(ito.InvalidInputError, match=told):
        ito.load(written(tmp_path / "a.npz", changes, arrays))


def test_entries_keep_their_signatures():
    assert list(inspect.signature(gallery.ar1).parameters) == ["a", "sigma"]
    assert gallery.ar1(sigma=2, a=0.5).origin == ("ar1", {"a": 0.5, "sigma": 2})
