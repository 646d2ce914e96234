/* Convolution along frames with a third fewer multiplications.
 *
 * Two frames of the result of three taps need four products instead of six (S. Winograd, Arithmetic
 * Complexity of Computations, 1980), here for frames d0 to d3 and taps w0 to w2:
 *
 *     m0 = (d0 - d2) w0                   y0 = m0 + m1 + m2
 *     m1 = (d1 + d2) (w0 + w1 + w2) / 2   y1 = m1 - m2 - m3
 *     m2 = (d2 - d1) (w0 - w1 + w2) / 2
 *     m3 = (d1 - d3) w2
 *
 * A kernel is a sum of groups of three taps. If one tap is left, d0 w0 is added to m0 and -d1 w0 to m3,
 * and if two are left, w2 is zero. Each product is one of matrices, since frames and taps
 * have several channels; the sums over groups and channels precede those of y0 and y1. The gradient of
 * the weights follows from the same products, with D transposed instead of the weights.
 */
#include "tiles.h"

enum { PRODUCTS = 4, TAPS = 3 };

/* Sizes of sequences [nodes, frames, inputs], of the result and of the kernel. */
typedef struct {
    int64_t nodes, frames, inputs, outputs, taps, padding;
} Sizes;

/* Strides of the weights [outputs, inputs, taps]. */
typedef struct {
    int64_t output, input, tap;
} Strides;

typedef struct {
    int64_t frames, pairs, groups, places, panels; /* of the result; places are those of d0 */
    int64_t node_size, block, product_size;        /* block is a number of nodes */
    int single;                                    /* whether the last group has one tap */
} Plan;

static Plan plan_of(const Sizes *n, int64_t largest_block, int threads)
{
    Plan p;
    p.frames = n->frames + 2 * n->padding - n->taps + 1;
    p.pairs = (p.frames + 1) / 2;
    p.groups = (n->taps + TAPS - 1) / TAPS;
    p.single = n->taps % TAPS == 1;
    p.places = 2 * p.pairs + TAPS * (p.groups - 1);
    p.panels = panels_of(n->outputs);
    p.node_size = p.places * n->inputs;
    p.block = largest_block / ((PRODUCTS + p.single) * p.node_size);
    p.block = min_of(p.block, (n->nodes + threads - 1) / threads);
    p.block = p.block < 1 ? 1 : p.block;
    p.product_size = p.block * p.node_size;
    return p;
}

/* Number of groups of a product, and where the factor of a group starts in the transformed frames. */
static int64_t groups_of(const Plan *p, int64_t product)
{
    return p->groups - (p->single && (product == 1 || product == 2));
}

static int64_t start_of(const Plan *p, int64_t product, int64_t group, int64_t inputs)
{
    if (p->single && group == p->groups - 1)
        return PRODUCTS * p->product_size + (TAPS * group + (product == 3)) * inputs;
    return product * p->product_size + TAPS * group * inputs;
}

/* Writes the four differences and sums of frames for all places of a node, and the frames for the
 * group of a single tap.
 */
static void transform_frames(float *out, const float *x, const float *zeros, const Sizes *n,
                             const Plan *p)
{
    for (int64_t place = 0; place < p->places; place++, out += n->inputs) {
        const float *rows[4];
        for (int i = 0; i < 4; i++) {
            int64_t frame = place + i - n->padding;
            rows[i] = frame >= 0 && frame < n->frames ? x + frame * n->inputs : zeros;
        }
        for (int64_t c = 0; c < n->inputs; c += WIDTH) {
            int count = (int)min_of(WIDTH, n->inputs - c);
            vec d[4];
            for (int i = 0; i < 4; i++)
                d[i] = v_load_part(rows[i] + c, count);
            v_store_part(out + c, d[0] - d[2], count);
            v_store_part(out + p->product_size + c, d[1] + d[2], count);
            v_store_part(out + 2 * p->product_size + c, d[2] - d[1], count);
            v_store_part(out + 3 * p->product_size + c, d[1] - d[3], count);
            if (p->single)
                v_store_part(out + PRODUCTS * p->product_size + c, d[0], count);
        }
    }
}

/* Place of a number of the transformed weights, in panels of COLUMNS outputs. */
static inline int64_t place_of(const Plan *p, int64_t inputs, int64_t panel, int64_t product,
                               int64_t group, int64_t input)
{
    return (((panel * PRODUCTS + product) * p->groups + group) * inputs + input) * COLUMNS;
}

