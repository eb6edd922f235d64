/* Bicubic resizing of 8-bit images in fixed point. docs/performance.md has the figures, core/resampling.py the Python side. */

#ifndef TOL_LUIGI_RESAMPLING_H
#define TOL_LUIGI_RESAMPLING_H

#include <stddef.h>
#include <stdint.h>

/* Weights are integers with this many bits after the point: 8 bits of a pixel, a sign and an overshoot fit beside them. */
#define FRACTION_BITS 22
#define HALF (1 << (FRACTION_BITS - 1))

/* The rows that one call of an `across` function resizes. */
#define ROWS 4

/* The weights of one direction. Each output has `taps` weights, for the inputs from `start` on; those beyond its support are 0. */
typedef struct {
    size_t outputs;
    size_t taps;      /* a multiple of 4 */
    size_t first;     /* the first input that any output needs */
    size_t end;       /* the one after the last */
    size_t *start;
    int32_t *weights;
    /* The same weights for 16-bit multiplication: for each two taps two words, with the lower and the upper halves of both
       weights. A weight is its upper half times 65536 plus its lower half, and both are signed. */
    int32_t *halves;
} Filter;

/* Resize the width of four rows of pixels with 4 bytes or 1 byte. No input outside `start` to `start + taps` is read. */
typedef void (*Across)(const uint8_t *const rows[ROWS], uint8_t *const resized[ROWS], const Filter *filter);

/* Compute one row of `bytes` bytes from `taps` rows. */
typedef void (*Down)(const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output);

/* The same arithmetic in the instructions of one kind of processor. */
typedef struct {
    const char *name;
    int (*is_supported)(void);
    Across across_pixels; /* 4 bytes per pixel */
    Across across_greys;  /* 1 byte per pixel */
    Down down;
} Kernel;

/* From the slowest to the fastest, with NULL at the end. */
extern const Kernel *const KERNELS[];

extern const Kernel PLAIN;
#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86_KERNELS
extern const Kernel SSE41, AVX2;
#if defined(__clang__) || __GNUC__ >= 9
#define HAS_AVX512_KERNEL
extern const Kernel AVX512;
#endif
#elif defined(__aarch64__)
#define HAS_NEON_KERNEL
extern const Kernel NEON;
#endif

/* An image: rows without gaps, of pixels with 1 byte or 4 bytes. */
typedef struct {
    const uint8_t *pixels;
    size_t width;
    size_t height;
    size_t bands;
} Source;

/* Resize the part of an image in `box` (left, top, right, bottom), which is within the image and not empty. Return whether
   there was enough memory. */
int resize(const Source *source, const float box[4], uint8_t *resized, size_t width, size_t height, const Kernel *kernel);

/* Compute the bytes from `begin` on, which other kernels leave. */
void down_plain_from(
    size_t begin, const uint8_t *const *rows, uint8_t *resized, size_t bytes, const Filter *filter, size_t output
);

#endif
