"""The figure scripts: their command line, what their sidecars hold, and the numbers they plot against theory."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import chi2

from iterorder import gallery, progress

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

import _common  # noqa: E402
import figure_clouds  # noqa: E402
import figure_distance  # noqa: E402
import figure_gallery  # noqa: E402
import figure_increments  # noqa: E402
import make_figures  # noqa: E402

# Six significant digits of numbers of size one.
SIDECAR_DIGITS = 1e-6
# Statistical checks miss by less than this many standard errors, but for one run in ten thousand; seeds are fixed.
Z = 4.0


# ------------------------------------------------------------------------------------------------------- command line


def test_list_names_every_script():
    command = [sys.executable, str(SCRIPTS / "make_figures.py"), "--list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()
    assert listed == sorted(file.stem.removeprefix("figure_") for file in SCRIPTS.glob("figure_*.py"))
    assert {"clouds", "distance", "increments", "one_path"} <= set(listed)


def test_unknown_name_is_an_error_that_lists_the_names(capsys):
    with pytest.raises(SystemExit) as stop:
        make_figures.main(["one_path", "nonsense"])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert "'nonsense'" in message
    assert all(name in message for name in make_figures.names())


def test_unknown_effort_is_an_error(capsys):
    with pytest.raises(SystemExit):
        make_figures.main(["one_path", "--effort", "heroic"])
    assert "heroic" in capsys.readouterr().err


@pytest.mark.parametrize("name", make_figures.names())
def test_every_script_has_a_draw_function(name):
    # Parsed and not imported: cheap, and a figure that needs an extra is checked without it.
    tree = ast.parse((SCRIPTS / f"figure_{name}.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert [argument.arg for argument in functions["draw"].args.args] == ["effort", "folder"]
    assert ast.get_docstring(tree)


def test_a_figure_of_many_systems_tells_how_far_it_is(tmp_path, monkeypatch, capsys):
    """The gallery was silent for most of a minute; a line in a log names the figure and its share."""
    for seconds in ("FIRST_LINE", "NEXT_LINE"):
        monkeypatch.setattr(progress, seconds, 0.0)
    monkeypatch.setattr(figure_gallery, "systems", lambda: ["one", "two", "three", "four"])
    monkeypatch.setattr(figure_gallery, "measure", lambda system, effort: None)
    monkeypatch.setattr(figure_gallery, "draw_system", lambda system, *_: [_touched(tmp_path / f"{system}.png")])
    make_figures.draw_all({"gallery": "quick"}, tmp_path)
    told = capsys.readouterr()
    for share in ("25%", "50%", "75%"):
        assert f"[1/1] gallery: {share} after" in told.err
    assert re.search(r"^\[1/1\] gallery +[\d.]+ s  \(png", told.out)
    # The control: a figure that takes no report is drawn all the same, with a line when it is done.
    monkeypatch.setattr(figure_clouds, "draw", lambda effort, folder: [_touched(tmp_path / "clouds.png")])
    make_figures.draw_all({"clouds": "quick"}, tmp_path)
    told = capsys.readouterr()
    assert "50%" not in told.err
    assert told.out.startswith("[1/1] clouds")


def _touched(file: Path) -> Path:
    file.touch()
    return file


def test_figures_go_where_git_does_not_see_them():
    """`make reproduce` left the checkout changed: a figure drawn as it does is in a folder that git ignores."""
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True).returncode:
        pytest.skip("not a git checkout")

    def status() -> str:
        command = ["git", "status", "--porcelain"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    before = status()
    assert make_figures.main(["cyclic"]) == 0
    assert (_common.REPORTS / "cyclic.png").stat().st_size > 0
    assert status() == before
    # The control: a figure for the documentation is seen.
    seen = subprocess.run(["git", "check-ignore", "-q", str(_common.COMMITTED / "cyclic.png")], cwd=ROOT)
    assert seen.returncode == 1


def test_committed_figures_are_drawn_again_with_their_effort(tmp_path, monkeypatch):
    """Half a minute of a sweep would replace one of 2560 systems."""
    assert make_figures.recorded_effort("phase_diagram") == "full"
    assert make_figures.recorded_effort("gallery") == make_figures.recorded_effort("clouds") == "quick"
    assert make_figures.recorded_effort("network_digits_mlp") == "quick"  # its presets have no effort
    assert make_figures.recorded_effort("clouds", tmp_path) == "quick"
    given = []
    monkeypatch.setattr(make_figures, "draw_all", lambda *arguments: given.append(arguments))
    make_figures.main(["--committed", "phase_diagram", "clouds"])
    make_figures.main(["clouds", "--effort", "full"])
    assert given == [
        ({"phase_diagram": "full", "clouds": "quick"}, _common.COMMITTED),
        ({"clouds": "full"}, _common.REPORTS),
    ]


def test_sidecars_describe_what_a_family_is_made_from():
    """Quadratic losses have no ridge to be given: the zero of the class was written beside their step size."""
    quadratic, logistic = gallery.two_point_quadratic(0.3), _common.few_features_logistic()
    assert _common.described(quadratic) == {
        "family": "QuadraticSGD",
        "step_size": 0.3,
        "batch_size": 1,
        "sampling": "iid",
    }
    assert _common.described(logistic)["ridge"] == logistic.ridge == 0.1  # the control


# ------------------------------------------------------------------------------------------------ one figure as a whole


@pytest.fixture(scope="module")
def one_path(tmp_path_factory):
    pytest.importorskip("sklearn")
    folder = tmp_path_factory.mktemp("figures")
    assert make_figures.main(["one_path", "--folder", str(folder)]) == 0
    return folder


@pytest.fixture
def sidecar(one_path):
    return json.loads((one_path / "one_path.json").read_text(encoding="utf-8"))


def test_files_are_complete_small_and_name_no_machine(one_path):
    files = {file.suffix: file.read_bytes() for file in one_path.iterdir()}
    assert set(files) == {".png", ".pdf", ".json"}
    assert files[".png"].startswith(b"\x89PNG")
    assert files[".pdf"].startswith(b"%PDF")
    assert len(files[".png"]) < 400_000
    for content in files.values():
        for path in (ROOT, one_path, Path.home()):
            assert str(path).encode() not in content


def test_sidecar_says_how_the_figure_was_made(sidecar):
    assert set(sidecar) == {"figure", "version", "seed", "parameters", "data"}
    assert sidecar["figure"] == "one_path"
    assert sidecar["parameters"]["effort"] == "quick"
    assert isinstance(sidecar["seed"], int)


def test_both_paths_are_the_same_maps_in_two_orders(sidecar):
    parameters, data = sidecar["parameters"]["two_point"], sidecar["data"]["two_point"]
    maps = gallery.two_point_quadratic(parameters["step_size"])
    draws = [maps.draw(sidecar["seed"], 0, step) for step in range(data["n"][-1])]
    for n in (1, 2, 17, 60):
        forward = backward = np.array([parameters["x0"]])
        for step in range(n):
            forward = maps.apply(forward, draws[step])
            backward = maps.apply(backward, draws[n - 1 - step])
        assert data["forward"][n] == pytest.approx(forward[0], abs=SIDECAR_DIGITS)
        assert data["backward"][n] == pytest.approx(backward[0], abs=SIDECAR_DIGITS)


def test_backward_is_certainly_near_its_end_and_forward_is_not(sidecar):
    data = sidecar["data"]["two_point"]
    n, h = np.array(data["n"]), sidecar["parameters"]["two_point"]["step_size"]
    # The image of [0, 1] under n maps has length (1−h)^n.
    bound = (1 - h) ** n + SIDECAR_DIGITS
    assert (np.abs(np.array(data["backward"]) - data["backward"][-1]) <= bound).all()
    assert not (np.abs(np.array(data["forward"]) - data["forward"][-1]) <= bound).all()


def test_long_run_of_forward_has_the_stationary_spread(sidecar):
    h = sidecar["parameters"]["two_point"]["step_size"]
    low, high, density = np.array(sidecar["data"]["two_point"]["forward_visits_low_high_density"])
    middle, weight, width = (low + high) / 2, density * (high - low), high[0] - low[0]
    variance = weight @ (middle - weight @ middle) ** 2
    predicted = h / (4 * (2 - h))
    # Squares of an AR(1) sequence are correlated like (1−h)^(2k), and a law of negative excess kurtosis (a sum of
    # independent ±1) has less than the Gaussian's 2/N relative variance; the bins add about a twelfth of their square.
    correlation = (1 - h) ** 2
    relative = np.sqrt(2 / sidecar["parameters"]["long_run"] * (1 + correlation) / (1 - correlation))
    assert variance == pytest.approx(predicted, abs=Z * relative * predicted + width**2 / 12)


# -------------------------------------------------------------------------------------------- the numbers of the others


@pytest.fixture(scope="module")
def increments():
    case = figure_increments.closed_form_case()
    return case, figure_increments.measure(case, 400)


def test_slope_of_backward_increments_is_the_lyapunov_exponent(increments):
    case, found = increments
    logs = np.log(1 - figure_increments.STEP_SIZE * np.array(figure_increments.CURVATURES))
    assert found.exponent == pytest.approx(logs.mean(), rel=1e-12)
    first, last = case.slope_steps
    # log‖Z_(n+1)−Z_n‖ is the sum of the n log slopes and the logarithm of the newest move, which is h·λ/2 from x0 = ½.
    # The newest map of the first end is also among the slopes, so standard deviations are added and not variances.
    newest = np.sqrt(2) * np.log(figure_increments.CURVATURES).std()
    error = (np.sqrt(last - first) * logs.std() + newest) / (last - first) / np.sqrt(400)
    assert found.slope == pytest.approx(found.exponent, abs=Z * error)
    assert error / 3 < found.slope_error < 1.2 * error


def test_forward_increments_have_their_stationary_size_and_no_slope(increments):
    case, found = increments
    late = found.forward[:, case.steps >= 30] ** 2  # the start has shrunk to (E a²)^30 < 2e-9
    error = late.mean(axis=1).std(ddof=1) / np.sqrt(len(late))
    assert late.mean() == pytest.approx(found.forward_level**2, abs=Z * error)
    assert found.forward[:, -1].max() > 1000 * found.backward[:, -1].max()


def test_brackets_hold_the_error_of_the_last_digit():
    assert figure_increments.short_form(-0.005508, 0.00008) == "-0.00551(8)"
    assert figure_increments.short_form(-0.38152, 0.0037) == "-0.382(4)"


def test_density_of_the_clouds_is_the_law_of_the_sum_of_three_uniforms():
    h = figure_clouds.STEP_SIZE
    x = np.linspace(0, 1, 20_001)
    density = figure_clouds.two_point_density(x)
    assert density.min() >= -1e-12
    # Trapezium rule on a piecewise parabola: error of order dx².
    moments = [trapezoid(density * (x - 0.5) ** k, x) for k in range(3)]
    assert moments == pytest.approx([1.0, 0.0, h / (4 * (2 - h))], abs=1e-7)


@pytest.mark.parametrize("order", ["forward", "backward", "sliding", "anchored"])
def test_every_order_has_the_predicted_law_at_a_fixed_step(order):
    case, size = figure_clouds.two_point_case(), 20_000
    points = case.cloud(case.orders[order], size, case.steps[-1:])[:, 0]
    edges = np.linspace(0, 1, 21)

    def misfit(h: float) -> float:
        """Pearson's statistic against the sum of uniforms of step size h."""
        x = np.linspace(0, 1, 20_001)
        cdf = np.cumsum(figure_clouds.two_point_density(x, h)) * x[1]
        expected = size * np.diff(np.concatenate([[0.0], np.interp(edges[1:-1], x, cdf), [1.0]]))
        return float(((np.histogram(points, edges)[0] - expected) ** 2 / expected).sum())

    level = chi2.ppf(1 - 1e-4, len(edges) - 2)
    assert misfit(figure_clouds.STEP_SIZE) < level
    assert misfit(1.1 * figure_clouds.STEP_SIZE) > level  # a wrong target that must be rejected


