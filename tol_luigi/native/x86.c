/* The passes with SSE4.1 and AVX2. A weight has 23 bits, and `madd` multiplies 16: so each is split into two halves, whose
   sums are kept apart and put together at the end. Sums that overflow wrap, so the result is exact. */

#include "x86.h"

#ifdef HAS_X86_KERNELS

#include <immintrin.h>
#include <string.h>

#define WITH_SSE41 __attribute__((target("sse4.1")))
#define WITH_AVX2 __attribute__((target("avx2")))

static int has_sse41(void)
{
    return __builtin_cpu_supports("sse4.1") != 0;
}

static int has_avx2(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

WITH_SSE41 static inline __m128i levels_sse41(__m128i lower, __m128i upper)
{
    const __m128i sum = _mm_add_epi32(_mm_add_epi32(lower, _mm_slli_epi32(upper, 16)), _mm_set1_epi32(HALF));
    return _mm_srai_epi32(sum, FRACTION_BITS);
}

WITH_AVX2 static inline __m256i levels_avx2(__m256i lower, __m256i upper)
{
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(lower, _mm256_slli_epi32(upper, 16)), _mm256_set1_epi32(HALF));
    return _mm256_srai_epi32(sum, FRACTION_BITS);
}

WITH_SSE41 static inline void store_four(uint8_t *place, int bytes)
{
    memcpy(place, &bytes, sizeof bytes);
}

WITH_SSE41 static void across_pixels_sse41(
    const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter
)
{
    const __m128i first_two = _mm_set_epi8(FIRST_TWO), last_two = _mm_set_epi8(LAST_TWO);
    const int32_t *halves = filter->halves;
    for (size_t output = 0; output < filter->outputs; output++, halves += filter->taps) {
        const size_t offset = 4 * filter->start[output];
        __m128i lower[ROWS], upper[ROWS];
        for (size_t row = 0; row < ROWS; row++) {
            lower[row] = upper[row] = _mm_setzero_si128();
        }
        for (size_t tap = 0; tap < filter->taps; tap += 4) {
            const __m128i weights = _mm_loadu_si128((const __m128i *)(halves + tap));
            const __m128i low_first = _mm_shuffle_epi32(weights, 0x00), high_first = _mm_shuffle_epi32(weights, 0x55);
            const __m128i low_last = _mm_shuffle_epi32(weights, 0xAA), high_last = _mm_shuffle_epi32(weights, 0xFF);
            for (size_t row = 0; row < ROWS; row++) {
                const __m128i four = _mm_loadu_si128((const __m128i *)(rows[row] + offset + 4 * tap));
                const __m128i first = _mm_shuffle_epi8(four, first_two), last = _mm_shuffle_epi8(four, last_two);
                lower[row] = _mm_add_epi32(lower[row], _mm_madd_epi16(first, low_first));
                upper[row] = _mm_add_epi32(upper[row], _mm_madd_epi16(first, high_first));
                lower[row] = _mm_add_epi32(lower[row], _mm_madd_epi16(last, low_last));
                upper[row] = _mm_add_epi32(upper[row], _mm_madd_epi16(last, high_last));
            }
        }
        const __m128i upper_rows = _mm_packs_epi32(levels_sse41(lower[0], upper[0]), levels_sse41(lower[1], upper[1]));
        const __m128i lower_rows = _mm_packs_epi32(levels_sse41(lower[2], upper[2]), levels_sse41(lower[3], upper[3]));
        const __m128i bytes = _mm_packus_epi16(upper_rows, lower_rows);
        store_four(resized[0] + 4 * output, _mm_extract_epi32(bytes, 0));
        store_four(resized[1] + 4 * output, _mm_extract_epi32(bytes, 1));
        store_four(resized[2] + 4 * output, _mm_extract_epi32(bytes, 2));
        store_four(resized[3] + 4 * output, _mm_extract_epi32(bytes, 3));
    }
}

