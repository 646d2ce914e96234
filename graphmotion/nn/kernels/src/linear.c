/* Linear maps of many rows with few channels, and their gradients.
 *
 * All are matrix products C = A B by tiles of ROWS x COLUMNS numbers of C that stay in registers. B
 * is copied in panels of COLUMNS columns, so that it is read in order.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vector.h"

#define INLINE static inline __attribute__((always_inline))

enum { VECTORS = 2, COLUMNS = VECTORS * WIDTH };
#ifdef __AVX512F__
enum { ROWS = 8 };
#else
enum { ROWS = 6 };
#endif
/* Rows of features that are multiplied by one panel after another while they are in the cache, and
 * rows of which gradients of the weights are summed before they are added to those of other rows.
 */
enum { BLOCK = 24 * 8 };

static inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

/* Number of values of the panels of a matrix. */
static int64_t size_of_panels(int64_t depth, int64_t columns)
{
    return (columns + COLUMNS - 1) / COLUMNS * COLUMNS * depth;
}

/* Copies B, whose value of a row and a column is b[row * row_stride + column * column_stride]. */
static void pack(float *panels, const float *b, int64_t row_stride, int64_t column_stride,
                 int64_t depth, int64_t columns)
{
    for (int64_t first = 0; first < columns; first += COLUMNS) {
        int64_t count = min_of(COLUMNS, columns - first);
        for (int64_t k = 0; k < depth; k++, panels += COLUMNS) {
            const float *row = b + k * row_stride + first * column_stride;
            if (count == COLUMNS && column_stride == 1) {
                memcpy(panels, row, sizeof(float) * COLUMNS);
                continue;
            }
            for (int64_t j = 0; j < COLUMNS; j++)
                panels[j] = j < count ? row[j * column_stride] : 0.0f;
        }
    }
}

/* Multiplies a tile of A, whose value of a row and a column is a[row * stride + column * step]. */
INLINE void multiply(vec sums[ROWS][VECTORS], const float *a, int64_t stride, int64_t step,
                     const float *panel, int64_t depth)
{
    vec sum[ROWS][VECTORS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++)
            sum[i][j] = v_set(0.0f);
    const float *middle = a + ROWS / 2 * stride;
    for (int64_t k = 0; k < depth; k++, a += step, middle += step, panel += COLUMNS) {
        vec b[VECTORS];
        for (int j = 0; j < VECTORS; j++)
            b[j] = v_load(panel + j * WIDTH);
        for (int i = 0; i < ROWS; i++) {
            vec x = v_set(i < ROWS / 2 ? a[i * stride] : middle[(i - ROWS / 2) * stride]);
            for (int j = 0; j < VECTORS; j++)
                sum[i][j] = v_fma(x, b[j], sum[i][j]);
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++)
            sums[i][j] = sum[i][j];
}

/* Multiplies fewer rows than those of a tile: `rest` has place for all of them. */
static void multiply_rest(vec sums[ROWS][VECTORS], const float *a, int64_t stride, int64_t step,
                          const float *panel, int64_t depth, int64_t rows, float *rest)
{
    for (int64_t i = 0; i < ROWS; i++)
        for (int64_t k = 0; k < depth; k++)
            rest[i * depth + k] = i < rows ? a[i * stride + k * step] : 0.0f;
    multiply(sums, rest, depth, 1, panel, depth);
}

/* out = x W + bias for rows x; row_stride and column_stride are those of W. A bias may be NULL. */
int linear_forward(const float *x, const float *weight, const float *bias, float *out, int64_t rows,
                   int64_t depth, int64_t columns, int64_t row_stride, int64_t column_stride,
                   int threads)
{
    int failed = 0;
    int64_t size = size_of_panels(depth, columns);
    float *panels = malloc(sizeof(float) * (size + COLUMNS));
    if (panels == NULL)
        return 1;
    pack(panels, weight, row_stride, column_stride, depth, columns);
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        float *rest = malloc(sizeof(float) * ROWS * depth);
        failed = rest == NULL;
        _Pragma("omp for schedule(static)") for (int64_t block = 0; block < rows; block += BLOCK)
        {
            int64_t last = failed ? block : min_of(rows, block + BLOCK);
            for (int64_t column = 0; column < columns; column += COLUMNS) {
                const float *panel = panels + column * depth;
                int count = (int)min_of(COLUMNS, columns - column);
                vec offset[VECTORS], sums[ROWS][VECTORS];
                for (int j = 0; j < VECTORS; j++) {
                    int64_t n = min_of(WIDTH, count - j * WIDTH);
                    int none = bias == NULL || n <= 0;
                    offset[j] = none ? v_set(0.0f) : v_load_part(bias + column + j * WIDTH, (int)n);
                }
                for (int64_t row = block; row < last; row += ROWS) {
                    int64_t height = min_of(ROWS, last - row);
                    const float *a = x + row * depth;
                    if (height == ROWS)
                        multiply(sums, a, depth, 1, panel, depth);
                    else
                        multiply_rest(sums, a, depth, 1, panel, depth, height, rest);
                    for (int i = 0; i < height; i++)
                        for (int j = 0; j * WIDTH < count; j++) {
                            float *to = out + (row + i) * columns + column + j * WIDTH;
                            vec y = sums[i][j] + offset[j];
                            if (count == COLUMNS)
                                v_store(to, y);
                            else
                                v_store_part(to, y, (int)min_of(WIDTH, count - j * WIDTH));
                        }
                }
            }
        }
        free(rest);
    }
    free(panels);
    return failed;
}