static void transform_weights(float *out, const float *weight, const Sizes *n, const Strides *s,
                              const Plan *p)
{
    enum { PART = 16 }; /* inputs whose transformed weights of a group are written at once */
    float parts[PRODUCTS][PART][COLUMNS] = {0};
    for (int64_t panel = 0; panel < p->panels; panel++)
        for (int64_t first = 0; first < n->inputs; first += PART)
            for (int64_t g = 0; g < p->groups; g++) {
                int64_t count = min_of(PART, n->inputs - first);
                int64_t taps = min_of(TAPS, n->taps - TAPS * g);
                int64_t outputs = min_of(COLUMNS, n->outputs - panel * COLUMNS);
                int single = p->single && g == p->groups - 1;
                memset(parts, 0, sizeof(parts));
                for (int64_t o = 0; o < outputs; o++) {
                    const float *from = weight + (panel * COLUMNS + o) * s->output +
                                        first * s->input + TAPS * g * s->tap;
                    for (int64_t c = 0; c < count; c++, from += s->input) {
                        float w0 = from[0], w1 = taps > 1 ? from[s->tap] : 0.0f;
                        float w2 = taps > 2 ? from[2 * s->tap] : 0.0f, half = 0.5f * (w0 + w2);
                        parts[0][c][o] = w0;
                        parts[1][c][o] = half + 0.5f * w1;
                        parts[2][c][o] = half - 0.5f * w1;
                        parts[3][c][o] = single ? -w0 : w2;
                    }
                }
                for (int64_t k = 0; k < PRODUCTS; k++)
                    memcpy(out + place_of(p, n->inputs, panel, k, g, first), parts[k],
                           sizeof(float) * count * COLUMNS);
            }
}

/* Computes a panel of outputs of a block of nodes, given their transformed frames. */
static void convolve_panel(float *out, const float *bias, const float *frames, const float *weights,
                           float *products, int64_t panel, int64_t nodes, const Sizes *n,
                           const Plan *p)
{
    int64_t rows = nodes * p->pairs, size = (p->block * p->pairs + ROWS) * COLUMNS;
    for (int64_t k = 0; k < PRODUCTS; k++) {
        int64_t groups = groups_of(p, k), starts[p->groups];
        for (int64_t g = 0; g < groups; g++)
            starts[g] = start_of(p, k, g, n->inputs);
        for (int64_t first = 0; first < rows; first += ROWS) {
            const float *from[ROWS];
            for (int64_t i = 0; i < ROWS; i++) {
                int64_t row = min_of(first + i, rows - 1);
                int64_t offset = row / p->pairs * p->node_size + row % p->pairs * 2 * n->inputs;
                from[i] = frames + offset;
            }
            multiply(products + k * size + first * COLUMNS, from, n->inputs, groups, starts,
                     weights + place_of(p, n->inputs, panel, k, 0, 0));
        }
    }
    for (int64_t j = 0; j < COLUMNS; j += WIDTH) {
        int64_t column = panel * COLUMNS + j;
        int count = (int)min_of(WIDTH, n->outputs - column);
        if (count <= 0)
            break;
        vec offset = bias ? v_load_part(bias + column, count) : v_set(0.0f);
        for (int64_t row = 0; row < rows; row++) {
            const float *m = products + row * COLUMNS + j;
            vec m1 = v_load(m + size), m2 = v_load(m + 2 * size);
            int64_t frame = row % p->pairs * 2;
            float *to = out + (row / p->pairs * p->frames + frame) * n->outputs + column;
            v_store_part(to, v_load(m) + m1 + m2 + offset, count);
            if (frame + 1 < p->frames)
                v_store_part(to + n->outputs, m1 - m2 - v_load(m + 3 * size) + offset, count);
        }
    }
}

/* Convolves x [nodes, frames, inputs]; the result has frames + 2 * padding - taps + 1 frames. */
int temporal_forward(const float *x, const float *weight, const float *bias, float *out,
                     const Sizes *n, const Strides *s, int threads)
{
    Plan plan = plan_of(n, 1 << 17, threads), *p = &plan;
    int64_t size = p->panels * place_of(p, n->inputs, 1, 0, 0, 0);
    int64_t rows = p->block * p->pairs + ROWS;
    float *weights = new_floats(size);
    int failed = 0;
    if (weights == NULL)
        return 1;
    transform_weights(weights, weight, n, s, p);
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        int64_t parts[2] = {(PRODUCTS + p->single) * p->product_size, PRODUCTS * rows * COLUMNS};
        float *buffer = new_floats(parts[0] + parts[1] + n->inputs);
        failed = buffer == NULL;
        float *products = buffer + parts[0], *zeros = products + parts[1];
        if (!failed)
            memset(zeros, 0, sizeof(float) * n->inputs);
        _Pragma("omp for schedule(static)") for (int64_t i = 0; i < n->nodes; i += p->block)
        {
            int64_t count = failed ? 0 : min_of(p->block, n->nodes - i);
            for (int64_t node = 0; node < count; node++)
                transform_frames(buffer + node * p->node_size,
                                 x + (i + node) * n->frames * n->inputs, zeros, n, p);
            for (int64_t panel = 0; count > 0 && panel < p->panels; panel++)
                convolve_panel(out + i * p->frames * n->outputs, bias, buffer, weights, products,
                               panel, count, n, p);
        }
        free(buffer);
    }
    free(weights);
    return failed;
}

