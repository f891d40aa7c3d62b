"""What the kernels are shaped for: one profile, chosen once from the features of the processor that Numba compiles for.

A profile may change the order of a sum along a row; its numbers of lanes and of steps change no bit. Functions read
`PROFILE` when they choose a kernel, so that a test can set it.
"""

from __future__ import annotations

from typing import NamedTuple

from iterorder.kernels.targets import processor_features


class Profile(NamedTuple):
    """Shapes of the kernels.

    Attributes
    ----------
    register_bytes : int
        Of a register: rows pass through them, in parts of this size.
    rows_in_registers : bool
        Whether a state of up to `max_row_vectors` vectors stays in registers for a step; else it passes through them.
    max_lane_dim_affine, max_lane_dim_rows : int
        Up to these dimensions a block of states is stored coordinate by coordinate (lanes are replicas); above, state
        by state (lanes are coordinates). A matrix of d² numbers is gathered for every lane, hence two bounds.
    max_row_vectors : int
        Rows of at most this many vectors of 64 bytes have steps of their own; longer ones share one.
    few_row_vectors : int
        Up to this many vectors linear steps hold the states of four lanes at once; above, of two where registers allow.
        Where they do not, rows pass through them, but for few lanes.
    max_held_dim : int
        Up to this dimension cheap steps along rows hold the states of several groups of lanes; above, where lanes are
        replicas, a state passes through registers once a step.
    pair_lanes : int
        Lanes that the steps of two maps on the line keep in flight: they hide the latency of a multiply-add.
    lane_groups : int
        Groups of eight lanes that steps in few coordinates keep in flight where they wait for themselves, though not
        all in registers: along rows, of optimisers, of users.
    batch_groups : int
        Groups of eight lanes for which batches are drawn together: their points should stay in registers.
    max_lanes : int
        Replicas (or backward iterates) worked on side by side.
    bit_chunk, max_chunk, min_chunk : int
        Steps drawn at once, of packed bits and of other draws: powers of two, as chunks begin at their multiples and
        hold whole Philox blocks.
    max_draws, max_state_bytes : int
        Draws of a chunk, and the size of the states of a block, that should stay in the first-level cache.
    """

    register_bytes: int
    rows_in_registers: bool
    max_lane_dim_affine: int
    max_lane_dim_rows: int
    max_row_vectors: int
    few_row_vectors: int
    max_held_dim: int
    pair_lanes: int
    lane_groups: int
    batch_groups: int
    max_lanes: int
    bit_chunk: int
    max_chunk: int
    min_chunk: int
    max_draws: int
    max_state_bytes: int


#: 32 registers of 64 bytes.
AVX512 = Profile(
    register_bytes=64,
    rows_in_registers=True,
    max_lane_dim_affine=12,
    max_lane_dim_rows=16,
    max_row_vectors=13,
    few_row_vectors=7,
    max_held_dim=16,
    pair_lanes=64,
    lane_groups=4,
    batch_groups=4,
    max_lanes=64,
    bit_chunk=1024,
    max_chunk=256,
    min_chunk=4,
    max_draws=2**11,
    max_state_bytes=2**13,
)
#: 16 registers of 32 bytes (AVX2), eight of which hold 32 lanes; 32 of 16 (NEON) have not been measured.
NARROW = AVX512._replace(register_bytes=32, rows_in_registers=False, max_held_dim=8, pair_lanes=32, batch_groups=2)


def profile_for(features: frozenset[str]) -> Profile:
    """The profile of a processor with these features, by LLVM's names."""
    return AVX512 if "avx512f" in features else NARROW


PROFILE = profile_for(processor_features())
