"""Steps and draws over the lanes of a block, with several groups of eight in flight as far as they go.

A step waits for its sums, the words of a block for each other. Groups that are worked on together wait together. Lanes
never meet, so that no bit depends on how many are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from iterorder.kernels.cpu.lanes import LANES, with_aligned_stack
from iterorder.kernels.targets import jit

#: Groups that are drawn for together, where a draw needs few registers.
FILL_GROUPS = 4
#: Of its type: a zero in the text would be a literal at first, and all that takes it compiled for that and again.
FIRST_LANE = np.intp(0)


def steps_over_lanes(run_of: Callable, few: int, groups: int):
    """The steps of a block in the lane layout.

    Parameters
    ----------
    run_of : function
        ``run_of(width)`` is the compiled ``run(packed, scratch, start, stop, direction, lane)``, which takes the lanes
        lane … lane + width − 1 through all steps.
    few : int
        Zero, or how many of the first lanes are worked on.
    groups : int
        Groups of eight lanes to work on together.
    """
    run = run_of(few or LANES)

    if few:

        @jit
        def steps(packed, scratch, start, stop, direction, first_lane):
            with_aligned_stack()
            run(packed, scratch, start, stop, direction, first_lane)

    elif groups == 1:

        @jit
        def steps(packed, scratch, start, stop, direction, first_lane):
            with_aligned_stack()
            for lane in range(first_lane, scratch.states.shape[1], LANES):
                run(packed, scratch, start, stop, direction, lane)

    else:
        run_wide, wide = run_of(groups * LANES), groups * LANES

        @jit
        def steps(packed, scratch, start, stop, direction, first_lane):
            with_aligned_stack()
            lane, lanes = first_lane, scratch.states.shape[1]
            alone = scratch.drawn.shape[1] < lanes  # noise that all share is drawn for one group
            while lane + wide <= lanes and not alone:
                run_wide(packed, scratch, start, stop, direction, lane)
                lane += wide
            while lane < lanes:
                run(packed, scratch, start, stop, direction, lane)
                lane += LANES

    return steps


def fill_over_lanes(draw_of: Callable, groups: int = FILL_GROUPS):
    """The function that fills the draws of a chunk, as `index_draws` describes it.

    ``draw_of(width)`` is the compiled ``draw(draws, drawn, replica, stride, base, first, last, lane)``, which draws for
    the lanes lane … lane + width − 1.
    """
    draw, draw_wide, wide = draw_of(LANES), draw_of(groups * LANES), groups * LANES

    @jit
    def fill(draws, drawn, shuffle, replica, stride, base, first, last):
        with_aligned_stack()
        lane, lanes = FIRST_LANE, drawn.shape[1]
        while lane + wide <= lanes:
            draw_wide(draws, drawn, replica, stride, base, first, last, lane)
            lane += wide
        while lane < lanes:
            draw(draws, drawn, replica, stride, base, first, last, lane)
            lane += LANES

    return fill