def test_coupling_is_exact_and_sample_distances_lie_on_it_up_to_the_floor():
    curves = figure_distance.two_point_curves("quick")
    exact = 0.5 * 0.5**curves.coupled_at
    assert curves.coupled == pytest.approx(exact, rel=1e-9)
    assert curves.bound == pytest.approx(exact, rel=1e-12)
    size = figure_distance.LINE_REPLICAS["quick"]
    # W_1 on [0, 1] is at most the largest difference of the distribution functions (Dvoretzky, Kiefer, Wolfowitz, with
    # Massart's constant), here with probability 1 − 1e-5 for each of the points.
    allowance = np.sqrt(np.log(2 / 1e-5) / (2 * size))
    assert curves.floor < allowance
    for values in curves.sampled.values():
        assert values.shape == (figure_distance.SAMPLES, len(curves.sampled_at))
        assert np.abs(values - exact[curves.sampled_at]).max() < allowance


def test_sampled_distances_are_at_their_floor_in_the_end():
    """The floor is the mean of W_1 in equilibrium; a floor of half the size, the control, is rejected."""
    curves = figure_distance.two_point_curves("quick")
    late = np.concatenate([values[:, curves.sampled_at >= 20].mean(axis=1) for values in curves.sampled.values()])
    # Standard deviation of W_1 over samples is less than its mean; forward and backward read the same words.
    error = curves.floor / np.sqrt(figure_distance.SAMPLES)
    assert late.mean() == pytest.approx(curves.floor, abs=error)
    assert late.mean() != pytest.approx(0.5 * curves.floor, abs=error)


