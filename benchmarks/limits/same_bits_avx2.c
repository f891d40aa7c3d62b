/* Speed limits for AVX2 and FMA that give the library's numbers to the last bit, as same_bits.c does for AVX-512. The
 * library's vectors hold eight doubles or sixteen floats here too: two registers, `side` 0 and 1 of each.
 *
 * To be compiled with -ffp-contract=off: a product and a sum become one rounding only where the text says so.
 */
#include "kernels_avx2.c"

/* The five chains of a sum, in the library's order. */
#define INWARDS(s, sum) sum(sum(sum((s)[0], (s)[4]), (s)[2]), sum((s)[1], (s)[3]))

/* -------------------------------------------------------------------------------------------- d = 100, batches of eight */

/* One side of the sums of eight rows, chain by chain: eight registers hold a chain of all rows and eight what was added
 * before, and each part of the state is read once. The last vector has no second side: its product is a zero. */
INLINE void side_sums(const double *x, const double *const a[BATCH], int side, reals half[BATCH])
{
    static const int ORDER_OF_CHAINS[5] = {0, 4, 2, 1, 3};
    reals s[5][BATCH];
    const int vectors = side == 0 ? 13 : 12;
    UNROLL
    for (int c = 0; c < 5; c++) {
        const int chain = ORDER_OF_CHAINS[c];
        UNROLL
        for (int v = chain; v < vectors; v += 5) {
            const int at = 8 * v + 4 * side;
            const reals part = get(x + at);
            UNROLL
            for (int slot = 0; slot < BATCH; slot++) {
                const reals row = get(a[slot] + at);
                if (v == 0 && side == 0)
                    s[0][slot] = madd(row, part, _mm256_zextpd128_pd256(_mm_load_sd(a[slot] + 100)));
                else if (v < 5)
                    s[chain][slot] = mul(row, part);
                else
                    s[chain][slot] = madd(row, part, s[chain][slot]);
            }
        }
    }
    UNROLL
    for (int slot = 0; slot < BATCH; slot++) {
        if (side == 1)
            s[2][slot] = add(s[2][slot], all(0));
        const reals of_row[5] = {s[0][slot], s[1][slot], s[2][slot], s[3][slot], s[4][slot]};
        half[slot] = INWARDS(of_row, add);
    }
}

/* Lane i of the result is the sum of all lanes of v[i], neighbours first. */
INLINE reals neighbours_added(const reals v[4])
{
    const reals low = _mm256_hadd_pd(v[0], v[1]), high = _mm256_hadd_pd(v[2], v[3]);
    return add(_mm256_permute2f128_pd(low, high, 0x20), _mm256_permute2f128_pd(low, high, 0x31));
}

void linear_regression_100_batch_8_same_bits(uint64_t seed, long n_replicas, long n_steps, const double *rows,
                                             uint64_t n_rows, double step_size, double *states, int threads)
{
    enum { REPLICAS8 = 8 };
    const keys_t keys = keys_of(seed);
    PARALLEL
    for (long first = 0; first < n_replicas; first += REPLICAS8) {
        uint64_t index[BATCH][REPLICAS8] ALIGNED;
        double state[REPLICAS8][ROW100] ALIGNED;
        memset(state, 0, sizeof state);
        for (long step = 0; step < n_steps; step++) {
            batch_indices(&keys, step, first, REPLICAS8, n_rows, index[0]);
            for (int r = 0; r < REPLICAS8; r++) {
                const double *a[BATCH];
                reals half[2][BATCH], m[BATCH];
                double move[BATCH] ALIGNED, *x = state[r];
                for (int slot = 0; slot < BATCH; slot++)
                    a[slot] = rows + index[slot][r] * ROW100;
                side_sums(x, a, 0, half[0]);
                side_sums(x, a, 1, half[1]);
                for (int slot = 0; slot < BATCH && r + 1 < REPLICAS8; slot++) /* the rows of the next replica */
                    _mm_prefetch((const char *)(rows + index[slot][r + 1] * ROW100), _MM_HINT_T0);
                UNROLL
                for (int slot = 0; slot < BATCH; slot += 4) {
                    const reals z = add(neighbours_added(half[0] + slot), neighbours_added(half[1] + slot));
                    put(move + slot, mul(all(-(step_size / BATCH)), z));
                }
                UNROLL
                for (int slot = 0; slot < BATCH; slot++)
                    m[slot] = _mm256_broadcast_sd(move + slot);
                _Pragma("GCC unroll 5")
                for (int k = 0; k < 100; k += 4) {
                    reals x_k = get(x + k);
                    UNROLL
                    for (int slot = 0; slot < BATCH; slot++)
                        x_k = madd(m[slot], get(a[slot] + k), x_k);
                    put(x + k, x_k);
                }
            }
        }
        write_rows100(states, state, first, REPLICAS8, n_replicas);
    }
}

