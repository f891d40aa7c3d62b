"""`iterorder report`: one file, whole, that runs and injects nothing."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

import iterorder as ito
from iterorder import cli
from iterorder.errors import InvalidInputError
from iterorder.networks import MLP, TrainingRun, train
from iterorder.plotting import save_figure
from iterorder.report import training as report_of_training
from iterorder.report import write_report
from iterorder.report.document import Code, Document, Folded, Picture, Section, Table, Text, facts, smaller

VOID = {"meta", "img"}
#: What a folder, a parameter or a message may be called.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """The tags of a page with their attributes, its text, and whether every tag is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def of(self, tag) -> list[dict]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_harmless(page: Page) -> None:
    """No script, no handler of an event, nothing from elsewhere; every picture is a PNG with words."""
    assert not {"script", "iframe", "object", "embed", "link", "form"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,")), (tag, attributes)
    for image in page.of("img"):
        assert image["alt"]
        data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
        assert data.startswith(b"\x89PNG")
    assert "default-src 'none'" in page.of("meta")[1]["content"]
    assert "url(" not in page.text


@pytest.fixture
def page(tmp_path):
    def written(folder, out=None) -> Page:
        found = Page(write_report(folder, out))
        check_harmless(found)
        return found

    return written


def least_squares(step_size, batch_size):
    if step_size > 1.0:
        raise ValueError(HOSTILE)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 2))
    return ito.LinearRegressionSGD(features, rng.normal(size=20), step_size, batch_size=batch_size)


def test_a_sweep_shows_its_diagrams_ranges_errors_and_where_it_comes_from(tmp_path, page):
    grid = {"step_size": [0.01, 0.1, 2.0], "batch_size": [1, 4]}
    sweep = ito.sweep(least_squares, grid, "stability", seed=7, folder=tmp_path / "sw", progress=False)
    found = page(tmp_path / "sw")
    assert "4 of 6 cells are done (step_size 3 × batch_size 2), 2 ended with an error." in found.text
    assert "mean_square_radius over step_size and batch_size" in found.text
    radius = np.asarray(sweep.to_xarray()["mean_square_radius"])[np.asarray(sweep.done)]
    for value in (radius.min(), np.median(radius), radius.max()):
        assert f"{value:.6g}" in found.text
    assert HOSTILE in found.text
    assert sweep.provenance["digest"] in found.text
    assert "the same call of ito.sweep repeats it" in found.text


def test_an_axis_of_one_value_is_no_axis_of_a_diagram(tmp_path, page):
    grid = {"step_size": [0.01, 0.1], "batch_size": [4]}
    ito.sweep(least_squares, grid, "stability", seed=7, folder=tmp_path / "sw", progress=False)
    assert "mean_square_radius over step_size" in page(tmp_path / "sw").text


def test_a_sweep_of_a_file_shows_the_file(tmp_path, page):
    text = (
        'seed = 3\nfolder = "own"\nmeasure = "stability"\n\n'
        '[maps]\nfamily = "LinearRegressionSGD"\ndata = "normal"\nn_points = 8\ndim = 2\n\n'
        "[grid]\nstep_size = [0.1, 0.2]\n"
    )
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    assert cli.main(["sweep", str(tmp_path / "own.toml"), "--out", str(tmp_path), "--quiet"]) == cli.OK
    assert text.strip() in page(tmp_path / "own").text


def training(folder, **options):
    options = {"save_steps": "all"} | options
    rng = np.random.default_rng(0)
    model = MLP(rng.normal(size=(40, 3)), rng.integers(0, 2, 40), hidden=(4,), step_size=0.1)
    folder.mkdir(parents=True)
    return train(model, batch_size=4, n_steps=30, seed=1, folder=folder, **options)


def test_training_shows_losses_and_moves_and_the_spread_between_sequences(tmp_path, page):
    runs = {order: training(tmp_path / "net" / order, order=order) for order in ("backward", "forward")}
    many = training(tmp_path / "net" / "sequences-forward", n_sequences=3)
    found = page(tmp_path / "net")
    assert found.text.index("forward 30") < found.text.index("backward 30") < found.text.index("sequences-forward 30")
    late = runs["forward"].save_steps > 20
    for run in runs.values():
        assert f"{run.observables['loss'][0, 0, late].mean():.6g}" in found.text
        assert f"{np.nanmedian(run.moves[0, 0, late]):.6g}" in found.text
    assert f"{many.observables['loss'][0][:, late].mean(axis=1).std(ddof=1):.6g}" in found.text
    assert "neighbours share their last batches" in found.text
    assert len(found.of("img")) == 1


def test_a_run_that_has_just_begun_is_told_as_it_is(tmp_path, page):
    found = page(training_of_no_time(tmp_path / "net"))
    assert "0%" in found.text
    assert "No iterate is finished yet" in found.text
    assert not found.of("img")


def test_runs_of_several_sequences_alone_are_drawn(tmp_path, page):
    """A line for each; beside runs of one sequence they are told by the table."""
    training(tmp_path / "net", order="backward", n_sequences=3)
    assert len(page(tmp_path / "net").of("img")) == 1


