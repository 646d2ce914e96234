/* Convolution over the partitions of an adjacency that all graphs share, b + sum_k A_k X W_k.
 *
 * A block of frames of one graph is summed over the neighbours by all partitions, and multiplied by
 * the weights of all while it is in the cache. Neither the sums nor their gradients are stored.
 */
#include "tiles.h"

/* Sizes of features [graphs, nodes, frames, inputs], of the result and of the partitions. */
typedef struct {
    int64_t graphs, nodes, frames, inputs, outputs, partitions;
} Sizes;

/* Numbers of the sums over neighbours of a block. */
enum { BLOCK = 1 << 17 };

static int64_t block_frames(const Sizes *n)
{
    int64_t size = n->partitions * n->nodes * n->inputs, frames = BLOCK / size;
    return frames < 1 ? 1 : min_of(frames, n->frames);
}

/* Columns of the second factor of a product that are copied at once. */
enum { CHUNK = 256 };

/* out = A B for rows of A with `depth` numbers; `panels` has place for depth rows of CHUNK numbers. */
static void product(float *out, int64_t out_stride, const float *a, int64_t rows, int64_t depth,
                    const float *b, int64_t b_stride, int64_t columns, float *panels)
{
    float tile[ROWS * COLUMNS];
    const int64_t zero = 0;
    for (int64_t start = 0; start < columns; start += CHUNK) {
        int64_t size = min_of(CHUNK, columns - start);
        copy_panels(panels, b + start, b_stride, depth, size);
        for (int64_t first = 0; first < rows; first += ROWS) {
            const float *from[ROWS];
            for (int64_t i = 0; i < ROWS; i++)
                from[i] = a + min_of(first + i, rows - 1) * depth;
            for (int64_t column = 0; column < size; column += COLUMNS) {
                int64_t count = min_of(COLUMNS, size - column);
                float *to = out + first * out_stride + start + column;
                multiply(tile, from, depth, 1, &zero, panels + column * depth);
                write_tile(to, tile, NULL, min_of(ROWS, rows - first), count, out_stride);
            }
        }
    }
}

/* Numbers of a matrix that are not zero, row by row. */
typedef struct {
    int64_t *starts, *columns; /* starts is NULL if most numbers are not zero */
    float *values;
} Entries;

/* Finds the entries of a matrix. Returns 1 if there is no memory. */
static int find_entries(Entries *out, const float *a, int64_t rows, int64_t depth)
{
    int64_t count = 0, size = rows * depth, largest = size / 4;
    *out = (Entries){0};
    for (int64_t i = 0; i < size; i++)
        count += a[i] != 0;
    if (count > largest)
        return 0;
    int64_t *starts = malloc(sizeof(int64_t) * (rows + 1 + count + 1));
    float *values = malloc(sizeof(float) * (count + 1));
    if (starts == NULL || values == NULL) {
        free(starts), free(values);
        return 1;
    }
    *out = (Entries){starts, starts + rows + 1, values};
    count = 0;
    for (int64_t row = 0; row < rows; row++) {
        starts[row] = count;
        for (int64_t k = 0; k < depth; k++)
            if (a[row * depth + k] != 0) {
                out->columns[count] = k;
                values[count++] = a[row * depth + k];
            }
    }
    starts[rows] = count;
    return 0;
}

static void free_entries(Entries *entries) { free(entries->starts), free(entries->values); }

/* out = A B as in product, with the entries of A if there are few. */
static void sum_neighbours(float *out, int64_t out_stride, const Entries *entries, const float *a,
                           int64_t rows, int64_t depth, const float *b, int64_t b_stride,
                           int64_t columns, float *panels)
{
    enum { PARTS = 4 };
    if (entries->starts == NULL) {
        product(out, out_stride, a, rows, depth, b, b_stride, columns, panels);
        return;
    }
    for (int64_t row = 0; row < rows; row++)
        for (int64_t start = 0; start < columns; start += PARTS * WIDTH) {
            vec sums[PARTS];
            int counts[PARTS];
            for (int i = 0; i < PARTS; i++) {
                int64_t rest = columns - start - i * WIDTH;
                counts[i] = rest < 0 ? 0 : (int)min_of(WIDTH, rest);
                sums[i] = v_set(0.0f);
            }
            for (int64_t e = entries->starts[row]; e < entries->starts[row + 1]; e++) {
                const float *from = b + entries->columns[e] * b_stride + start;
                for (int i = 0; i < PARTS; i++)
                    if (counts[i] > 0)
                        sums[i] = v_fma(v_set(entries->values[e]),
                                        v_load_part(from + i * WIDTH, counts[i]), sums[i]);
            }
            for (int i = 0; i < PARTS; i++)
                if (counts[i] > 0)
                    v_store_part(out + row * out_stride + start + i * WIDTH, sums[i], counts[i]);
        }
}