WITH_SSE41 static void across_greys_sse41(
    const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter
)
{
    const __m128i twice = _mm_set_epi8(GREYS_TWICE);
    const int32_t *halves = filter->halves;
    for (size_t output = 0; output < filter->outputs; output++, halves += filter->taps) {
        const size_t offset = filter->start[output];
        __m128i sums[ROWS]; /* lower, upper, lower, upper */
        for (size_t row = 0; row < ROWS; row++) {
            sums[row] = _mm_setzero_si128();
        }
        for (size_t tap = 0; tap < filter->taps; tap += 4) {
            const __m128i weights = _mm_loadu_si128((const __m128i *)(halves + tap));
            for (size_t row = 0; row < ROWS; row++) {
                int four;
                memcpy(&four, rows[row] + offset + tap, sizeof four);
                const __m128i greys = _mm_shuffle_epi8(_mm_cvtsi32_si128(four), twice);
                sums[row] = _mm_add_epi32(sums[row], _mm_madd_epi16(greys, weights));
            }
        }
        const __m128i above = _mm_unpacklo_epi32(sums[0], sums[1]), above_rest = _mm_unpackhi_epi32(sums[0], sums[1]);
        const __m128i below = _mm_unpacklo_epi32(sums[2], sums[3]), below_rest = _mm_unpackhi_epi32(sums[2], sums[3]);
        const __m128i first = _mm_add_epi32(above, above_rest), last = _mm_add_epi32(below, below_rest);
        const __m128i levels = levels_sse41(_mm_unpacklo_epi64(first, last), _mm_unpackhi_epi64(first, last));
        const int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(_mm_packs_epi32(levels, levels), levels));
        for (size_t row = 0; row < ROWS; row++) {
            resized[row][output] = (uint8_t)((unsigned)bytes >> (8 * row));
        }
    }
}

WITH_SSE41 static inline void down_16_sse41(
    const uint8_t *const *rows, uint8_t *resized, size_t byte, const int32_t *halves, size_t taps
)
{
    const __m128i zero = _mm_setzero_si128();
    __m128i lower[4] = {zero, zero, zero, zero}, upper[4] = {zero, zero, zero, zero};
    for (size_t tap = 0; tap < taps; tap += 2) {
        const __m128i low = _mm_set1_epi32(halves[tap]), high = _mm_set1_epi32(halves[tap + 1]);
        const __m128i one = _mm_loadu_si128((const __m128i *)(rows[tap] + byte));
        const __m128i other = _mm_loadu_si128((const __m128i *)(rows[tap + 1] + byte));
        const __m128i begin = _mm_unpacklo_epi8(one, other), end = _mm_unpackhi_epi8(one, other);
        const __m128i pairs[4] = {
            _mm_unpacklo_epi8(begin, zero),
            _mm_unpackhi_epi8(begin, zero),
            _mm_unpacklo_epi8(end, zero),
            _mm_unpackhi_epi8(end, zero),
        };
        for (size_t part = 0; part < 4; part++) {
            lower[part] = _mm_add_epi32(lower[part], _mm_madd_epi16(pairs[part], low));
            upper[part] = _mm_add_epi32(upper[part], _mm_madd_epi16(pairs[part], high));
        }
    }
    const __m128i begin = _mm_packs_epi32(levels_sse41(lower[0], upper[0]), levels_sse41(lower[1], upper[1]));
    const __m128i end = _mm_packs_epi32(levels_sse41(lower[2], upper[2]), levels_sse41(lower[3], upper[3]));
    _mm_storeu_si128((__m128i *)(resized + byte), _mm_packus_epi16(begin, end));
}

WITH_SSE41 static void down_sse41(
    const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output
)
{
    const int32_t *halves = filter->halves + output * filter->taps;
    size_t byte = 0;
    for (; byte + 16 <= bytes; byte += 16) {
        down_16_sse41(rows, resized, byte, halves, filter->taps);
    }
    down_plain_from(byte, rows, resized, bytes, filter, output);
}

WITH_AVX2 static inline __m256i two_rows(const uint8_t *one, const uint8_t *other)
{
    const __m256i low = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)one));
    return _mm256_inserti128_si256(low, _mm_loadu_si128((const __m128i *)other), 1);
}

