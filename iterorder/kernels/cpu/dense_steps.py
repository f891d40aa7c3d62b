"""Several steps of a network for many replicas in one call: between two steps nobody waits for the interpreter."""

from __future__ import annotations

from iterorder.kernels.cpu.dense_layers import IDENTITY, backward, change, forward, softmax_slopes, transpose
from iterorder.kernels.targets import jit_entry, jit_inline


@jit_inline
def _table(numbers, place, rows, columns):
    """A part of a long array as a table of two axes that shares its memory, and the place behind it."""
    end = place + rows * columns
    return numbers[place:end].reshape(rows, columns), end


@jit_entry
def descend(parameters, sizes, widths, data, items, labels, scale, keep, keeps, activation, work):
    """θ ← keep·θ + the slopes of a batch, step after step, in place.

    Parameters
    ----------
    parameters : ndarray, shape (R·P,)
        Of each layer the weights of all replicas, (R·outputs, inputs), and behind them the biases, (R, outputs).
    sizes : ndarray of int, shape (L + 1,)
        Units of each layer, the inputs first.
    widths : ndarray of int, shape (L + 2,)
        The same and the items of a batch, in the last place, as columns that fill whole registers.
    data : ndarray, shape (n, widths[0])
        The inputs of all items.
    items, labels : ndarray of int, shape (S, G, B)
        The batches of S steps and the classes of their items: of all replicas where G is 1, or of each.
    scale, keep : ndarray, shape (S, R)
        What multiplies the slopes, and the parameters where `keeps`.
    activation : int
        Of the hidden layers.
    work : ndarray, shape (`work_of`,)
        Zeros, which change.
    """
    n_layers, columns = len(sizes) - 1, widths[len(sizes)]
    groups, n_items, replicas = items.shape[1], items.shape[2], scale.shape[1]
    shared = groups == 1
    one = work.dtype.type(1)
    for step in range(items.shape[0]):
        rows, images = _table(work, 0, groups * n_items, widths[0])
        for group in range(groups):
            for slot in range(n_items):
                for i in range(widths[0]):
                    rows[group * n_items + slot, i] = data[items[step, group, slot], i]
        image, place = _table(work, images, groups * sizes[0], columns)
        transpose(rows, n_items, sizes[0], sizes[0], image)
        at = 0
        for layer in range(n_layers):
            weight, at = _table(parameters, at, replicas * sizes[layer + 1], sizes[layer])
            bias, at = _table(parameters, at, replicas, sizes[layer + 1])
            above, place = _table(work, place, replicas * sizes[layer + 1], columns)
            first, last = shared and layer == 0, layer + 1 == n_layers
            forward(weight, bias, image, first, IDENTITY if last else activation, above)
            image = above
        slopes, behind = image, place
        softmax_slopes(slopes, labels[step], scale[step], n_items)
        for layer in range(n_layers - 1, -1, -1):
            bias, _ = _table(parameters, at - replicas * sizes[layer + 1], replicas, sizes[layer + 1])
            at -= replicas * sizes[layer + 1] * (sizes[layer] + 1)
            weight, _ = _table(parameters, at, replicas * sizes[layer + 1], sizes[layer])
            if layer == 0:
                change(weight, bias, slopes, rows, shared, n_items, keeps, keep[step])
                break
            place -= replicas * sizes[layer + 1] * columns
            image, _ = _table(work, place - replicas * sizes[layer] * columns, replicas * sizes[layer], columns)
            below, behind = _table(work, behind, replicas * sizes[layer], columns)
            backward(weight, slopes, image, activation, one, n_items, below)
            inputs, behind = _table(work, behind, replicas * n_items, widths[layer])
            transpose(image, sizes[layer], n_items, n_items, inputs)
            change(weight, bias, slopes, inputs, False, n_items, keeps, keep[step])
            slopes = below


def work_of(sizes, widths, groups: int, n_items: int, replicas: int) -> int:
    """Numbers that `descend` works with."""
    columns, hidden = widths[-1], range(1, len(sizes) - 1)
    images = groups * (n_items * widths[0] + sizes[0] * columns) + replicas * columns * sum(sizes[1:])
    return int(images + sum(replicas * (sizes[layer] * columns + n_items * widths[layer]) for layer in hidden))
