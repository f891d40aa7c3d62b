"""Exact products of the Hessian of a module of PyTorch with vectors."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np
import torch

from iterorder.networks.torch_parts import split_rows
from iterorder.validation import as_floats

if TYPE_CHECKING:
    from iterorder.networks.torch_model import TorchModel


def hessian_products(model: TorchModel, position, directions, items=None) -> np.ndarray:
    """`TorchModel.hessian_products`: in float64, whatever the type of the model."""
    given = as_floats("directions", directions, ndim=(1, 2))
    rows = np.atleast_2d(given)
    module = copy.deepcopy(model._training).double()
    index = torch.arange(model.n_items) if items is None else torch.as_tensor(np.asarray(items, np.int64))
    x, y = model._features[index.to(model._device)], model._labels[index.to(model._device)]
    x = x.double() if x.is_floating_point() else x
    y = y.double() if y.is_floating_point() else y
    buffers = dict(module.named_buffers())
    shapes = {name: value.shape for name, value in module.named_parameters()}

    def loss_at(parameters):
        own = {name: value.clone() for name, value in buffers.items()}
        return model._loss(torch.func.functional_call(module, (parameters, own), (x,)), y)

    theta = split_rows(np.atleast_2d(as_floats("position", position, ndim=(1,))), shapes, model._device)
    theta = {name: value[0] for name, value in theta.items()}
    found = []
    for row in rows:
        v = {name: value[0] for name, value in split_rows(row[None], shapes, model._device).items()}
        product = torch.func.jvp(torch.func.grad(loss_at), (theta,), (v,))[1]
        found.append(torch.cat([product[name].reshape(-1) for name in shapes]).detach().cpu().numpy())
    return np.array(found).reshape(given.shape)
