/* The passes with AVX-512. Of the same two halves of a weight as with SSE4.1 and AVX2, one instruction of AVX-512 VNNI multiplies
   and adds: its sums wrap, too. Inputs and outputs beyond the last are masked. */

#include "x86.h"

#ifdef HAS_AVX512_KERNEL

#include <immintrin.h>
#include <string.h>

#define WITH_AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))

#define TAPS 16 /* in one register, of one row: four in each of its four lanes */

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vnni");
}

/* A bit for each of at most `most` numbers. */
static inline uint64_t first_bits(size_t numbers, size_t most)
{
    return numbers >= most ? ~(uint64_t)0 >> (64 - most) : ((uint64_t)1 << numbers) - 1;
}

WITH_AVX512 static inline __m512i whole(__m512i lower, __m512i upper)
{
    return _mm512_add_epi32(lower, _mm512_slli_epi32(upper, 16));
}

WITH_AVX512 static inline __m512i levels_avx512(__m512i sums)
{
    return _mm512_srai_epi32(_mm512_add_epi32(sums, _mm512_set1_epi32(HALF)), FRACTION_BITS);
}

/* Return the levels of 16 sums as bytes. */
WITH_AVX512 static inline __m128i to_bytes(__m512i sums)
{
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(levels_avx512(sums), _mm512_setzero_si512()));
}

/* Return lane by lane the sum of the lanes of each of four registers. */
WITH_AVX512 static inline __m512i sums_of_lanes(const __m512i parts[ROWS])
{
    const __m512i above = _mm512_add_epi32(
        _mm512_shuffle_i32x4(parts[0], parts[1], 0x88), _mm512_shuffle_i32x4(parts[0], parts[1], 0xDD)
    );
    const __m512i below = _mm512_add_epi32(
        _mm512_shuffle_i32x4(parts[2], parts[3], 0x88), _mm512_shuffle_i32x4(parts[2], parts[3], 0xDD)
    );
    return _mm512_add_epi32(_mm512_shuffle_i32x4(above, below, 0x88), _mm512_shuffle_i32x4(above, below, 0xDD));
}

WITH_AVX512 static inline void store_rows(uint8_t *const resized[ROWS], size_t place, __m128i bytes)
{
    int fours[ROWS];
    _mm_storeu_si128((__m128i *)fours, bytes);
    for (size_t row = 0; row < ROWS; row++) {
        memcpy(resized[row] + place, &fours[row], sizeof fours[row]);
    }
}

WITH_AVX512 static void across_pixels_avx512(
    const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter
)
{
    const __m512i first_two = _mm512_broadcast_i32x4(_mm_set_epi8(FIRST_TWO));
    const __m512i last_two = _mm512_broadcast_i32x4(_mm_set_epi8(LAST_TWO));
    const int32_t *halves = filter->halves;
    if (filter->taps < TAPS) {
        AVX2.across_pixels(rows, resized, filter);
        return;
    }
    for (size_t output = 0; output < filter->outputs; output++, halves += filter->taps) {
        const size_t offset = 4 * filter->start[output];
        __m512i lower[ROWS], upper[ROWS], sums[ROWS];
        for (size_t row = 0; row < ROWS; row++) {
            lower[row] = upper[row] = _mm512_setzero_si512();
        }
        for (size_t tap = 0; tap < filter->taps; tap += TAPS) {
            const __mmask16 left = (__mmask16)first_bits(filter->taps - tap, TAPS);
            const __m512i weights = _mm512_maskz_loadu_epi32(left, halves + tap);
            const __m512i low_first = _mm512_shuffle_epi32(weights, 0x00), high_first = _mm512_shuffle_epi32(weights, 0x55);
            const __m512i low_last = _mm512_shuffle_epi32(weights, 0xAA), high_last = _mm512_shuffle_epi32(weights, 0xFF);
            for (size_t row = 0; row < ROWS; row++) {
                const __m512i pixels = _mm512_maskz_loadu_epi32(left, rows[row] + offset + 4 * tap);
                const __m512i first = _mm512_shuffle_epi8(pixels, first_two), last = _mm512_shuffle_epi8(pixels, last_two);
                lower[row] = _mm512_dpwssd_epi32(lower[row], first, low_first);
                upper[row] = _mm512_dpwssd_epi32(upper[row], first, high_first);
                lower[row] = _mm512_dpwssd_epi32(lower[row], last, low_last);
                upper[row] = _mm512_dpwssd_epi32(upper[row], last, high_last);
            }
        }
        for (size_t row = 0; row < ROWS; row++) {
            sums[row] = whole(lower[row], upper[row]);
        }
        store_rows(resized, 4 * output, to_bytes(sums_of_lanes(sums)));
    }
}

