/* Attention of heads with few channels.
 *
 * A vector holds the same channel of the same node for as many problems, pairs of a sequence and a
 * head, as it is wide, so that neither the number of nodes nor that of channels needs to be a
 * multiple of anything. Queries, keys and values are read and written where they are, with any
 * strides; only keys and values, and their gradients, are copied, for one vector of problems.
 *
 * Functions are compiled for SIZE = 4, 8 and 16 channels, with and without a mask of the keys, which
 * is the same for all queries. The score of a masked key is LOWEST; if all are masked, all keys have
 * the same weight.
 */
#include "tiles.h"

/* Sizes of three leading dimensions, then queries, keys and channels. */
typedef struct {
    int64_t outer[3], queries, keys, channels;
} Sizes;

/* Strides of the three leading dimensions and of the nodes; channels are contiguous. */
typedef struct {
    int64_t outer[3], node;
} Strides;

/* Exponents, in base 2, whose sums neither overflow nor vanish. */
static const float MAX_EXPONENT = 60.0f;
static const float LOWEST = -3.4e38f;
static const float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

/* Offsets of each problem of a vector; problems after the last one repeat it. */
static void find_offsets(int64_t *offsets, const Sizes *n, const Strides *s, int64_t first)
{
    int64_t count = n->outer[0] * n->outer[1] * n->outer[2];
    for (int lane = 0; lane < WIDTH; lane++) {
        int64_t i = first + lane < count ? first + lane : count - 1;
        int64_t a = i / (n->outer[1] * n->outer[2]), b = i / n->outer[2] % n->outer[1];
        offsets[lane] = a * s->outer[0] + b * s->outer[1] + i % n->outer[2] * s->outer[2];
    }
}

static void locate(float **lanes, const float *data, const Sizes *n, const Strides *s, int64_t first)
{
    int64_t offsets[WIDTH];
    find_offsets(offsets, n, s, first);
    for (int lane = 0; lane < WIDTH; lane++)
        lanes[lane] = (float *)data + offsets[lane];
}

/* Transposes each block of 4 x 4 numbers. */
INLINE void transpose(vec *x)
{
    vec a = v_low(x[0], x[1]), b = v_high(x[0], x[1]);
    vec c = v_low(x[2], x[3]), d = v_high(x[2], x[3]);
    x[0] = v_low_pairs(a, c), x[1] = v_high_pairs(a, c);
    x[2] = v_low_pairs(b, d), x[3] = v_high_pairs(b, d);
}

/* Reads SIZE channels of a node, of which those that do not exist are zero. */
INLINE void read_node(vec *x, float *const *lanes, int64_t offset, int channels, const int SIZE)
{
    for (int c = 0; c < SIZE; c += 4) {
        if (c + 4 <= channels) {
            for (int i = 0; i < 4; i++)
                x[c + i] = v_join(lanes + i, offset + c);
            transpose(x + c);
            continue;
        }
        for (int i = c; i < c + 4; i++) {
            float part[WIDTH] = {0};
            for (int lane = 0; i < channels && lane < WIDTH; lane++)
                part[lane] = lanes[lane][offset + i];
            x[i] = v_load(part);
        }
    }
}

INLINE void write_node(const vec *x, float *const *lanes, int64_t offset, int channels, const int SIZE)
{
    for (int c = 0; c < SIZE; c += 4) {
        if (c + 4 <= channels) {
            vec part[4] = {x[c], x[c + 1], x[c + 2], x[c + 3]};
            transpose(part);
            for (int i = 0; i < 4; i++)
                v_part(lanes + i, offset + c, part[i]);
            continue;
        }
        for (int i = c; i < c + 4 && i < channels; i++) {
            float part[WIDTH];
            v_store(part, x[i]);
            for (int lane = 0; lane < WIDTH; lane++)
                lanes[lane][offset + i] = part[lane];
        }
    }
}

/* 1 for a key of each problem that is valid, otherwise 0. */
INLINE vec read_mask(const uint8_t *mask, const int64_t *offsets, int64_t offset)
{
    float part[WIDTH];
    for (int lane = 0; lane < WIDTH; lane++)
        part[lane] = mask[offsets[lane] + offset] ? 1.0f : 0.0f;
    return v_load(part);
}

INLINE vec dot(const vec *a, const vec *b, vec sum, const int SIZE)
{
    for (int c = 0; c < SIZE; c++)
        sum = v_fma(a[c], b[c], sum);
    return sum;
}

