"""Gradients of a module for many replicas: all at once by torch.func.vmap, or one after the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from iterorder.networks.torch_dropout import TorchDropout
from iterorder.networks.torch_parts import row_of, stacked


def gradients_by(engine: str, module: nn.Module, loss: Callable, dropout: TorchDropout) -> Callable:
    """The function that gives gradients and new buffers of all replicas.

    Parameters
    ----------
    engine : {"vmap", "loop"}
        All replicas at once, or one after the other.
    module : torch.nn.Module
        In training mode.
    loss : callable
        ``loss(outputs, labels)``, the mean over the batch.
    dropout : TorchDropout
        That of the module.

    Returns
    -------
    callable
        ``of(parameters, buffers, factors, x, y, own_factors, own_items)``: whether factors and items have a leading
        axis of replicas is told by the last two.
    """

    def loss_of(parameters, buffers, factors, x, y):
        dropout.give(factors)
        own = {name: value.clone() for name, value in buffers.items()}  # which the call writes to
        outputs = torch.func.functional_call(module, (parameters, own), (x,))
        return loss(outputs, y), own

    one = torch.func.grad(loss_of, has_aux=True)
    if engine == "vmap":

        def mapped(parameters, buffers, factors, x, y, own_factors, own_items):
            factor_axis, item_axis = (0 if own else None for own in (own_factors, own_items))
            in_dims = (0, 0, (factor_axis,) * len(factors), item_axis, item_axis)
            return torch.func.vmap(one, in_dims=in_dims)(parameters, buffers, factors, x, y)

        return mapped

    def looped(parameters, buffers, factors, x, y, own_factors, own_items):
        found = []
        for r in range(len(next(iter(parameters.values())))):
            dropped = tuple(f[r] for f in factors) if own_factors else factors
            batch = (x[r], y[r]) if own_items else (x, y)
            found.append(one(row_of(parameters, r), row_of(buffers, r), dropped, *batch))
        return stacked([gradients for gradients, _ in found]), stacked([new for _, new in found])

    return looped
