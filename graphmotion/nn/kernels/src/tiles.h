/* Tiles of ROWS x COLUMNS numbers of a matrix product, which stay in registers.
 *
 * The second factor is a panel: rows of COLUMNS numbers, one after another.
 */
#pragma once
#include <omp.h>
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

static inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

/* Memory for numbers, or NULL. */
static inline float *new_floats(int64_t count)
{
    float *out = NULL;
    return posix_memalign((void **)&out, 64, sizeof(float) * count) ? NULL : out;
}

/* Number of panels of a matrix. */
static inline int64_t panels_of(int64_t columns) { return (columns + COLUMNS - 1) / COLUMNS; }

/* Copies a matrix to panels, of which the last one ends with zeros. Rows are read as a whole, since
 * neighbouring ones may be far apart.
 */
static inline void copy_panels(float *panels, const float *from, int64_t stride, int64_t depth,
                               int64_t columns)
{
    for (int64_t k = 0; k < depth; k++, panels += COLUMNS, from += stride)
        for (int64_t i = 0; i < panels_of(columns); i++)
            for (int64_t j = 0; j < COLUMNS; j += WIDTH) {
                int64_t column = i * COLUMNS + j, rest = columns - column;
                vec part = v_set(0.0f);
                if (rest > 0)
                    part = v_load_part(from + column, (int)min_of(WIDTH, rest));
                v_store(panels + i * depth * COLUMNS + j, part);
            }
}

/* Writes the product of ROWS rows and a panel. Each row has parts of `depth` numbers, which start at
 * the given offsets.
 */
INLINE void multiply(float *out, const float *const *rows, int64_t depth, int64_t parts,
                     const int64_t *offsets, const float *panel)
{
    vec sums[ROWS][VECTORS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++)
            sums[i][j] = v_set(0.0f);
    for (int64_t part = 0; part < parts; part++) {
        const float *row[ROWS];
        for (int i = 0; i < ROWS; i++)
            row[i] = rows[i] + offsets[part];
        for (int64_t k = 0; k < depth; k++, panel += COLUMNS) {
            vec b[VECTORS];
            for (int j = 0; j < VECTORS; j++)
                b[j] = v_load(panel + j * WIDTH);
            for (int i = 0; i < ROWS; i++) {
                vec x = v_set(row[i][k]);
                for (int j = 0; j < VECTORS; j++)
                    sums[i][j] = v_fma(x, b[j], sums[i][j]);
            }
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++)
            v_store(out + i * COLUMNS + j * WIDTH, sums[i][j]);
}

/* Adds the bias, which may be NULL, to a tile, and writes it. */
static inline void write_tile(float *out, const float *tile, const float *bias, int64_t rows,
                              int64_t count, int64_t stride)
{
    for (int64_t j = 0; j < count; j += WIDTH) {
        int width = (int)min_of(WIDTH, count - j);
        vec offset = v_set(0.0f);
        if (bias)
            offset = v_load_part(bias + j, width);
        for (int64_t i = 0; i < rows; i++)
            v_store_part(out + i * stride + j, v_load(tile + i * COLUMNS + j) + offset, width);
    }
}

/* Adds to sums, rows of COLUMNS numbers, the product of `rows` neighbouring columns of a matrix, the
 * first of which starts at `from`, and a panel. The rows of the matrix are those of several blocks.
 */
INLINE void accumulate(float *sums, const float *from, int64_t stride, int64_t depth, int64_t blocks,
                       int64_t block_stride, int64_t rows, const float *panel)
{
    for (int64_t i = 0; rows < ROWS && i < rows; i++)
        for (int j = 0; j < VECTORS; j++) {
            const float *row = from + i, *part = panel + j * WIDTH;
            float *to = sums + i * COLUMNS + j * WIDTH;
            vec sum = v_set(0.0f);
            for (int64_t block = 0; block < blocks; block++, row += block_stride)
                for (int64_t k = 0; k < depth; k++, part += COLUMNS)
                    sum = v_fma(v_set(row[k * stride]), v_load(part), sum);
            v_store(to, v_load(to) + sum);
        }
    if (rows < ROWS)
        return;
    vec sum[ROWS][VECTORS];
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++)
            sum[i][j] = v_set(0.0f);
    for (int64_t block = 0; block < blocks; block++, from += block_stride) {
        const float *row = from;
        for (int64_t k = 0; k < depth; k++, row += stride, panel += COLUMNS) {
            vec b[VECTORS];
            for (int j = 0; j < VECTORS; j++)
                b[j] = v_load(panel + j * WIDTH);
            for (int i = 0; i < ROWS; i++) {
                vec x = v_set(row[i]);
                for (int j = 0; j < VECTORS; j++)
                    sum[i][j] = v_fma(x, b[j], sum[i][j]);
            }
        }
    }
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < VECTORS; j++)
            v_store(sums + i * COLUMNS + j * WIDTH,
                    v_load(sums + i * COLUMNS + j * WIDTH) + sum[i][j]);
}