/* The scores of a query and a key: those of masked keys are LOWEST. */
INLINE vec score_of(const vec *query, const vec *key, const vec *valid, const int SIZE,
                    const int MASKED)
{
    vec score = dot(query, key, v_set(0.0f), SIZE);
    if (MASKED)
        score = v_select(*valid, score, v_set(LOWEST));
    return score;
}

INLINE void forward_group(const float *q, const float *k, const float *v, const uint8_t *mask,
                          float *out, float *stats, const Sizes *n, const Strides *s, float scale,
                          int64_t first, vec *buffer, const int SIZE, const int MASKED)
{
    const int ROW = 2 * SIZE + MASKED;
    int64_t offsets[WIDTH];
    float *queries[WIDTH], *keys[WIDTH], *values[WIDTH], *outs[WIDTH];
    locate(queries, q, n, s, first), locate(keys, k, n, s + 1, first);
    locate(values, v, n, s + 2, first), locate(outs, out, n, s + 3, first);
    if (MASKED)
        find_offsets(offsets, n, s + 4, first);
    int channels = (int)n->channels;
    const vec zero = v_set(0.0f);
    vec largest = zero;
    for (int64_t j = 0; j < n->keys; j++) {
        vec *row = buffer + ROW * j;
        read_node(row, keys, j * s[1].node, channels, SIZE);
        read_node(row + SIZE, values, j * s[2].node, channels, SIZE);
        largest = v_max(dot(row, row, zero, SIZE), largest);
        if (MASKED)
            row[2 * SIZE] = read_mask(mask, offsets, j * s[4].node);
    }
    for (int64_t i = 0; i < n->queries; i++) {
        vec query[SIZE], sums[SIZE], total = zero, shift = zero;
        read_node(query, queries, i * s[0].node, channels, SIZE);
        for (int c = 0; c < SIZE; c++) {
            query[c] *= v_set(scale * LOG2_E);
            sums[c] = zero;
        }
        vec bound = v_sqrt(dot(query, query, zero, SIZE) * largest);
        if (MASKED || v_any_above(bound, v_set(MAX_EXPONENT))) {
            for (int64_t j = 0; j < n->keys; j++) {
                const vec *row = buffer + ROW * j;
                vec score = score_of(query, row, row + 2 * SIZE, SIZE, MASKED);
                shift = j == 0 ? score : v_max(score, shift);
            }
        }
        for (int64_t j = 0; j < n->keys; j++) {
            const vec *row = buffer + ROW * j;
            vec weight = v_exp2(score_of(query, row, row + 2 * SIZE, SIZE, MASKED) - shift);
            total += weight;
            for (int c = 0; c < SIZE; c++)
                sums[c] = v_fma(weight, row[SIZE + c], sums[c]);
        }
        vec inverse = v_set(1.0f) / total;
        for (int c = 0; c < SIZE; c++)
            sums[c] *= inverse;
        write_node(sums, outs, i * s[3].node, channels, SIZE);
        if (stats) {
            float *row = stats + 2 * (first * n->queries + WIDTH * i);
            v_store(row, shift), v_store(row + WIDTH, inverse);
        }
    }
}