/* Writes the factors of a product to a panel: rows of COLUMNS outputs of each pair of frames. */
static void transform_gradients(float *panel, const float *grad, int64_t nodes, int64_t product,
                                int64_t first, const Sizes *n, const Plan *p)
{
    for (int64_t row = 0; row < nodes * p->pairs; row++, panel += COLUMNS) {
        int64_t frame = row % p->pairs * 2;
        const float *from = grad + (row / p->pairs * p->frames + frame) * n->outputs + first;
        for (int64_t j = 0; j < COLUMNS; j += WIDTH) {
            int count = (int)min_of(WIDTH, n->outputs - first - j);
            vec y0 = v_set(0.0f), y1 = v_set(0.0f);
            if (count > 0)
                y0 = v_load_part(from + j, count);
            if (count > 0 && frame + 1 < p->frames)
                y1 = v_load_part(from + n->outputs + j, count);
            const vec factors[PRODUCTS] = {y0, y0 + y1, y0 - y1, -y1};
            v_store(panel + j, factors[product]);
        }
    }
}

/* Adds the gradients of weights, given those of transformed weights. */
static void add_weights(float *weight_grad, const float *sums, const Sizes *n, const Plan *p)
{
    int64_t size = p->groups * n->inputs * COLUMNS;
    for (int64_t o = 0; o < n->outputs; o++)
        for (int64_t c = 0; c < n->inputs; c++)
            for (int64_t g = 0; g < p->groups; g++) {
                const float *m = sums + place_of(p, n->inputs, o / COLUMNS, 0, g, c) + o % COLUMNS;
                float half = 0.5f * (m[size] + m[2 * size]);
                float w[TAPS] = {m[0] + half, 0.5f * (m[size] - m[2 * size]), half + m[3 * size]};
                if (p->single && g == p->groups - 1)
                    w[0] = m[0] - m[3 * size];
                float *to = weight_grad + (o * n->inputs + c) * n->taps + TAPS * g;
                for (int64_t j = 0; j < min_of(TAPS, n->taps - TAPS * g); j++)
                    to[j] += w[j];
            }
}

/* Adds the gradients of the weights [outputs, inputs, taps], which must be zeros before. */
int temporal_backward(const float *x, const float *grad, float *weight_grad, const Sizes *n,
                      int threads)
{
    Plan plan = plan_of(n, 1 << 18, threads), *p = &plan;
    int64_t size = p->panels * place_of(p, n->inputs, 1, 0, 0, 0);
    int failed = 0;
    float **of_threads = calloc(threads, sizeof(float *));
    if (of_threads == NULL)
        return 1;
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")
    {
        int64_t parts[2] = {(PRODUCTS + p->single) * p->product_size, p->block * p->pairs * COLUMNS};
        float *buffer = new_floats(parts[0] + parts[1] + n->inputs), *sums = new_floats(size);
        float *panel = buffer + parts[0], *zeros = panel + parts[1];
        of_threads[omp_get_thread_num()] = sums;
        failed = buffer == NULL || sums == NULL;
        if (!failed) {
            memset(sums, 0, sizeof(float) * size);
            memset(zeros, 0, sizeof(float) * n->inputs);
        }
        _Pragma("omp for schedule(static)") for (int64_t first = 0; first < n->nodes; first += p->block)
        {
            int64_t count = failed ? 0 : min_of(p->block, n->nodes - first);
            const float *upper = grad + first * p->frames * n->outputs;
            for (int64_t node = 0; node < count; node++)
                transform_frames(buffer + node * p->node_size,
                                 x + (first + node) * n->frames * n->inputs, zeros, n, p);
            for (int64_t k = 0; count > 0 && k < PRODUCTS; k++)
                for (int64_t i = 0; i < p->panels; i++) {
                    transform_gradients(panel, upper, count, k, i * COLUMNS, n, p);
                    for (int64_t g = 0; g < groups_of(p, k); g++)
                        for (int64_t c = 0; c < n->inputs; c += ROWS) {
                            float *to = sums + place_of(p, n->inputs, i, k, g, c);
                            const float *frames = buffer + start_of(p, k, g, n->inputs) + c;
                            accumulate(to, frames, 2 * n->inputs, p->pairs, count, p->node_size,
                                       min_of(ROWS, n->inputs - c), panel);
                        }
                }
        }
        free(buffer);
    }
    /* In the order of the threads, so that results do not depend on which one is first. */
    for (int thread = 0; thread < threads; thread++) {
        if (!failed && of_threads[thread] != NULL)
            add_weights(weight_grad, of_threads[thread], n, p);
        free(of_threads[thread]);
    }
    free(of_threads);
    return failed;
}
