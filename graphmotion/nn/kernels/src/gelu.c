/* GELU with the error function, x P(X <= x) for a normal variable X, and its derivative.
 *
 * Both are odd functions of x after P = 1/2 is subtracted: x times a polynomial of x^2, interpolated
 * at Chebyshev nodes for |x| <= LIMIT, beyond which they are constant to 1e-6. The absolute error is
 * that of torch, 5e-7.
 */
#include <stdint.h>

#include "vector.h"

enum { TERMS = 17 };
static const float LIMIT = 5.6f;

/* Coefficients of (P(X <= x) - 1/2) / x by the powers of 2 x^2 / LIMIT^2 - 1. */
static const float PROBABILITY[TERMS] = {
    1.262595962e-01f, -6.305125569e-02f, 4.698062763e-02f, -3.834689569e-02f,
    3.197643617e-02f, -2.629507027e-02f, 2.087942428e-02f, -1.584337199e-02f,
    1.126857110e-02f, -7.301837729e-03f, 4.645034902e-03f, -3.206457009e-03f,
    1.704228286e-03f, -3.822131884e-04f, 2.353454443e-04f, -4.011813092e-04f,
    1.647319167e-04f,
};

/* Those of the derivative of x P(X <= x), less 1/2, over x. */
static const float DERIVATIVE[TERMS] = {
    1.264166474e-01f, -6.428214923e-02f, 5.180709424e-02f, -5.097903871e-02f,
    5.670657357e-02f, -6.480226583e-02f, 7.142782646e-02f, -7.417332378e-02f,
    6.751454146e-02f, -5.052101446e-02f, 4.049427829e-02f, -3.977540531e-02f,
    2.326480127e-02f, -1.431913661e-03f, 2.262173218e-03f, -8.334254236e-03f,
    3.691220353e-03f,
};

static inline vec evaluate(const float *terms, vec x)
{
    x = v_min(v_set(LIMIT), v_max(v_set(-LIMIT), x));
    vec w = v_fma(x * x, v_set(2 / (LIMIT * LIMIT)), v_set(-1.0f)), y = v_set(terms[TERMS - 1]);
    for (int i = TERMS - 2; i >= 0; i--)
        y = v_fma(y, w, v_set(terms[i]));
    return v_fma(x, y, v_set(0.5f));
}

/* Calls FUNCTION(i, n) for each vector: n numbers, WIDTH or, for the last one, fewer. */
#define FOR_EACH_VECTOR(FUNCTION)                                                                 \
    _Pragma("omp parallel for num_threads(threads) schedule(static)") for (                       \
        int64_t i = 0; i < size / WIDTH * WIDTH; i += WIDTH) FUNCTION(i, WIDTH);                  \
    if (size % WIDTH)                                                                             \
        FUNCTION(size / WIDTH * WIDTH, (int)(size % WIDTH));                                      \
    return 0

int gelu_forward(const float *x, float *out, int64_t size, int threads)
{
#define FORWARD(i, n)                                                                             \
    do {                                                                                          \
        vec part = v_load_part(x + (i), n);                                                       \
        vec probability = evaluate(PROBABILITY, part);                                            \
        v_store_part(out + (i), v_max(v_set(-LIMIT), part) * probability, n);                     \
    } while (0)
    FOR_EACH_VECTOR(FORWARD);
}

int gelu_backward(const float *x, const float *grad, float *x_grad, int64_t size, int threads)
{
#define BACKWARD(i, n)                                                                            \
    do {                                                                                          \
        vec slope = evaluate(DERIVATIVE, v_load_part(x + (i), n));                                \
        v_store_part(x_grad + (i), slope * v_load_part(grad + (i), n), n);                        \
    } while (0)
    FOR_EACH_VECTOR(BACKWARD);
}