/* Multiplies rows of nodes and frames, which have parts, by a panel: tile by tile to `use`. */
#define FOR_EACH_TILE(from_row, depth, parts, offsets, panel, use)                                \
    for (int64_t first = 0; first < rows; first += ROWS) {                                        \
        float tile[ROWS * COLUMNS];                                                               \
        const float *from[ROWS];                                                                  \
        for (int64_t i = 0; i < ROWS; i++) {                                                      \
            int64_t row = min_of(first + i, rows - 1), node = row / frames, frame = row % frames; \
            from[i] = from_row;                                                                   \
        }                                                                                         \
        multiply(tile, from, depth, parts, offsets, panel);                                       \
        for (int64_t i = 0; i < min_of(ROWS, rows - first); i++) {                                \
            int64_t node = (first + i) / frames, frame = (first + i) % frames;                    \
            for (int64_t j = 0; j < count; j += WIDTH) {                                          \
                vec y = v_load(tile + i * COLUMNS + j);                                           \
                int width = (int)min_of(WIDTH, count - j);                                        \
                use;                                                                              \
            }                                                                                     \
        }                                                                                         \
    }

/* Number of sums over neighbours of a block. */
static int64_t size_of_sums(const Sizes *n)
{
    return n->partitions * n->nodes * block_frames(n) * n->inputs;
}

/* adj [partitions, nodes, nodes], weight [partitions, inputs, outputs], bias [nodes, outputs]. */
int graph_forward(const float *x, const float *adj, const float *weight, const float *bias,
                  float *out, const Sizes *n, int threads)
{
    int64_t depth = n->partitions * n->inputs, step = block_frames(n), failed = 0;
    int64_t steps = (n->frames + step - 1) / step, all = n->partitions * n->nodes;
    Entries entries;
    float *panels = new_floats(panels_of(n->outputs) * depth * COLUMNS);
    if (panels == NULL || find_entries(&entries, adj, all, n->nodes)) {
        free(panels);
        return 1;
    }
    copy_panels(panels, weight, n->outputs, depth, n->outputs);
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        float *sums = new_floats(size_of_sums(n) + n->nodes * CHUNK);
        failed = sums == NULL;
        _Pragma("omp for schedule(static)") for (int64_t i = 0; i < n->graphs * steps; i++)
        {
            if (failed)
                continue;
            int64_t graph = i / steps, start = i % steps * step;
            int64_t frames = min_of(step, n->frames - start), rows = n->nodes * frames;
            int64_t width = frames * n->inputs, stride = n->frames * n->inputs;
            float *panel = sums + all * width;
            sum_neighbours(sums, width, &entries, adj, all, n->nodes,
                           x + graph * n->nodes * stride + start * n->inputs, stride, width, panel);
            float *to = out + (graph * n->nodes * n->frames + start) * n->outputs;
            int64_t offsets[n->partitions];
            for (int64_t k = 0; k < n->partitions; k++)
                offsets[k] = k * n->nodes * width;
            for (int64_t column = 0; column < n->outputs; column += COLUMNS) {
                int64_t count = min_of(COLUMNS, n->outputs - column);
                FOR_EACH_TILE(sums + node * width + frame * n->inputs, n->inputs, n->partitions,
                              offsets, panels + column * depth,
                              y += v_load_part(bias + node * n->outputs + column + j, width);
                              v_store_part(to + (node * n->frames + frame) * n->outputs + column + j,
                                           y, width))
            }
        }
        free(sums);
    }
    free(panels), free_entries(&entries);
    return (int)failed;
}

/* sums[i][j] += <a_i, b_j> for all pairs of rows of `size` numbers. */
static void add_products(float *sums, const float *a, int64_t a_rows, int64_t a_stride,
                         const float *b, int64_t b_rows, int64_t b_stride, int64_t size)
{
    enum { SIDE = 4, PART = 16 * WIDTH }; /* numbers of all rows that fit the cache */
    for (int64_t start = 0; start < size; start += PART) {
        int64_t end = min_of(size, start + PART);
        for (int64_t i = 0; i < a_rows; i += SIDE)
            for (int64_t j = 0; j < b_rows; j += SIDE) {
                const float *left[SIDE], *right[SIDE];
                vec sum[SIDE][SIDE];
                for (int k = 0; k < SIDE; k++) {
                    left[k] = a + min_of(i + k, a_rows - 1) * a_stride;
                    right[k] = b + min_of(j + k, b_rows - 1) * b_stride;
                    for (int l = 0; l < SIDE; l++)
                        sum[k][l] = v_set(0.0f);
                }
                for (int64_t f = start; f < end; f += WIDTH) {
                    int count = (int)min_of(WIDTH, end - f);
                    vec y[SIDE];
                    for (int l = 0; l < SIDE; l++)
                        y[l] = v_load_part(right[l] + f, count);
                    for (int k = 0; k < SIDE; k++) {
                        vec z = v_load_part(left[k] + f, count);
                        for (int l = 0; l < SIDE; l++)
                            sum[k][l] = v_fma(z, y[l], sum[k][l]);
                    }
                }
                for (int64_t k = 0; k < min_of(SIDE, a_rows - i); k++)
                    for (int64_t l = 0; l < min_of(SIDE, b_rows - j); l++)
                        sums[(i + k) * b_rows + j + l] += v_sum(sum[k][l]);
            }
    }
}