WITH_AVX2 static void across_pixels_avx2(
    const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter
)
{
    const __m256i first_two = _mm256_set_epi8(FIRST_TWO, FIRST_TWO), last_two = _mm256_set_epi8(LAST_TWO, LAST_TWO);
    const int32_t *halves = filter->halves;
    for (size_t output = 0; output < filter->outputs; output++, halves += filter->taps) {
        const size_t offset = 4 * filter->start[output];
        __m256i lower[2], upper[2]; /* of the rows 0 and 2, 1 and 3 */
        lower[0] = lower[1] = upper[0] = upper[1] = _mm256_setzero_si256();
        for (size_t tap = 0; tap < filter->taps; tap += 4) {
            const __m256i low_first = _mm256_set1_epi32(halves[tap]), high_first = _mm256_set1_epi32(halves[tap + 1]);
            const __m256i low_last = _mm256_set1_epi32(halves[tap + 2]), high_last = _mm256_set1_epi32(halves[tap + 3]);
            for (size_t row = 0; row < 2; row++) {
                const size_t place = offset + 4 * tap;
                const __m256i four = two_rows(rows[row] + place, rows[row + 2] + place);
                const __m256i first = _mm256_shuffle_epi8(four, first_two), last = _mm256_shuffle_epi8(four, last_two);
                lower[row] = _mm256_add_epi32(lower[row], _mm256_madd_epi16(first, low_first));
                upper[row] = _mm256_add_epi32(upper[row], _mm256_madd_epi16(first, high_first));
                lower[row] = _mm256_add_epi32(lower[row], _mm256_madd_epi16(last, low_last));
                upper[row] = _mm256_add_epi32(upper[row], _mm256_madd_epi16(last, high_last));
            }
        }
        const __m256i pairs = _mm256_packs_epi32(levels_avx2(lower[0], upper[0]), levels_avx2(lower[1], upper[1]));
        const __m256i bytes = _mm256_packus_epi16(pairs, pairs);
        store_four(resized[0] + 4 * output, _mm256_extract_epi32(bytes, 0));
        store_four(resized[1] + 4 * output, _mm256_extract_epi32(bytes, 1));
        store_four(resized[2] + 4 * output, _mm256_extract_epi32(bytes, 4));
        store_four(resized[3] + 4 * output, _mm256_extract_epi32(bytes, 5));
    }
}

WITH_AVX2 static inline void down_32_avx2(
    const uint8_t *const *rows, uint8_t *resized, size_t byte, const int32_t *halves, size_t taps
)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i lower[4] = {zero, zero, zero, zero}, upper[4] = {zero, zero, zero, zero};
    for (size_t tap = 0; tap < taps; tap += 2) {
        const __m256i low = _mm256_set1_epi32(halves[tap]), high = _mm256_set1_epi32(halves[tap + 1]);
        const __m256i one = _mm256_loadu_si256((const __m256i *)(rows[tap] + byte));
        const __m256i other = _mm256_loadu_si256((const __m256i *)(rows[tap + 1] + byte));
        const __m256i begin = _mm256_unpacklo_epi8(one, other), end = _mm256_unpackhi_epi8(one, other);
        const __m256i pairs[4] = {
            _mm256_unpacklo_epi8(begin, zero),
            _mm256_unpackhi_epi8(begin, zero),
            _mm256_unpacklo_epi8(end, zero),
            _mm256_unpackhi_epi8(end, zero),
        };
        for (size_t part = 0; part < 4; part++) {
            lower[part] = _mm256_add_epi32(lower[part], _mm256_madd_epi16(pairs[part], low));
            upper[part] = _mm256_add_epi32(upper[part], _mm256_madd_epi16(pairs[part], high));
        }
    }
    const __m256i begin = _mm256_packs_epi32(levels_avx2(lower[0], upper[0]), levels_avx2(lower[1], upper[1]));
    const __m256i end = _mm256_packs_epi32(levels_avx2(lower[2], upper[2]), levels_avx2(lower[3], upper[3]));
    _mm256_storeu_si256((__m256i *)(resized + byte), _mm256_packus_epi16(begin, end));
}

WITH_AVX2 static void down_avx2(
    const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output
)
{
    const int32_t *halves = filter->halves + output * filter->taps;
    size_t byte = 0;
    for (; byte + 32 <= bytes; byte += 32) {
        down_32_avx2(rows, resized, byte, halves, filter->taps);
    }
    down_plain_from(byte, rows, resized, bytes, filter, output);
}

const Kernel SSE41 = {"sse4.1", has_sse41, across_pixels_sse41, across_greys_sse41, down_sse41};
const Kernel AVX2 = {"avx2", has_avx2, across_pixels_avx2, across_greys_sse41, down_avx2};

#else

/* ISO C forbids an empty file. */
typedef int no_kernels_for_x86;

#endif
