/* One replica of linear regression: a chain of roundings, each of which waits for the one before. The draws of the next
 * steps are made while it waits. Included by same_bits.c and same_bits_avx2.c, which have `draw_ahead`. */

/* x -> x - h a (a.x - b); n_steps is a multiple of AHEAD; rows (a_1 .. a_d, -b) of stride 2 for d = 1, 12 for d = 10. */
INLINE void one_replica(int dim, int stride, uint64_t seed, long n_steps, const double *rows, uint64_t n_rows,
                        double step_size, double *states)
{
    double x[10] = {0};
    uint32_t index[2][AHEAD] __attribute__((aligned(64)));
    draw_ahead(seed, 0, n_rows, index[0]);
    for (long begin = 0; begin < n_steps; begin += AHEAD) {
        const int now = begin / AHEAD & 1;
        draw_ahead(seed, (begin + AHEAD) / STEPS_PER_BLOCK, n_rows, index[1 - now]);
        _Pragma("GCC unroll 4")
        for (int step = 0; step < AHEAD; step++) {
            const double *a = rows + index[now][step] * stride;
            double even = __builtin_fma(a[0], x[0], a[dim]), z = even;
            if (dim > 1) {
                double odd = a[1] * x[1];
                UNROLL
                for (int k = 2; k < dim; k += 2) {
                    even = __builtin_fma(a[k], x[k], even);
                    odd = __builtin_fma(a[k + 1], x[k + 1], odd);
                }
                z = even + odd;
            }
            const double move = z * -step_size;
            UNROLL
            for (int k = 0; k < dim; k++)
                x[k] = __builtin_fma(move, a[k], x[k]);
        }
    }
    memcpy(states, x, dim * sizeof(double));
}

void linear_regression_1_one_replica(uint64_t seed, long n_replicas, long n_steps, const double *rows, uint64_t n_rows,
                                     double step_size, double *states, int threads)
{
    one_replica(1, 2, seed, n_steps, rows, n_rows, step_size, states);
}

void linear_regression_10_one_replica(uint64_t seed, long n_replicas, long n_steps, const double *rows, uint64_t n_rows,
                                      double step_size, double *states, int threads)
{
    one_replica(10, 12, seed, n_steps, rows, n_rows, step_size, states);
}
