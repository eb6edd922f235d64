/* Resize noise of random sizes with every kernel of this processor, and compare their bytes with those of plain C.

   Every buffer is exactly as large as its image, so that a sanitizer finds each access beyond it.

   compare_kernels [images [seed]] */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resampling.h"

static uint64_t state;

/* Of all bytes, to compare processors. */
static uint64_t checksum = 1;

static uint64_t drawn(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static float fraction(void)
{
    return (float)(drawn() % 10001) / 10000.0F;
}

/* Most sides are short, some long. */
static size_t side(void)
{
    const size_t longest[] = {4, 20, 70, 300, 2000};
    const size_t limit = longest[drawn() % 5];
    return 1 + drawn() % limit;
}

/* Write two edges of a part of something, and return whether they differ. */
static int draw_edges(size_t length, float *begin, float *end)
{
    if (drawn() % 2) {
        *begin = 0;
        *end = (float)length;
    } else {
        const float one = fraction() * (float)length, other = fraction() * (float)length;
        *begin = one < other ? one : other;
        *end = one < other ? other : one;
    }
    return *begin < *end;
}

static uint8_t *noise(size_t bytes)
{
    uint8_t *pixels = malloc(bytes);
    const uint8_t extreme = drawn() % 3 ? 0 : 255;
    for (size_t byte = 0; pixels != NULL && byte < bytes; byte++) {
        const uint8_t level = (uint8_t)(drawn() >> 32);
        pixels[byte] = extreme ? (level & 1 ? 255 : 0) : level;
    }
    return pixels;
}

static int compare(void)
{
    const size_t bands = drawn() % 2 ? 4 : 1;
    const size_t old_width = side(), old_height = side(), width = side(), height = side();
    const size_t bytes = width * height * bands;
    Source source = {NULL, old_width, old_height, bands};
    float box[4];
    int is_equal = 1;
    if (!draw_edges(source.width, &box[0], &box[2]) || !draw_edges(source.height, &box[1], &box[3])) {
        return 1;
    }
    uint8_t *pixels = noise(source.width * source.height * bands), *expected = malloc(bytes);
    source.pixels = pixels;
    if (pixels == NULL || expected == NULL || !resize(&source, box, expected, width, height, KERNELS[0])) {
        is_equal = 0;
    }
    for (size_t byte = 0; is_equal && byte < bytes; byte++) {
        checksum = (checksum ^ expected[byte]) * 1099511628211U;
    }
    for (const Kernel *const *kernel = KERNELS + 1; is_equal && *kernel != NULL; kernel++) {
        if (!(*kernel)->is_supported()) {
            continue;
        }
        uint8_t *resized = malloc(bytes);
        if (resized == NULL || !resize(&source, box, resized, width, height, *kernel) || memcmp(resized, expected, bytes) != 0) {
            printf("%s: %zu x %zu, %zu bytes a pixel, box %g %g %g %g, to %zu x %zu\n", (*kernel)->name, source.width,
                source.height, bands, box[0], box[1], box[2], box[3], width, height);
            is_equal = 0;
        }
        free(resized);
    }
    free(pixels);
    free(expected);
    return is_equal;
}

int main(int count, char **arguments)
{
    const long images = count > 1 ? atol(arguments[1]) : 500;
    state = count > 2 ? (uint64_t)atoll(arguments[2]) * 2 + 1 : 1;
    for (long image = 0; image < images; image++) {
        if (!compare()) {
            return 1;
        }
    }
    printf("%ld images, checksum %016llx, kernels", images, (unsigned long long)checksum);
    for (const Kernel *const *kernel = KERNELS; *kernel != NULL; kernel++) {
        printf(" %s", (*kernel)->is_supported() ? (*kernel)->name : "-");
    }
    printf("\n");
    return 0;
}
