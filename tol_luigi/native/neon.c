/* The passes with NEON, which every 64-bit ARM processor has. It multiplies numbers of 32 bits, so weights need not be split. */

#include "resampling.h"

#ifdef HAS_NEON_KERNEL

#include <arm_neon.h>
#include <string.h>

static int always(void)
{
    return 1;
}

/* Return the levels of two times four sums. */
static inline uint8x8_t levels(int32x4_t sums, int32x4_t more)
{
    const int16x4_t first = vqmovn_s32(vshrq_n_s32(sums, FRACTION_BITS));
    const int16x4_t last = vqmovn_s32(vshrq_n_s32(more, FRACTION_BITS));
    return vqmovun_s16(vcombine_s16(first, last));
}

/* Return the lower and the upper four of eight bytes as 32-bit numbers. */
static inline int32x4x2_t widened(uint8x8_t bytes)
{
    const uint16x8_t words = vmovl_u8(bytes);
    const int32x4x2_t wide = {{
        vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words))),
        vreinterpretq_s32_u32(vmovl_u16(vget_high_u16(words))),
    }};
    return wide;
}

static void across_pixels_neon(const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter)
{
    const int32_t *weights = filter->weights;
    for (size_t output = 0; output < filter->outputs; output++, weights += filter->taps) {
        const size_t offset = 4 * filter->start[output];
        int32x4_t sums[ROWS];
        for (size_t row = 0; row < ROWS; row++) {
            sums[row] = vdupq_n_s32(HALF);
        }
        for (size_t tap = 0; tap < filter->taps; tap += 4) {
            const int32x4_t four = vld1q_s32(weights + tap);
            for (size_t row = 0; row < ROWS; row++) {
                const uint8x16_t bytes = vld1q_u8(rows[row] + offset + 4 * tap);
                const int32x4x2_t first = widened(vget_low_u8(bytes)), last = widened(vget_high_u8(bytes));
                sums[row] = vmlaq_laneq_s32(sums[row], first.val[0], four, 0);
                sums[row] = vmlaq_laneq_s32(sums[row], first.val[1], four, 1);
                sums[row] = vmlaq_laneq_s32(sums[row], last.val[0], four, 2);
                sums[row] = vmlaq_laneq_s32(sums[row], last.val[1], four, 3);
            }
        }
        for (size_t row = 0; row < ROWS; row += 2) {
            uint8_t bytes[8];
            vst1_u8(bytes, levels(sums[row], sums[row + 1]));
            memcpy(resized[row] + 4 * output, bytes, 4);
            memcpy(resized[row + 1] + 4 * output, bytes + 4, 4);
        }
    }
}

static void across_greys_neon(const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter)
{
    const int32_t *weights = filter->weights;
    for (size_t output = 0; output < filter->outputs; output++, weights += filter->taps) {
        const size_t offset = filter->start[output];
        int32x4_t sums[ROWS];
        for (size_t row = 0; row < ROWS; row++) {
            sums[row] = vdupq_n_s32(0);
        }
        for (size_t tap = 0; tap < filter->taps; tap += 4) {
            const int32x4_t four = vld1q_s32(weights + tap);
            for (size_t row = 0; row < ROWS; row++) {
                uint8_t bytes[8] = {0};
                memcpy(bytes, rows[row] + offset + tap, 4);
                sums[row] = vmlaq_s32(sums[row], widened(vld1_u8(bytes)).val[0], four);
            }
        }
        const int32x4_t pairs = vpaddq_s32(sums[0], sums[1]), others = vpaddq_s32(sums[2], sums[3]);
        const int32x4_t all = vaddq_s32(vpaddq_s32(pairs, others), vdupq_n_s32(HALF));
        uint8_t bytes[8];
        vst1_u8(bytes, levels(all, all));
        for (size_t row = 0; row < ROWS; row++) {
            resized[row][output] = bytes[row];
        }
    }
}

static void down_neon(
    const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output
)
{
    const int32_t *weights = filter->weights + output * filter->taps;
    size_t byte = 0;
    for (; byte + 16 <= bytes; byte += 16) {
        int32x4_t sums[4];
        for (size_t part = 0; part < 4; part++) {
            sums[part] = vdupq_n_s32(HALF);
        }
        for (size_t tap = 0; tap < filter->taps; tap++) {
            const uint8x16_t row = vld1q_u8(rows[tap] + byte);
            const int32x4x2_t first = widened(vget_low_u8(row)), last = widened(vget_high_u8(row));
            sums[0] = vmlaq_n_s32(sums[0], first.val[0], weights[tap]);
            sums[1] = vmlaq_n_s32(sums[1], first.val[1], weights[tap]);
            sums[2] = vmlaq_n_s32(sums[2], last.val[0], weights[tap]);
            sums[3] = vmlaq_n_s32(sums[3], last.val[1], weights[tap]);
        }
        vst1q_u8(resized + byte, vcombine_u8(levels(sums[0], sums[1]), levels(sums[2], sums[3])));
    }
    down_plain_from(byte, rows, resized, bytes, filter, output);
}

const Kernel NEON = {"neon", always, across_pixels_neon, across_greys_neon, down_neon};

#else

/* ISO C forbids an empty file. */
typedef int no_kernel_for_neon;

#endif
