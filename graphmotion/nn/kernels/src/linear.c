/* Linear maps of many rows with few channels, and their gradients. */
#include "tiles.h"

/* Rows of features that are multiplied by one panel after another while they are in the cache, and
 * rows of which gradients of the weights are summed before they are added to those of other rows.
 */
enum { BLOCK = 24 * 8 };
/* Numbers that stay in the cache of the first level. */
enum { SMALL = 1 << 13 };

/* Copies a matrix with any strides to panels. */
static void pack(float *panels, const float *b, int64_t row_stride, int64_t column_stride,
                 int64_t depth, int64_t columns)
{
    if (column_stride == 1) {
        copy_panels(panels, b, row_stride, depth, columns);
        return;
    }
    for (int64_t first = 0; first < columns; first += COLUMNS)
        for (int64_t k = 0; k < depth; k++, panels += COLUMNS)
            for (int64_t j = 0; j < COLUMNS; j++) {
                int64_t column = first + j;
                panels[j] = column < columns ? b[k * row_stride + column * column_stride] : 0.0f;
            }
}

/* out = x W + bias for rows x; row_stride and column_stride are those of W. */
int linear_forward(const float *x, const float *weight, const float *bias, float *out, int64_t rows,
                   int64_t depth, int64_t columns, int64_t row_stride, int64_t column_stride,
                   int threads)
{
    const int64_t zero = 0;
    float *panels = new_floats(panels_of(columns) * depth * COLUMNS);
    if (panels == NULL)
        return 1;
    pack(panels, weight, row_stride, column_stride, depth, columns);
    /* Rows are written as a whole if all panels stay in the cache. */
    const int64_t step = panels_of(columns) * depth * COLUMNS > SMALL ? BLOCK : ROWS;
    _Pragma("omp parallel for num_threads(threads) schedule(static)") for (int64_t block = 0;
                                                                           block < rows;
                                                                           block += step)
    {
        int64_t last = min_of(rows, block + step);
        for (int64_t column = 0; column < columns; column += COLUMNS)
            for (int64_t row = block; row < last; row += ROWS) {
                const float *from[ROWS];
                float tile[ROWS * COLUMNS];
                for (int64_t i = 0; i < ROWS; i++)
                    from[i] = x + min_of(row + i, last - 1) * depth;
                multiply(tile, from, depth, 1, &zero, panels + column * depth);
                write_tile(out + row * columns + column, tile, bias ? bias + column : NULL,
                           min_of(ROWS, last - row), min_of(COLUMNS, columns - column), columns);
            }
    }
    free(panels);
    return 0;
}

/* Adds the sums of columns of rows to out, in parts that stay in registers. */
static void add_columns(float *out, const float *rows, int64_t count, int64_t columns)
{
    for (int64_t j = 0; j < columns; j += WIDTH) {
        int width = (int)min_of(WIDTH, columns - j);
        vec sum = v_set(0.0f);
        for (int64_t i = 0; i < count; i++)
            sum += v_load_part(rows + i * columns + j, width);
        v_store_part(out + j, v_load_part(out + j, width) + sum, width);
    }
}

/* Adds the gradients of weight [outputs, inputs] and bias, which may be NULL, for rows x and grad. */
int linear_backward(const float *x, const float *grad, float *weight_grad, float *bias_grad,
                    int64_t rows, int64_t inputs, int64_t outputs, int threads)
{
    int failed = 0;
    int64_t panels = panels_of(inputs), size = panels * outputs * COLUMNS;
    float **of_threads = calloc(threads, sizeof(float *));
    if (of_threads == NULL)
        return 1;
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        float *sums = calloc(size + outputs, sizeof(float));
        float *panel = new_floats(panels * BLOCK * COLUMNS);
        of_threads[omp_get_thread_num()] = sums;
        failed = sums == NULL || panel == NULL;
        _Pragma("omp for schedule(static)") for (int64_t block = 0; block < rows; block += BLOCK)
        {
            int64_t depth = failed ? 0 : min_of(BLOCK, rows - block);
            const float *upper = grad + block * outputs;
            if (failed)
                continue;
            copy_panels(panel, x + block * inputs, inputs, depth, inputs);
            if (bias_grad)
                add_columns(sums + size, upper, depth, outputs);
            for (int64_t i = 0; i < panels; i++)
                for (int64_t row = 0; row < outputs; row += ROWS)
                    accumulate(sums + (i * outputs + row) * COLUMNS, upper + row, outputs, depth, 1,
                               0, min_of(ROWS, outputs - row), panel + i * depth * COLUMNS);
        }
        free(panel);
    }
    /* In the order of the threads, so that results do not depend on which one is first. */
    for (int thread = 0; thread < threads; thread++) {
        const float *sums = of_threads[thread];
        for (int64_t i = 0; !failed && sums && i < outputs; i++) {
            for (int64_t j = 0; j < inputs; j++)
                weight_grad[i * inputs + j] +=
                    sums[(j / COLUMNS * outputs + i) * COLUMNS + j % COLUMNS];
            if (bias_grad)
                bias_grad[i] += sums[size + i];
        }
        free(of_threads[thread]);
    }
    free(of_threads);
    return failed;
}