def test_both_curves_of_real_data_are_those_of_one_coordinate():
    """The mean of |v·(X_n − Y_n)| under the same maps, and it bounds W_1 along v; the full norm is another number."""
    maps = _common.few_features_logistic()
    rng = np.random.default_rng(0)
    direction = np.array([0.6, 0.0, 0.8, 0.0, 0.0])
    y0, steps = rng.normal(size=(50, maps.dim)), np.array([0, 5, 40])
    distance, error = figure_distance.coupled(maps, np.zeros(maps.dim), y0, steps, direction)
    along, norms = np.empty((50, 3)), np.empty((50, 3))
    for replica in range(50):
        x, y = np.zeros(maps.dim), y0[replica]
        for step in range(41):
            if step in steps:
                place = int(np.flatnonzero(steps == step)[0])
                along[replica, place] = abs(direction @ (x - y))
                norms[replica, place] = np.linalg.norm(x - y)
            draw = maps.draw(figure_distance.SEED + 1, replica, step)
            x, y = maps.apply(x, draw), maps.apply(y, draw)
    # Some tens of steps of some ten rounded operations.
    assert distance == pytest.approx(along.mean(axis=0), rel=1e-10)
    assert error == pytest.approx(along.std(axis=0, ddof=1) / np.sqrt(50), rel=1e-8)
    assert (norms.mean(axis=0) > 1.05 * distance).all()