/* ---------------------------------------------------------------------------------------- d = 100, float32, logistic */

/* The library's exp, in float64 for float32 too: a Taylor series of degree 13. */
INLINE reals exponential_same_bits(reals z)
{
    const reals shift = all(6755399441055744.0); /* 1.5 * 2^52: n stands in the low bits of the sum */
    z = _mm256_min_pd(all(709), _mm256_max_pd(all(-708), z));
    const reals shifted = madd(z, all(1.4426950408889634), shift), n = _mm256_sub_pd(shifted, shift);
    const reals r = madd(n, all(-1.90821492927058770002e-10), madd(n, all(-6.93147180369123816490e-01), z));
    const reals r2 = mul(r, r), r4 = mul(r2, r2);
    const reals t0 = add(r, all(1)), t2 = madd(r, all(1. / 6), all(1. / 2));
    const reals t4 = madd(r, all(1. / 120), all(1. / 24)), t6 = madd(r, all(1. / 5040), all(1. / 720));
    const reals t8 = madd(r, all(1. / 362880), all(1. / 40320)), t10 = madd(r, all(1. / 39916800), all(1. / 3628800));
    const reals t12 = madd(r, all(1. / 6227020800), all(1. / 479001600));
    const reals series =
        madd(r4, madd(r4, madd(r4, t12, madd(r2, t10, t8)), madd(r2, t6, t4)), madd(r2, t2, t0));
    const words power = _mm256_slli_epi64(_mm256_add_epi64(_mm256_castpd_si256(shifted), alli(1023)), 52);
    return mul(series, _mm256_castsi256_pd(power));
}

INLINE floats logistic_moves_same_bits(double step_size, floats z)
{
    const reals low = exponential_same_bits(_mm256_cvtps_pd(_mm256_castps256_ps128(z)));
    const reals high = exponential_same_bits(_mm256_cvtps_pd(_mm256_extractf128_ps(z, 1)));
    return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_div_pd(all(step_size), add(all(1), high))),
                           _mm256_cvtpd_ps(_mm256_div_pd(all(step_size), add(all(1), low))));
}

INLINE floats addf(floats a, floats b) { return _mm256_add_ps(a, b); }

/* The move along p is made, and the product of the new state with a is summed. */
INLINE floats pass_same_bits(float *x, const float *p, floats shrink, floats move, const float *a)
{
    floats s[2][5];
    UNROLL
    for (int k = 0; k < VECTORS100F; k++) {
        const int side = k % 2, chain = k / 2 % 5;
        const floats moved = maddf(move, _mm256_load_ps(p + 8 * k), _mm256_mul_ps(shrink, _mm256_load_ps(x + 8 * k)));
        const floats row = _mm256_load_ps(a + 8 * k);
        _mm256_store_ps(x + 8 * k, moved);
        if (k == 0)
            s[0][0] = maddf(row, moved, allf(0));
        else
            s[side][chain] = k < 10 ? _mm256_mul_ps(row, moved) : maddf(row, moved, s[side][chain]);
    }
    s[1][1] = addf(s[1][1], allf(0)); /* the last vector has no second side */
    return addf(INWARDS(s[0], addf), INWARDS(s[1], addf));
}

