/* The passes in plain C: the reference of all others, for processors without any of their instructions. */

#include "resampling.h"

static uint8_t to_byte(int32_t sum)
{
    const int32_t level = sum >> FRACTION_BITS;
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

static void across_pixels_plain(const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter)
{
    for (size_t row = 0; row < ROWS; row++) {
        const int32_t *weights = filter->weights;
        for (size_t output = 0; output < filter->outputs; output++, weights += filter->taps) {
            const uint8_t *pixel = rows[row] + 4 * filter->start[output];
            int32_t sums[4] = {HALF, HALF, HALF, HALF};
            for (size_t tap = 0; tap < filter->taps; tap++, pixel += 4) {
                for (size_t band = 0; band < 4; band++) {
                    sums[band] += pixel[band] * weights[tap];
                }
            }
            for (size_t band = 0; band < 4; band++) {
                resized[row][4 * output + band] = to_byte(sums[band]);
            }
        }
    }
}

static void across_greys_plain(const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter)
{
    for (size_t row = 0; row < ROWS; row++) {
        const int32_t *weights = filter->weights;
        for (size_t output = 0; output < filter->outputs; output++, weights += filter->taps) {
            const uint8_t *grey = rows[row] + filter->start[output];
            int32_t sum = HALF;
            for (size_t tap = 0; tap < filter->taps; tap++) {
                sum += grey[tap] * weights[tap];
            }
            resized[row][output] = to_byte(sum);
        }
    }
}

void down_plain_from(
    size_t begin, const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output
)
{
    const int32_t *weights = filter->weights + output * filter->taps;
    for (size_t byte = begin; byte < bytes; byte++) {
        int32_t sum = HALF;
        for (size_t tap = 0; tap < filter->taps; tap++) {
            sum += rows[tap][byte] * weights[tap];
        }
        resized[byte] = to_byte(sum);
    }
}

static void down_plain(
    const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output
)
{
    down_plain_from(0, rows, resized, bytes, filter, output);
}

static int always(void)
{
    return 1;
}

const Kernel PLAIN = {"plain", always, across_pixels_plain, across_greys_plain, down_plain};