INLINE void backward_group(const float *q, const float *k, const float *v, const uint8_t *mask,
                           const float *out, const float *grad, const float *stats, float *q_grad,
                           float *k_grad, float *v_grad, const Sizes *n, const Strides *s,
                           float scale, int64_t first, vec *buffer, const int SIZE,
                           const int MASKED)
{
    const int ROW = 4 * SIZE + MASKED;
    const float *tensors[8] = {q, k, v, out, grad, q_grad, k_grad, v_grad};
    float *lanes[8][WIDTH];
    int64_t offsets[WIDTH];
    for (int i = 0; i < 8; i++)
        locate(lanes[i], tensors[i], n, s + i, first);
    if (MASKED)
        find_offsets(offsets, n, s + 8, first);
    int channels = (int)n->channels;
    const vec zero = v_set(0.0f);
    for (int64_t j = 0; j < n->keys; j++) {
        vec *row = buffer + ROW * j;
        read_node(row, lanes[1], j * s[1].node, channels, SIZE);
        read_node(row + SIZE, lanes[2], j * s[2].node, channels, SIZE);
        for (int c = 2 * SIZE; c < 4 * SIZE; c++)
            row[c] = zero;
        if (MASKED)
            row[4 * SIZE] = read_mask(mask, offsets, j * s[8].node);
    }
    for (int64_t i = 0; i < n->queries; i++) {
        vec query[SIZE], upper[SIZE], sums[SIZE];
        const float *row = stats + 2 * (first * n->queries + WIDTH * i);
        vec shift = v_load(row), inverse = v_load(row + WIDTH);
        read_node(query, lanes[0], i * s[0].node, channels, SIZE);
        read_node(sums, lanes[3], i * s[3].node, channels, SIZE);
        read_node(upper, lanes[4], i * s[4].node, channels, SIZE);
        for (int c = 0; c < SIZE; c++) {
            query[c] *= v_set(scale * LOG2_E);
            upper[c] *= inverse;
        }
        vec mean = dot(upper, sums, zero, SIZE);
        for (int c = 0; c < SIZE; c++)
            sums[c] = zero;
        for (int64_t j = 0; j < n->keys; j++) {
            vec *key = buffer + ROW * j, *value = key + SIZE;
            vec *key_sum = key + 2 * SIZE, *value_sum = key + 3 * SIZE;
            vec weight = v_exp2(score_of(query, key, key + 4 * SIZE, SIZE, MASKED) - shift);
            vec score = weight * dot(upper, value, -mean, SIZE);
            if (MASKED)
                score = v_select(key[4 * SIZE], score, zero);
            for (int c = 0; c < SIZE; c++) {
                value_sum[c] = v_fma(weight, upper[c], value_sum[c]);
                key_sum[c] = v_fma(score, query[c], key_sum[c]);
                sums[c] = v_fma(score, key[c], sums[c]);
            }
        }
        for (int c = 0; c < SIZE; c++)
            sums[c] *= v_set(scale);
        write_node(sums, lanes[5], i * s[5].node, channels, SIZE);
    }
    for (int64_t j = 0; j < n->keys; j++) {
        vec *row = buffer + ROW * j + 2 * SIZE;
        for (int c = 0; c < SIZE; c++)
            row[c] *= v_set(LN_2);
        write_node(row, lanes[6], j * s[6].node, channels, SIZE);
        write_node(row + SIZE, lanes[7], j * s[7].node, channels, SIZE);
    }
}

/* Calls a function for each vector of problems, with a buffer of `rows` vectors for each key and
 * channel and one for the mask. Returns 1 if there is no memory.
 */
#define FOR_EACH_GROUP(rows, function, ...)                                                       \
    int64_t count = n->outer[0] * n->outer[1] * n->outer[2];                                      \
    int64_t size = n->channels <= 4 ? 4 : n->channels <= 8 ? 8 : 16;                              \
    int failed = 0;                                                                               \
    _Pragma("omp parallel num_threads(threads) reduction(| : failed)")                            \
    {                                                                                             \
        vec *buffer = NULL;                                                                       \
        size_t bytes = sizeof(vec) * (rows * size + 1) * n->keys;                                 \
        failed = posix_memalign((void **)&buffer, sizeof(vec), bytes) != 0;                       \
        _Pragma("omp for schedule(static)") for (int64_t i = 0; i < count; i += WIDTH)            \
        {                                                                                         \
            if (failed)                                                                           \
                continue;                                                                         \
            if (size == 4 && mask)                                                                \
                function(__VA_ARGS__, i, buffer, 4, 1);                                           \
            else if (size == 4)                                                                   \
                function(__VA_ARGS__, i, buffer, 4, 0);                                           \
            else if (size == 8 && mask)                                                           \
                function(__VA_ARGS__, i, buffer, 8, 1);                                           \
            else if (size == 8)                                                                   \
                function(__VA_ARGS__, i, buffer, 8, 0);                                           \
            else if (mask)                                                                        \
                function(__VA_ARGS__, i, buffer, 16, 1);                                          \
            else                                                                                  \
                function(__VA_ARGS__, i, buffer, 16, 0);                                          \
        }                                                                                         \
        free(buffer);                                                                             \
    }                                                                                             \
    return failed

/* Strides are those of q, k, v and out, then of the mask. */
int attention_forward(const float *q, const float *k, const float *v, const uint8_t *mask, float *out,
                      float *stats, const Sizes *n, const Strides *s, float scale, int threads)
{
    FOR_EACH_GROUP(2, forward_group, q, k, v, mask, out, stats, n, s, scale);
}

/* Strides are those of q, k, v, out, grad and the gradients of q, k and v, then of the mask. */
int attention_backward(const float *q, const float *k, const float *v, const uint8_t *mask,
                       const float *out, const float *grad, const float *stats, float *q_grad,
                       float *k_grad, float *v_grad, const Sizes *n, const Strides *s, float scale,
                       int threads)
{
    FOR_EACH_GROUP(4, backward_group, q, k, v, mask, out, grad, stats, q_grad, k_grad, v_grad, n, s,
                   scale);
}
