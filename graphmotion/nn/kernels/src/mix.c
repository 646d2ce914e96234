/* Sums over nodes weighted by maps of several heads that share the features of the nodes.
 *
 * The result has the channels of all heads of a node and frame side by side, and features and
 * gradients are read where they are, so that nothing is copied from one layout to another.
 */
#include "tiles.h"

/* Features [graphs, sources, frames, channels], maps [graphs, groups, heads, targets, sources], each
 * of frames / groups frames, and the result [graphs, targets, frames, heads * channels].
 */
typedef struct {
    int64_t graphs, groups, heads, targets, sources, frames, channels;
} Sizes;

/* Places of a frame of a graph: map, features and result. */
typedef struct {
    int64_t map, x, out;
} Place;

static Place place_of(const Sizes *n, int64_t i)
{
    int64_t graph = i / n->frames, frame = i % n->frames;
    int64_t group = graph * n->groups + frame / (n->frames / n->groups);
    int64_t targets = n->targets * n->frames, sources = n->sources * n->frames;
    return (Place){
        group * n->heads * n->targets * n->sources,
        (graph * sources + frame) * n->channels,
        (graph * targets + frame) * n->heads * n->channels,
    };
}

/* Offset of a head and a target in the result. */
static int64_t offset_of(const Sizes *n, int64_t row)
{
    return (row % n->targets * n->frames * n->heads + row / n->targets) * n->channels;
}

int mix_forward(const float *maps, const float *x, float *out, const Sizes *n, int threads)
{
    int failed = 0;
    const int64_t zero = 0, rows = n->heads * n->targets, stride = n->frames * n->channels;
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        float *panels = new_floats(n->sources * panels_of(n->channels) * COLUMNS);
        float tile[ROWS * COLUMNS];
        failed = panels == NULL;
        _Pragma("omp for schedule(static)") for (int64_t i = 0; i < n->graphs * n->frames; i++)
        {
            Place place = place_of(n, i);
            if (failed)
                continue;
            copy_panels(panels, x + place.x, stride, n->sources, n->channels);
            for (int64_t first = 0; first < rows; first += ROWS) {
                const float *from[ROWS];
                for (int64_t r = 0; r < ROWS; r++)
                    from[r] = maps + place.map + min_of(first + r, rows - 1) * n->sources;
                for (int64_t column = 0; column < n->channels; column += COLUMNS) {
                    int64_t count = min_of(COLUMNS, n->channels - column);
                    multiply(tile, from, n->sources, 1, &zero, panels + column * n->sources);
                    for (int64_t r = 0; r < min_of(ROWS, rows - first); r++)
                        for (int64_t j = 0; j < count; j += WIDTH)
                            v_store_part(out + place.out + offset_of(n, first + r) + column + j,
                                         v_load(tile + r * COLUMNS + j),
                                         (int)min_of(WIDTH, count - j));
                }
            }
        }
        free(panels);
    }
    return failed;
}

/* Gradients of maps and x; those of which the address is NULL are not computed. senders are maps with
 * sources before heads and targets; the gradient of maps must be zeros before.
 */
int mix_backward(const float *senders, const float *x, const float *grad, float *map_grad,
                 float *x_grad, const Sizes *n, int threads)
{
    int failed = 0;
    const int64_t zero = 0, rows = n->heads * n->targets, stride = n->frames * n->channels;
    const int64_t parts[2] = {rows * panels_of(n->channels), n->channels};
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        float *panels = new_floats((parts[0] > parts[1] ? parts[0] : parts[1]) * COLUMNS);
        float tile[ROWS * COLUMNS];
        failed = panels == NULL;
        /* A thread has whole graphs, so that no other one adds to their maps. */
        _Pragma("omp for schedule(static)") for (int64_t graph = 0; graph < n->graphs; graph++)
            for (int64_t i = graph * n->frames; !failed && i < (graph + 1) * n->frames; i++) {
                Place place = place_of(n, i);
                const float *from[ROWS], *upper = grad + place.out;
                for (int64_t row = 0; x_grad && row < rows; row++)
                    for (int64_t column = 0; column < n->channels; column += COLUMNS)
                        copy_panels(panels + (column * rows + row * COLUMNS),
                                    upper + offset_of(n, row) + column, 0, 1,
                                    min_of(COLUMNS, n->channels - column));
                for (int64_t first = 0; x_grad && first < n->sources; first += ROWS) {
                    for (int64_t r = 0; r < ROWS; r++)
                        from[r] = senders + place.map + min_of(first + r, n->sources - 1) * rows;
                    for (int64_t column = 0; column < n->channels; column += COLUMNS) {
                        int64_t count = min_of(COLUMNS, n->channels - column);
                        multiply(tile, from, rows, 1, &zero, panels + column * rows);
                        write_tile(x_grad + place.x + first * stride + column, tile, NULL,
                                   min_of(ROWS, n->sources - first), count, stride);
                    }
                }
                for (int64_t source = 0; map_grad && source < n->sources; source += COLUMNS) {
                    int64_t count = min_of(COLUMNS, n->sources - source);
                    for (int64_t j = 0; j < COLUMNS; j++)
                        for (int64_t c = 0; c < n->channels; c++)
                            panels[c * COLUMNS + j] =
                                j < count ? x[place.x + (source + j) * stride + c] : 0.0f;
                    for (int64_t first = 0; first < rows; first += ROWS) {
                        for (int64_t r = 0; r < ROWS; r++)
                            from[r] = upper + offset_of(n, min_of(first + r, rows - 1));
                        multiply(tile, from, n->channels, 1, &zero, panels);
                        for (int64_t r = 0; r < min_of(ROWS, rows - first); r++) {
                            float *to = map_grad + place.map + (first + r) * n->sources + source;
                            for (int64_t j = 0; j < count; j++)
                                to[j] += tile[r * COLUMNS + j];
                        }
                    }
                }
            }
        free(panels);
    }
    return failed;
}
