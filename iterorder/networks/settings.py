"""Settings of the experiments that ship with the package, read from the TOML files of its folder ``presets``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iterorder.errors import InvalidInputError
from iterorder.networks import data, optional
from iterorder.networks.data import ImageData
from iterorder.networks.mlp import MLP
from iterorder.networks.model import StepModel
from iterorder.types import PathLike
from iterorder.validation import check_none, did_you_mean

FOLDER = Path(__file__).parent / "presets"
#: Tables of a file, and the keys of each that must be there and that may be.
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "data": (("set",), ("test",)),
    "run": (("batch_size", "n_steps", "stride", "seed"), ("anchor",)),
    "sequences": (("count", "stride"), ()),
    "baselines": (("stride",), ()),
}
#: Sequences below which no spread between them is shown.
LEAST_SEQUENCES = 12
#: Kinds of models that are modules of PyTorch, functions of `iterorder.networks.resnet`.
MODULES = ("small_cnn", "resnet18", "resnet50")
SETS = {
    "digits": lambda folder, whole, download: data.digits(),
    "fashion-mnist": lambda folder, whole, download: data.fashion_mnist(folder, download=download),
    "cifar10": lambda folder, whole, download: data.cifar10(folder, download=download, whole=whole),
    "cifar100": lambda folder, whole, download: data.cifar100(folder, download=download),
}


@dataclass(frozen=True, eq=False)
class Preset:
    """The settings of one experiment.

    Attributes
    ----------
    name, title : str
        The word that selects it, and a line that describes it.
    data, model, run, sequences, baselines, control : dict
        The tables of its file; those that it lacks are empty.
    """

    name: str
    title: str
    data: dict[str, Any]
    model: dict[str, Any]
    run: dict[str, Any]
    sequences: dict[str, Any]
    baselines: dict[str, Any]
    control: dict[str, Any]

    def images(self, folder: PathLike | None = None, *, whole: bool = True, download: bool = True) -> ImageData:
        """The data set, from a folder or where it is found; `whole` and `download` as for `data.cifar10`."""
        if self.model.get("kind") in MODULES:
            optional.torch_model()  # what is missing is told before anything is fetched
        if folder is not None and self.data["set"] == "digits":
            raise InvalidInputError(
                f"the digits of {self.name} come with scikit-learn, and no files are read: leave out the folder "
                f"{str(folder)!r}"
            )
        found = SETS[self.data["set"]](folder, whole, download)
        return found.few_tests(min(self.data["test"], len(found.test_labels))) if "test" in self.data else found

    def make_model(self, images: ImageData, settings: dict[str, Any] | None = None, device: str = "cpu") -> StepModel:
        """The model of the settings, those of ``[model]`` by default."""
        chosen = dict(self.model if settings is None else settings)
        kind = chosen.pop("kind", "mlp")
        chosen.pop("stride", None)
        backend = "cpu" if device == "cpu" else "cuda"
        if kind == "mlp":
            chosen["hidden"] = tuple(chosen["hidden"])
            return MLP(images.features, images.labels, test=images.test, backend=backend, **chosen)
        if kind not in MODULES:
            raise InvalidInputError(f"preset {self.name}: model.kind is {kind!r}: give 'mlp', {', '.join(MODULES)}")
        optimizer = chosen.pop("optimizer")
        common = {"optimizer": optimizer, "test": images.test, "device": device, "augment": chosen.pop("augment", None)}
        module = getattr(optional.resnet(), kind)(1 + int(images.labels.max()), **chosen)
        return optional.torch_model().TorchModel(module, "cross-entropy", images.features, images.labels, **common)


def preset_names() -> list[str]:
    """The names of the presets, in alphabetical order."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


def preset(name: PathLike) -> Preset:
    """The preset of a name, or of a TOML file of one's own.

    Raises
    ------
    InvalidInputError
        If there is no such preset, or its file is not as described; the message has a line for each thing that is
        missing or wrong.
    """
    path = Path(name) if Path(name).suffix == ".toml" else FOLDER / f"{name}.toml"
    if not path.is_file():
        raise InvalidInputError(
            f"preset is {str(name)!r}: give one of {', '.join(preset_names())}, or the name of a .toml file"
            f"{did_you_mean(str(name), preset_names())}"
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInputError(f"{path.name} is no TOML file ({error})") from error
    check_none(f"{path.name}: {fault}" for fault in _faults(content))
    tables = {table: content.get(table, {}) for table in ("data", "model", "run", "sequences", "baselines", "control")}
    return Preset(path.stem, content.get("title", path.stem), **tables)


def _faults(content: dict[str, Any]) -> Iterator[str]:
    """What a file lacks, has too much, or has wrong: all of it, so that it is mended at once."""
    for table, (needed, allowed) in TABLES.items():
        found = content.get(table, {})
        if not isinstance(found, dict):
            yield f"{table} is {found!r}: give a table [{table}]"
            continue
        for key in needed:
            if key not in found and (found or table != "baselines"):
                yield f"lacks {table}.{key}: see those of {FOLDER.name}/ for an example"
        for key in sorted(found.keys() - {*needed, *allowed}):
            yield f"has {table}.{key}: give {', '.join((*needed, *allowed))}, and nothing else"
    if not isinstance(content.get("model"), dict):
        yield f"lacks model: see those of {FOLDER.name}/ for an example"
    yield from _wrong_values(content)


def _wrong_values(content: dict[str, Any]) -> Iterator[str]:
    """Values of the keys that are there."""
    chosen, count = (_value(content, *place) for place in (("data", "set"), ("sequences", "count")))
    if chosen is not None and chosen not in SETS:
        yield f"data.set is {chosen!r}: give one of {', '.join(SETS)}"
    if count is not None and not (isinstance(count, int) and count >= LEAST_SEQUENCES):
        yield (
            f"sequences.count is {count!r}: give at least {LEAST_SEQUENCES}, as no spread between fewer is worth "
            "showing"
        )


def _value(content: dict[str, Any], table: str, key: str) -> Any:
    found = content.get(table)
    return found.get(key) if isinstance(found, dict) else None
