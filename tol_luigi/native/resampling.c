/* Two passes over an image: the width of each row that the result needs, then the height; or the height first. */

#include "resampling.h"

#include <stdlib.h>
#include <string.h>

#include "filter.h"

const Kernel *const KERNELS[] = {
    &PLAIN,
#ifdef HAS_X86_KERNELS
    &SSE41,
    &AVX2,
#endif
#ifdef HAS_AVX512_KERNEL
    &AVX512,
#endif
#ifdef HAS_NEON_KERNEL
    &NEON,
#endif
    NULL,
};

/* Resize the width of rows; with fewer inputs than taps, these come from a copy with more inputs. */
static int resize_width(
    const Source *source, size_t top, size_t rows, uint8_t *resized, const Filter *filter, const Kernel *kernel
)
{
    const size_t stride = source->width * source->bands, made = filter->outputs * source->bands;
    const size_t copied = filter->taps > source->width ? filter->taps * source->bands : 0;
    const Across across = source->bands == 4 ? kernel->across_pixels : kernel->across_greys;
    uint8_t *copies = copied ? calloc(ROWS, copied) : NULL;
    if (copied && copies == NULL) {
        return 0;
    }
    for (size_t row = 0; row < rows; row += ROWS) {
        const uint8_t *from[ROWS];
        uint8_t *to[ROWS];
        for (size_t one = 0; one < ROWS; one++) {
            /* The last row is made again instead of those beyond it. */
            const size_t here = row + one < rows ? row + one : rows - 1;
            from[one] = source->pixels + (top + here) * stride;
            to[one] = resized + here * made;
            if (copied) {
                from[one] = memcpy(copies + one * copied, from[one], stride);
            }
        }
        across(from, to, filter);
    }
    free(copies);
    return 1;
}

/* Resize the height of an image of which only the rows from `first` on are stored. */
static int resize_height(
    const uint8_t *pixels, size_t bytes, size_t first, uint8_t *resized, const Filter *filter, const Kernel *kernel
)
{
    const uint8_t **rows = malloc(filter->taps * sizeof *rows);
    if (rows == NULL) {
        return 0;
    }
    for (size_t output = 0; output < filter->outputs; output++) {
        for (size_t tap = 0; tap < filter->taps; tap++) {
            /* Where there is no row, the weight is 0 and any row will do. */
            size_t row = filter->start[output] + tap;
            row = row < first ? first : row < filter->end ? row : filter->end - 1;
            rows[tap] = pixels + (row - first) * bytes;
        }
        kernel->down(rows, resized + output * bytes, bytes, filter, output);
    }
    free(rows);
    return 1;
}

static int resize_width_first(
    const Source *source, uint8_t *resized, const Filter *across, const Filter *down, const Kernel *kernel
)
{
    const size_t bytes = across->outputs * source->bands, rows = down->end - down->first;
    uint8_t *narrow = malloc(rows * bytes);
    const int is_resized = narrow != NULL
        && resize_width(source, down->first, rows, narrow, across, kernel)
        && resize_height(narrow, bytes, down->first, resized, down, kernel);
    free(narrow);
    return is_resized;
}

static int resize_height_first(
    const Source *source, uint8_t *resized, const Filter *across, const Filter *down, const Kernel *kernel
)
{
    const size_t bytes = source->width * source->bands;
    uint8_t *low = malloc(down->outputs * bytes);
    const Source flat = {low, source->width, down->outputs, source->bands};
    const int is_resized = low != NULL
        && resize_height(source->pixels, bytes, 0, low, down, kernel)
        && resize_width(&flat, 0, flat.height, resized, across, kernel);
    free(low);
    return is_resized;
}

int resize(const Source *source, const float box[4], uint8_t *resized, size_t width, size_t height, const Kernel *kernel)
{
    const int is_as_wide = width == source->width && box[0] == 0 && box[2] == (float)width;
    const int is_as_high = height == source->height && box[1] == 0 && box[3] == (float)height;
    /* Pillow 13 begins with the height if it removes more than twice as many rows as columns. Each pass rounds, so the order counts. */
    const double fewer_rows = (double)source->height - (double)height;
    const double fewer_columns = (double)source->width - (double)width;
    const int is_height_first = fewer_rows > 0 && fewer_rows > 2 * fewer_columns;
    Filter across, down;
    int is_resized = make_filter(&across, source->width, box[0], box[2], width);
    is_resized = make_filter(&down, source->height, box[1], box[3], height) && is_resized;
    if (is_resized && is_as_wide && is_as_high) {
        memcpy(resized, source->pixels, width * height * source->bands);
    } else if (is_resized && is_as_high) {
        is_resized = resize_width(source, 0, height, resized, &across, kernel);
    } else if (is_resized && is_as_wide) {
        is_resized = resize_height(source->pixels, width * source->bands, 0, resized, &down, kernel);
    } else if (is_resized && is_height_first) {
        is_resized = resize_height_first(source, resized, &across, &down, kernel);
    } else if (is_resized) {
        is_resized = resize_width_first(source, resized, &across, &down, kernel);
    }
    free_filter(&across);
    free_filter(&down);
    return is_resized;
}