/* Gradients of weight [outputs, inputs] and bias, which must be zeros, for rows x and grad. */
int linear_backward(const float *x, const float *grad, float *weight_grad, float *bias_grad,
                    int64_t rows, int64_t inputs, int64_t outputs, int threads)
{
    int failed = 0;
    int64_t size = inputs * outputs, panel_size = size_of_panels(BLOCK, inputs);
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        float *buffer = calloc(size + outputs + panel_size + ROWS * BLOCK, sizeof(float));
        float *bias = buffer + size, *panels = bias + outputs, *rest = panels + panel_size;
        failed = buffer == NULL;
        _Pragma("omp for schedule(static)") for (int64_t block = 0; block < rows; block += BLOCK)
        {
            if (failed)
                continue;
            int64_t depth = min_of(BLOCK, rows - block);
            const float *upper = grad + block * outputs;
            pack(panels, x + block * inputs, inputs, 1, depth, inputs);
            for (int64_t j = 0; bias_grad != NULL && j < outputs; j += COLUMNS) {
                float sums[COLUMNS] = {0};
                int64_t count = min_of(COLUMNS, outputs - j);
                for (int64_t k = 0; k < depth; k++)
                    for (int64_t i = 0; i < count; i++)
                        sums[i] += upper[k * outputs + j + i];
                for (int64_t i = 0; i < count; i++)
                    bias[j + i] += sums[i];
            }
            for (int64_t column = 0; column < inputs; column += COLUMNS) {
                const float *panel = panels + column * depth;
                int64_t count = min_of(COLUMNS, inputs - column);
                for (int64_t row = 0; row < outputs; row += ROWS) {
                    int64_t height = min_of(ROWS, outputs - row);
                    vec sums[ROWS][VECTORS];
                    if (height == ROWS)
                        multiply(sums, upper + row, 1, outputs, panel, depth);
                    else
                        multiply_rest(sums, upper + row, 1, outputs, panel, depth, height, rest);
                    for (int i = 0; i < height; i++)
                        for (int j = 0; j * WIDTH < count; j++) {
                            float *to = buffer + (row + i) * inputs + column + j * WIDTH;
                            int n = (int)min_of(WIDTH, count - j * WIDTH);
                            v_store_part(to, v_load_part(to, n) + sums[i][j], n);
                        }
                }
            }
        }
        _Pragma("omp critical") for (int64_t i = 0; !failed && i < size + outputs; i++)
        {
            if (i < size)
                weight_grad[i] += buffer[i];
            else if (bias_grad != NULL)
                bias_grad[i - size] += buffer[i];
        }
        free(buffer);
    }
    return failed;
}