/* Gradients of x, adj and weight; those of which the address is NULL are not computed, the last two
 * must be zeros. adj_columns is adj with nodes, partitions and nodes in this order, so that each row
 * has the weights with which a node sends; weight_columns is weight [partitions, outputs, inputs].
 */
int graph_backward(const float *x, const float *adj, const float *adj_columns,
                   const float *weight_columns, const float *grad, float *x_grad, float *adj_grad,
                   float *weight_grad, const Sizes *n, int threads)
{
    int64_t step = block_frames(n), steps = (n->frames + step - 1) / step, failed = 0;
    const int64_t zero = 0;
    int64_t all = n->partitions * n->nodes, panels = panels_of(n->inputs);
    int64_t panel_size = n->outputs * COLUMNS, weight_size = n->partitions * n->inputs * COLUMNS;
    int64_t columns = panels_of(n->outputs), adj_size = all * n->nodes;
    float *weights = new_floats(n->partitions * panels * panel_size);
    float **of_threads = calloc(threads, sizeof(float *));
    Entries entries = {0}, senders = {0};
    if (weights == NULL || of_threads == NULL || find_entries(&entries, adj, all, n->nodes) ||
        find_entries(&senders, adj_columns, n->nodes, all)) {
        free(weights), free(of_threads), free_entries(&entries);
        return 1;
    }
    for (int64_t k = 0; k < n->partitions; k++)
        copy_panels(weights + k * panels * panel_size, weight_columns + k * n->outputs * n->inputs,
                    n->inputs, n->outputs, n->inputs);
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        int64_t size = n->nodes * step * COLUMNS;
        float *sums = new_floats(size_of_sums(n) + (size > all * CHUNK ? size : all * CHUNK));
        float *totals = calloc(columns * weight_size + adj_size, sizeof(float));
        float *adj_total = totals + columns * weight_size;
        of_threads[omp_get_thread_num()] = totals;
        failed = sums == NULL || totals == NULL;
        _Pragma("omp for schedule(static)") for (int64_t i = 0; i < n->graphs * steps; i++)
        {
            if (failed)
                continue;
            int64_t graph = i / steps, start = i % steps * step;
            int64_t frames = min_of(step, n->frames - start), rows = n->nodes * frames;
            int64_t width = frames * n->inputs, stride = n->frames * n->inputs;
            const float *block = x + graph * n->nodes * stride + start * n->inputs;
            const float *upper = grad + (graph * n->nodes * n->frames + start) * n->outputs;
            float *panel = sums + all * width;
            if (weight_grad) {
                sum_neighbours(sums, width, &entries, adj, all, n->nodes, block, stride, width, panel);
                for (int64_t column = 0; column < columns; column++) {
                    int64_t offset = column * COLUMNS;
                    int64_t count = min_of(COLUMNS, n->outputs - offset);
                    for (int64_t node = 0; node < n->nodes; node++)
                        copy_panels(panel + node * frames * COLUMNS,
                                    upper + node * n->frames * n->outputs + offset, n->outputs, frames,
                                    count);
                    for (int64_t k = 0; k < n->partitions; k++)
                        for (int64_t c = 0; c < n->inputs; c += ROWS)
                            accumulate(totals + column * weight_size + (k * n->inputs + c) * COLUMNS,
                                       sums + k * n->nodes * width + c, n->inputs, rows, 1, 0,
                                       min_of(ROWS, n->inputs - c), panel);
                }
            }
            if (x_grad == NULL && adj_grad == NULL)
                continue;
            for (int64_t k = 0; k < n->partitions; k++)
                for (int64_t column = 0; column < n->inputs; column += COLUMNS) {
                    int64_t count = min_of(COLUMNS, n->inputs - column);
                    float *to = sums + k * n->nodes * width + column;
                    FOR_EACH_TILE(upper + (node * n->frames + frame) * n->outputs, n->outputs, 1, &zero,
                                  weights + (k * panels + column / COLUMNS) * panel_size,
                                  v_store_part(to + (node * frames + frame) * n->inputs + j, y,
                                               width))
                }
            if (adj_grad)
                add_products(adj_total, sums, all, width, block, n->nodes, stride, width);
            if (x_grad)
                sum_neighbours(x_grad + graph * n->nodes * stride + start * n->inputs, stride,
                               &senders, adj_columns, n->nodes, all, sums, width, width, panel);
        }
        free(sums);
    }
    /* In the order of the threads, so that results do not depend on which one is first. */
    for (int thread = 0; thread < threads; thread++) {
        const float *totals = of_threads[thread], *adj_total = totals + columns * weight_size;
        if (!failed && totals != NULL) {
            for (int64_t i = 0; adj_grad && i < adj_size; i++)
                adj_grad[i] += adj_total[i];
            for (int64_t i = 0; weight_grad && i < n->partitions * n->inputs; i++)
                for (int64_t j = 0; j < n->outputs; j++)
                    weight_grad[i * n->outputs + j] +=
                        totals[j / COLUMNS * weight_size + i * COLUMNS + j % COLUMNS];
        }
        free(of_threads[thread]);
    }
    free(of_threads), free(weights), free_entries(&entries), free_entries(&senders);
    return (int)failed;
}