WITH_AVX512 static void across_greys_avx512(
    const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter
)
{
    /* Each lane takes four others of 16 greys. */
    const __m128i twice = _mm_set_epi8(GREYS_TWICE);
    const __m512i lanes = _mm512_set_epi32(12, 12, 12, 12, 8, 8, 8, 8, 4, 4, 4, 4, 0, 0, 0, 0);
    const __m512i places = _mm512_add_epi8(_mm512_broadcast_i32x4(twice), _mm512_mullo_epi32(lanes, _mm512_set1_epi32(0x00010001)));
    const __m512i shifts = _mm512_broadcast_i32x4(_mm_set_epi32(16, 0, 16, 0));
    const int32_t *halves = filter->halves;
    if (filter->taps < TAPS) {
        AVX2.across_greys(rows, resized, filter);
        return;
    }
    for (size_t output = 0; output < filter->outputs; output++, halves += filter->taps) {
        const size_t offset = filter->start[output];
        __m512i sums[ROWS]; /* lower, upper, lower, upper in each lane */
        for (size_t row = 0; row < ROWS; row++) {
            sums[row] = _mm512_setzero_si512();
        }
        for (size_t tap = 0; tap < filter->taps; tap += TAPS) {
            const uint64_t left = first_bits(filter->taps - tap, TAPS);
            const __m512i weights = _mm512_maskz_loadu_epi32((__mmask16)left, halves + tap);
            for (size_t row = 0; row < ROWS; row++) {
                const __m128i bytes = _mm512_castsi512_si128(_mm512_maskz_loadu_epi8(left, rows[row] + offset + tap));
                const __m512i greys = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), places);
                sums[row] = _mm512_dpwssd_epi32(sums[row], greys, weights);
            }
        }
        for (size_t row = 0; row < ROWS; row++) {
            sums[row] = _mm512_sllv_epi32(sums[row], shifts);
        }
        const __m512i fours = sums_of_lanes(sums), twos = _mm512_add_epi32(fours, _mm512_shuffle_epi32(fours, 0x4E));
        const __m128i bytes = to_bytes(_mm512_add_epi32(twos, _mm512_shuffle_epi32(twos, 0xB1)));
        uint8_t levels[4 * ROWS];
        _mm_storeu_si128((__m128i *)levels, bytes);
        for (size_t row = 0; row < ROWS; row++) {
            resized[row][output] = levels[4 * row];
        }
    }
}

WITH_AVX512 static void down_avx512(
    const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output
)
{
    const __m512i zero = _mm512_setzero_si512();
    const int32_t *halves = filter->halves + output * filter->taps;
    for (size_t byte = 0; byte < bytes; byte += 64) {
        const __mmask64 left = first_bits(bytes - byte, 64);
        __m512i lower[4] = {zero, zero, zero, zero}, upper[4] = {zero, zero, zero, zero};
        for (size_t tap = 0; tap < filter->taps; tap += 2) {
            const __m512i low = _mm512_set1_epi32(halves[tap]), high = _mm512_set1_epi32(halves[tap + 1]);
            const __m512i one = _mm512_maskz_loadu_epi8(left, rows[tap] + byte);
            const __m512i other = _mm512_maskz_loadu_epi8(left, rows[tap + 1] + byte);
            const __m512i begin = _mm512_unpacklo_epi8(one, other), end = _mm512_unpackhi_epi8(one, other);
            const __m512i pairs[4] = {
                _mm512_unpacklo_epi8(begin, zero),
                _mm512_unpackhi_epi8(begin, zero),
                _mm512_unpacklo_epi8(end, zero),
                _mm512_unpackhi_epi8(end, zero),
            };
            for (size_t part = 0; part < 4; part++) {
                lower[part] = _mm512_dpwssd_epi32(lower[part], pairs[part], low);
                upper[part] = _mm512_dpwssd_epi32(upper[part], pairs[part], high);
            }
        }
        __m512i levels[4];
        for (size_t part = 0; part < 4; part++) {
            levels[part] = levels_avx512(whole(lower[part], upper[part]));
        }
        const __m512i begin = _mm512_packs_epi32(levels[0], levels[1]), end = _mm512_packs_epi32(levels[2], levels[3]);
        _mm512_mask_storeu_epi8(resized + byte, left, _mm512_packus_epi16(begin, end));
    }
}

const Kernel AVX512 = {"avx512", has_avx512, across_pixels_avx512, across_greys_avx512, down_avx512};

#else

/* ISO C forbids an empty file. */
typedef int no_kernel_for_avx512;

#endif
