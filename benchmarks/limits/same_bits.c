/* Speed limits for AVX-512 that give the library's numbers to the last bit: its sums in its order, its roundings. What
 * kernels.c finds faster in another order of a sum is not possible for the library; what is found here is.
 *
 * To be compiled with -ffp-contract=off: a product and a sum become one rounding only where the text says so.
 */
#include <stdlib.h>

#include "kernels.c"

/* -------------------------------------------------------------------------------------------- d = 100, batches of eight */

/* kernels.c with the sums in five chains, the constant in the first lane of the first one. The first lines of the rows of
 * the next step are asked for while this one waits for its sums, which the processor does not see coming. The indices of
 * a replica stand together, so that they take a line a step from the first-level cache, and not eight. */

void linear_regression_100_batch_8_same_bits(uint64_t seed, long n_replicas, long n_steps, const double *rows,
                                             uint64_t n_rows, double step_size, double *states, int threads)
{
    enum { CHUNK = 32, CHAINS = 5, LAST = VECTORS100 - 1, FRONT = 0x0f };
    double *constants = aligned_alloc(64, (n_rows + 7) / 8 * 64); /* beside the rows: no masked load */
    for (uint64_t i = 0; i < n_rows; i++)
        constants[i] = rows[i * ROW100 + 100];
    PARALLEL
    for (long first = 0; first < n_replicas; first += LANES) {
        uint64_t drawn[BATCH][LANES] __attribute__((aligned(64)));
        uint32_t index[LANES][CHUNK + 1][BATCH] __attribute__((aligned(64)));
        double state[LANES][ROW100] __attribute__((aligned(64)));
        memset(state, 0, sizeof state);
        memset(index, 0, sizeof index);
        for (long begin = 0; begin < n_steps; begin += CHUNK) {
            const int length = n_steps - begin < CHUNK ? n_steps - begin : CHUNK;
            for (int t = 0; t < length; t++) {
                batch_indices(seed, begin + t, first, LANES, n_rows, drawn[0]);
                for (int slot = 0; slot < BATCH; slot++)
                    for (int r = 0; r < LANES; r++)
                        index[r][t][slot] = drawn[slot][r];
            }
            for (int r = 0; r < LANES; r++) {
                reals x[VECTORS100];
                for (int k = 0; k < VECTORS100; k++)
                    x[k] = _mm512_load_pd(state[r] + k * LANES);
                for (int t = 0; t < length; t++) {
                    reals sums[BATCH];
                    double move[BATCH] __attribute__((aligned(64)));
                    _Pragma("GCC unroll 1")
                    for (int slot = 0; slot < BATCH; slot++) {
                        const double *a = rows + index[r][t][slot] * ROW100;
                        reals s[CHAINS];
                        s[0] = madd(_mm512_load_pd(a), x[0],
                                    _mm512_zextpd128_pd512(_mm_load_sd(constants + index[r][t][slot])));
                        UNROLL
                        for (int k = 1; k < CHAINS; k++)
                            s[k] = mul(_mm512_load_pd(a + k * LANES), x[k]);
                        UNROLL
                        for (int k = CHAINS; k < LAST; k++)
                            s[k % CHAINS] = madd(_mm512_load_pd(a + k * LANES), x[k], s[k % CHAINS]);
                        s[LAST % CHAINS] =
                            madd(_mm512_maskz_load_pd(FRONT, a + LAST * LANES), x[LAST], s[LAST % CHAINS]);
                        sums[slot] = add(add(add(s[0], s[4]), s[2]), add(s[1], s[3]));
                    }
                    _mm512_store_pd(move, mul(all(-(step_size / BATCH)), sum_each(sums)));
                    for (int slot = 0; slot < BATCH; slot++)
                        _mm_prefetch((const char *)(rows + index[r][t + 1][slot] * ROW100), _MM_HINT_T0);
                    _Pragma("GCC unroll 1")
                    for (int slot = 0; slot < BATCH; slot++) {
                        const double *a = rows + index[r][t][slot] * ROW100;
                        UNROLL
                        for (int k = 0; k < LAST; k++)
                            x[k] = madd(all(move[slot]), _mm512_load_pd(a + k * LANES), x[k]);
                        x[LAST] = madd(all(move[slot]), _mm512_maskz_load_pd(FRONT, a + LAST * LANES), x[LAST]);
                    }
                }
                for (int k = 0; k < VECTORS100; k++)
                    _mm512_store_pd(state[r] + k * LANES, x[k]);
            }
        }
        write_rows100(states, state, first, LANES, n_replicas);
    }
    free(constants);
}

/* ------------------------------------------------------------------------------------------------------- one replica */

enum { AHEAD = 32 };

/* Indices of 32 steps of replica 0: eight blocks of noise, one in each lane, then in the order of time. */
INLINE void draw_ahead(uint64_t seed, uint64_t block, uint64_t n, uint32_t index[AHEAD])
{
    const words m0 = _mm512_set1_epi64(0xD2511F53u), m1 = _mm512_set1_epi64(0xCD9E8D57u);
    words c0 = _mm512_add_epi64(_mm512_set1_epi64(block), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    words c1 = _mm512_srli_epi64(c0, 32), c2 = _mm512_setzero_si512(), c3 = c2;
    uint32_t k0 = seed, k1 = seed >> 32;
    UNROLL
    for (int round = 0; round < 10; round++) {
        words p0 = _mm512_mul_epu32(m0, c0), p1 = _mm512_mul_epu32(m1, c2);
        c0 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p1, 32), c1, _mm512_set1_epi64(k0), 0x96);
        c2 = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p0, 32), c3, _mm512_set1_epi64(k1), 0x96);
        c1 = p1;
        c3 = p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    /* the index is the high half of a product: words 0 and 2 go down into the low half of a lane, beside 1 and 3 */
    const words many = _mm512_set1_epi64(n);
    const words i0 = _mm512_srli_epi64(_mm512_mul_epu32(c0, many), 32), i1 = _mm512_mul_epu32(c1, many);
    const words i2 = _mm512_srli_epi64(_mm512_mul_epu32(c2, many), 32), i3 = _mm512_mul_epu32(c3, many);
    const words low = _mm512_mask_blend_epi32(0xAAAA, i0, i1), high = _mm512_mask_blend_epi32(0xAAAA, i2, i3);
    const words first = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), second = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
    _mm512_store_si512(index, _mm512_permutex2var_epi64(low, first, high));
    _mm512_store_si512(index + 16, _mm512_permutex2var_epi64(low, second, high));
}

#include "one_replica.h"