/* The sixteen replicas of a block are two groups: while the exponentials of one are found, the other passes. */
void logistic_regression_100_single_same_bits(uint64_t seed, long n_replicas, long n_steps, const float *rows,
                                              uint64_t n_rows, double step_size, double ridge, float *states, int threads)
{
    enum { REPLICAS_TWICE = 2 * REPLICAS100F };
    const keys_t keys = keys_of(seed);
    const float shrink = 1 - step_size * ridge;
    PARALLEL
    for (long first = 0; first < n_replicas; first += REPLICAS_TWICE) {
        uint64_t index[STEPS_PER_BLOCK][REPLICAS_TWICE] ALIGNED;
        float state[REPLICAS_TWICE][ROW100F] ALIGNED, move[REPLICAS_TWICE] ALIGNED;
        const float *along[REPLICAS_TWICE];
        floats factor = allf(1); /* no move is pending before the first step */
        memset(state, 0, sizeof state);
        memset(move, 0, sizeof move);
        for (int r = 0; r < REPLICAS_TWICE; r++)
            along[r] = rows;
        for (long block = 0; block < n_steps / STEPS_PER_BLOCK; block++) {
            map_indices(&keys, block, first, REPLICAS_TWICE, n_rows, index[0]);
            for (int step = 0; step < STEPS_PER_BLOCK; step++) {
                for (int group = 0; group < REPLICAS_TWICE; group += REPLICAS100F) {
                    floats s[REPLICAS100F];
                    _Pragma("GCC unroll 1")
                    for (int i = 0; i < REPLICAS100F; i++) {
                        const int r = group + i;
                        const float *a = rows + index[step][r] * ROW100F;
                        s[i] = pass_same_bits(state[r], along[r], factor, _mm256_broadcast_ss(move + r), a);
                        along[r] = a;
                    }
                    const floats s01 = _mm256_hadd_ps(s[0], s[1]), s23 = _mm256_hadd_ps(s[2], s[3]);
                    const floats s45 = _mm256_hadd_ps(s[4], s[5]), s67 = _mm256_hadd_ps(s[6], s[7]);
                    const floats low = _mm256_hadd_ps(s01, s23), high = _mm256_hadd_ps(s45, s67);
                    const floats z = addf(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
                    _mm256_store_ps(move + group, logistic_moves_same_bits((float)step_size, z));
                }
                factor = allf(shrink);
            }
        }
        for (int r = 0; r < REPLICAS_TWICE && first + r < n_replicas; r++)
            for (int k = 0; k < 100; k++)
                states[(first + r) * 100 + k] = __builtin_fmaf(move[r], along[r][k], shrink * state[r][k]);
    }
}

/* ------------------------------------------------------------------------------------------------------- one replica */

enum { AHEAD = 32 };

/* Indices of 32 steps of replica 0: eight blocks of noise, one in each lane of two vectors, then in the order of time. */
INLINE void draw_ahead(uint64_t seed, uint64_t block, uint64_t n, uint32_t index[AHEAD])
{
    const words m0 = alli(0xD2511F53u), m1 = alli(0xCD9E8D57u), many = alli(n);
    UNROLL
    for (int half = 0; half < 2; half++) {
        words c0 = _mm256_add_epi64(alli(block + 4 * half), _mm256_set_epi64x(3, 2, 1, 0));
        words c1 = _mm256_srli_epi64(c0, 32), c2 = _mm256_setzero_si256(), c3 = c2;
        uint32_t k0 = seed, k1 = seed >> 32;
        UNROLL
        for (int round = 0; round < 10; round++) {
            words p0 = _mm256_mul_epu32(m0, c0), p1 = _mm256_mul_epu32(m1, c2);
            c0 = _mm256_xor_si256(_mm256_srli_epi64(p1, 32), _mm256_xor_si256(c1, alli(k0)));
            c2 = _mm256_xor_si256(_mm256_srli_epi64(p0, 32), _mm256_xor_si256(c3, alli(k1)));
            c1 = p1;
            c3 = p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        /* the index is the high half of a product: words 0 and 2 go down into the low half of a lane, beside 1 and 3 */
        const words i0 = _mm256_srli_epi64(_mm256_mul_epu32(c0, many), 32), i1 = _mm256_mul_epu32(c1, many);
        const words i2 = _mm256_srli_epi64(_mm256_mul_epu32(c2, many), 32), i3 = _mm256_mul_epu32(c3, many);
        const words low = _mm256_blend_epi32(i0, i1, 0xAA), high = _mm256_blend_epi32(i2, i3, 0xAA);
        const words even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
        _mm256_store_si256((words *)(index + 16 * half), _mm256_permute2x128_si256(even, odd, 0x20));
        _mm256_store_si256((words *)(index + 16 * half + 8), _mm256_permute2x128_si256(even, odd, 0x31));
    }
}

#include "one_replica.h"
