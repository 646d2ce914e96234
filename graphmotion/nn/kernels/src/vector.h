/* Vectors of numbers in single precision, in the registers of AVX-512 or of AVX2, whichever the
 * compiler targets.
 */
#pragma once
#include <immintrin.h>
#include <string.h>

#ifdef __AVX512F__

enum { WIDTH = 16 };
typedef __m512 vec;
#define v_set(x) _mm512_set1_ps(x)
#define v_load(p) _mm512_loadu_ps(p)
#define v_store(p, x) _mm512_storeu_ps(p, x)
#define v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define v_max(a, b) _mm512_max_ps(a, b)
#define v_min(a, b) _mm512_min_ps(a, b)
#define v_sqrt(x) _mm512_sqrt_ps(x)
#define v_low(a, b) _mm512_unpacklo_ps(a, b)
#define v_high(a, b) _mm512_unpackhi_ps(a, b)
#define v_low_pairs(a, b) \
    _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))
#define v_high_pairs(a, b) \
    _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))
#define v_round(x) _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

/* Whether any number is not at most a limit. */
static inline int v_any_above(vec x, vec limit)
{
    return _mm512_cmp_ps_mask(x, limit, _CMP_NLE_UQ) != 0;
}

/* x where valid is not zero, otherwise other. */
static inline vec v_select(vec valid, vec x, vec other)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(valid, v_set(0.0f), _CMP_NEQ_OQ), other, x);
}

/* Joins four numbers from every fourth of the addresses. */
static inline vec v_join(float *const *p, long offset)
{
    vec x = _mm512_castps128_ps512(_mm_loadu_ps(p[0] + offset));
    x = _mm512_insertf32x4(x, _mm_loadu_ps(p[4] + offset), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps(p[8] + offset), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps(p[12] + offset), 3);
}

static inline void v_part(float *const *p, long offset, vec x)
{
    _mm_storeu_ps(p[0] + offset, _mm512_castps512_ps128(x));
    _mm_storeu_ps(p[4] + offset, _mm512_extractf32x4_ps(x, 1));
    _mm_storeu_ps(p[8] + offset, _mm512_extractf32x4_ps(x, 2));
    _mm_storeu_ps(p[12] + offset, _mm512_extractf32x4_ps(x, 3));
}

/* x * 2^n for whole n. */
static inline vec v_scale(vec x, vec n) { return _mm512_scalef_ps(x, n); }

static inline float v_sum(vec x) { return _mm512_reduce_add_ps(x); }

#else

enum { WIDTH = 8 };
typedef __m256 vec;
#define v_set(x) _mm256_set1_ps(x)
#define v_load(p) _mm256_loadu_ps(p)
#define v_store(p, x) _mm256_storeu_ps(p, x)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_max(a, b) _mm256_max_ps(a, b)
#define v_min(a, b) _mm256_min_ps(a, b)
#define v_sqrt(x) _mm256_sqrt_ps(x)
#define v_low(a, b) _mm256_unpacklo_ps(a, b)
#define v_high(a, b) _mm256_unpackhi_ps(a, b)
#define v_low_pairs(a, b) \
    _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))
#define v_high_pairs(a, b) \
    _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))
#define v_round(x) _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

static inline int v_any_above(vec x, vec limit)
{
    return _mm256_movemask_ps(_mm256_cmp_ps(x, limit, _CMP_NLE_UQ)) != 0;
}

static inline vec v_select(vec valid, vec x, vec other)
{
    return _mm256_blendv_ps(other, x, _mm256_cmp_ps(valid, v_set(0.0f), _CMP_NEQ_OQ));
}

static inline vec v_join(float *const *p, long offset)
{
    vec x = _mm256_castps128_ps256(_mm_loadu_ps(p[0] + offset));
    return _mm256_insertf128_ps(x, _mm_loadu_ps(p[4] + offset), 1);
}

static inline void v_part(float *const *p, long offset, vec x)
{
    _mm_storeu_ps(p[0] + offset, _mm256_castps256_ps128(x));
    _mm_storeu_ps(p[4] + offset, _mm256_extractf128_ps(x, 1));
}

/* Numbers below 2^-126 become zero. */
static inline vec v_scale(vec x, vec n)
{
    n = _mm256_min_ps(_mm256_max_ps(n, v_set(-127)), v_set(127));
    __m256i bits = _mm256_cvtps_epi32(_mm256_add_ps(n, v_set(127)));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23)));
}

static inline float v_sum(vec x)
{
    __m128 y = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_add_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_add_ss(y, _mm_movehdup_ps(y)));
}

#endif

/* 2^x with a relative error of 1e-7: a polynomial of the fraction, interpolated at Chebyshev nodes. */
static inline vec v_exp2(vec x)
{
    x = v_max(v_set(-150.0f), x); /* in this order, the result is NaN if x is */
    vec n = v_round(x), f = x - n;
    vec y = v_set(0.000154614447f);
    y = v_fma(y, f, v_set(0.00134004282f));
    y = v_fma(y, f, v_set(0.00961805668f));
    y = v_fma(y, f, v_set(0.0555032723f));
    y = v_fma(y, f, v_set(0.240226509f));
    y = v_fma(y, f, v_set(0.693147207f));
    y = v_fma(y, f, v_set(1.0f));
    return v_scale(y, n);
}

/* Reads and writes n numbers; a constant n = WIDTH costs nothing. */
static inline vec v_load_part(const float *p, int n)
{
    float part[WIDTH] = {0};
    if (n == WIDTH)
        return v_load(p);
    memcpy(part, p, sizeof(float) * n);
    return v_load(part);
}

static inline void v_store_part(float *p, vec x, int n)
{
    float part[WIDTH];
    if (n == WIDTH) {
        v_store(p, x);
        return;
    }
    v_store(part, x);
    memcpy(p, part, sizeof(float) * n);
}