def training_of_no_time(folder):
    training(folder, order="backward", max_seconds=0)
    return folder


def test_a_trajectory_is_drawn_with_what_it_was_made_of(tmp_path, page):
    run = ito.simulate(ito.gallery.ar1(0.5, 1.0), [0.0], 30, n_replicas=20, seed=12345, save_steps="all")
    run.save(tmp_path / "ar1.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    found = page(tmp_path)
    assert len(found.of("img")) == 1
    assert "States of 20 replicas, order forward" in found.text
    assert "12345" in found.text


ROW = {
    "claim": "C1",
    "system": "a system",
    "quantity": "E|x|",
    "relation": "=",
    "predicted": 1.0,
    "measured": 1.25,
    "uncertainty": 0.125,
}


def test_claims_that_fail_come_first_and_figures_with_their_parameters(tmp_path, page):
    from matplotlib.figure import Figure

    rows = [{**ROW, "verdict": "pass"}, {**ROW, "claim": "C2", "verdict": "fail", "system": HOSTILE}]
    content = {"version": "0.1.0", "seed": 5, "effort": "quick", "level": 1e-4, "rows": rows}
    (tmp_path / "check.json").write_text(json.dumps(content), encoding="utf-8")
    figure = Figure()
    figure.subplots().plot([1, 2])
    parameters = {"system": {"step_size": 0.3}, HOSTILE: 1}
    save_figure(figure, tmp_path / "figures", "clouds", parameters=parameters, seed=9, data={"x": [1.0]})
    found = page(tmp_path)
    assert found.text.index("C2") < found.text.index("C1")
    assert found.of("tr").count({"class": "bad"}) == 1
    assert "1 of 2 rows fail." in found.text
    assert "iterorder check --effort quick --seed 5" in found.text
    assert "system: step_size" in found.text
    assert HOSTILE in found.text


def test_names_of_folders_are_shown_and_not_obeyed(tmp_path, page):
    folder = tmp_path / "<b onclick=x>a & b"
    folder.mkdir()
    (folder / "check.json").write_text('{"rows": []}', encoding="utf-8")
    assert "<b onclick=x>a & b" in page(folder).text


def test_what_is_no_report_is_told(tmp_path):
    file = tmp_path / "sweep.sqlite"
    file.touch()
    with pytest.raises(ito.InvalidInputError, match=r"sweep\.sqlite is a file: give the folder"):
        write_report(file)
    file.unlink()
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_report(tmp_path / "nowhere")
    (tmp_path / "check.json").write_text("{", encoding="utf-8")
    with pytest.raises(ito.InvalidInputError, match="holds nothing that a report can tell"):
        write_report(tmp_path)
    (tmp_path / "check.json").write_text('{"rows": []}', encoding="utf-8")
    with pytest.raises(ito.InvalidInputError, match="which is no folder"):
        write_report(tmp_path, tmp_path / "nowhere" / "x.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.json"]


def test_the_command_writes_where_it_is_told(tmp_path, capsys):
    (tmp_path / "check.json").write_text('{"rows": []}', encoding="utf-8")
    out = tmp_path / "theory.html"
    assert cli.main(["report", str(tmp_path), "--out", str(out)]) == cli.OK
    assert str(out) in capsys.readouterr().out.replace("\n", "")
    check_harmless(Page(out))
    assert cli.main(["report", str(tmp_path / "nowhere")]) == cli.USAGE
    assert "no such folder" in capsys.readouterr().err


def test_every_part_closes_what_it_opens(tmp_path):
    picture = BytesIO()
    from matplotlib.figure import Figure

    Figure(figsize=(1, 1)).savefig(picture)
    parts = [
        Text(HOSTILE),
        Code(HOSTILE),
        Table((HOSTILE, ""), [(HOSTILE, 1.5), (None, True), ("", 10**6)], frozenset({1})),
        Picture(picture.getvalue(), HOSTILE),
        Folded(HOSTILE, facts({HOSTILE: HOSTILE, "left out": None, "zero": 0})),
    ]
    path = tmp_path / "page.html"
    sections = [Section(HOSTILE, parts)] * 3
    path.write_text(Document(HOSTILE, HOSTILE, sections).html(), encoding="utf-8")
    found = Page(path)
    check_harmless(found)
    assert "1,000,000" in found.text
    assert "left out" not in found.text
    assert re.search(r"zero\s+0", found.text)
    assert len(found.of("a")) == len(sections)


def test_legends_tell_how_far_an_unfinished_training_is(tmp_path):
    """Of iterates up to some n, up to where; of a coarse run, the share. A finished one has its name alone."""
    whole = training(tmp_path / "net" / "forward")

    def cut(known) -> TrainingRun:
        done = np.broadcast_to(known, whole.done.shape)
        return dataclasses.replace(whole, done=done, moves=np.where(done, whole.moves, np.nan))

    runs = {"forward": whole, "cut": cut(whole.save_steps <= 12), "coarse": cut(whole.save_steps % 2 == 0)}
    assert [run.reached for run in runs.values()] == ["", "to n = 12", "52% done"]
    legends: list[list[str]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "matplotlib.axes.Axes.legend", lambda axes, **_: legends.append(axes.get_legend_handles_labels()[1])
        )
        report_of_training._picture(runs, {})
    assert legends == 2 * [["forward", "cut, to n = 12", "coarse, 52% done"]]
    assert cut(np.zeros(1, bool)).reached == "0% done"


def test_runs_without_neighbours_have_a_picture_of_their_loss_alone(tmp_path, page):
    training(tmp_path / "net" / "forward", save_steps=[10, 20, 30])
    found = page(tmp_path / "net")
    assert len(found.of("img")) == 1
    assert "The loss over the step" in found.text
    assert "distance between neighbouring iterates over" not in found.text


@pytest.mark.parametrize(
    ("maps", "told"),
    [
        (ito.gallery.two_point_quadratic(0.5), ("sure", "error bound", "lipschitz known")),
        (ito.gallery.reflected_walk(), ("coalescence", "spread of the starts", "starts that met")),
    ],
)
def test_a_sample_is_told_with_what_its_certificate_is_worth(maps, told, tmp_path, page):
    sample = ito.stationary_sample(maps, 50, seed=987, tol=1e-2)
    sample.save(tmp_path / "draws.npz")
    found = page(tmp_path)
    assert "Sample draws" in found.text
    assert len(found.of("img")) == 1
    for text in (*told, "987", "50 draws"):
        assert text in found.text


def test_a_trajectory_is_told_by_its_start_and_its_last_state(tmp_path, page):
    run = ito.simulate(ito.gallery.sierpinski(), [0.125, 0.75], 30, n_replicas=20, seed=12345)
    run.save(tmp_path / "run.npz")
    found = page(tmp_path).text
    last = run.states[:, -1]
    for value in (*last.mean(axis=0), *last.std(axis=0, ddof=1)):
        assert f"{value:.6g}" in found
    assert re.search(r"x0\s+0\.125\s", found)
    assert "mean at step 30" in found
    assert re.search(r"largest Lipschitz constant\s+0\.5\s", found)


def test_replicas_that_left_are_said_in_words(tmp_path, page):
    maps, starts = ito.gallery.double_well(0.5, 0.1), [[0.1], [50.0]]
    ito.simulate(maps, starts, 20, n_replicas=2, seed=1, noise="shared").save(tmp_path / "run.npz")
    found = page(tmp_path).text
    assert "1 of 2 left the finite numbers (infinite or NaN)" in found
    assert "0.1…50" in found


def test_the_command_says_what_it_found_and_how_large_the_page_is(tmp_path, capsys):
    for name in ("a", "b"):
        ito.simulate(ito.gallery.ar1(0.5, 1.0), [0.0], 30, seed=1).save(tmp_path / f"{name}.npz")
    (tmp_path / "check.json").write_text('{"rows": []}', encoding="utf-8")
    assert cli.main(["report", str(tmp_path), "--json", "-"]) == cli.OK
    out, err = capsys.readouterr()
    assert f"found in {tmp_path}: 1 table of claims, 2 trajectories\n" in err
    content = json.loads(out)
    assert content["found"] == {"table of claims": 1, "trajectory": 2}
    assert content["bytes"] == (tmp_path / "report.html").stat().st_size


def test_a_page_that_cannot_be_written_is_told_before_it_is_drawn(tmp_path, capsys):
    (tmp_path / "check.json").write_text('{"rows": []}', encoding="utf-8")
    (tmp_path / "report.html").mkdir()
    assert cli.main(["report", str(tmp_path)]) == cli.USAGE
    told = capsys.readouterr().err
    assert told.startswith("iterorder: --out ")
    assert "found in" not in told


def test_hidden_folders_are_not_looked_into(tmp_path):
    training(tmp_path / ".venv")
    with pytest.raises(ito.InvalidInputError, match="holds nothing"):
        write_report(tmp_path)


def test_pictures_take_less_room_and_keep_their_lines(tmp_path):
    from matplotlib.figure import Figure
    from PIL import Image

    figure, file = Figure(figsize=(4, 3)), BytesIO()
    figure.subplots().plot(np.random.default_rng(0).normal(size=(50, 3)))
    figure.savefig(file, format="png", dpi=220)
    small = smaller(file.getvalue())
    assert len(small) < 0.8 * file.tell()
    before, after = (np.asarray(Image.open(BytesIO(png)).convert("RGB"), int) for png in (file.getvalue(), small))
    assert (np.abs(after - before).max(axis=2) > 32).mean() < 1e-3
    assert len(smaller(small)) <= len(small)


def test_a_folder_above_that_of_the_runs_is_told(tmp_path):
    """As `iterorder train NAME --out net` leaves it: the runs lie two folders below."""
    for folder in (tmp_path / "net" / "digits" / "forward", tmp_path / "net" / "another"):
        folder.mkdir(parents=True)
    with pytest.raises(InvalidInputError) as nothing:
        write_report(tmp_path / "net")
    assert "did you mean" not in str(nothing.value)
    (tmp_path / "net" / "digits" / "forward" / "result.npz").touch()
    with pytest.raises(InvalidInputError, match=r"did you mean .*digits\?$"):
        write_report(tmp_path / "net")
