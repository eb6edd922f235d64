/* The weights of the bicubic filter, in fixed point. */

#include "filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The reach of the filter, in pixels of the coarser image. */
static const double REACH = 2.0;

/* Keys' cubic convolution with a = -1/2 (Catmull-Rom). The order of the operations determines the last bit. */
static double cubic(double distance)
{
    const double a = -0.5;
    const double x = distance < 0.0 ? -distance : distance;
    if (x < 1.0) {
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    }
    return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

/* Round to the nearest integer, and halves away from zero. */
static int32_t fixed_point(double weight)
{
    const double scaled = weight * (1 << FRACTION_BITS);
    return (int32_t)(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

/* The inputs that an output depends on: those from `begin` to the one before `end`. */
typedef struct {
    double centre;
    size_t begin;
    size_t end;
} Support;

typedef struct {
    double scale;
    double stretch; /* of the filter: 1 unless the image is reduced */
    double reach;
    size_t inputs;
    float left;
} Geometry;

static Support support_of(const Geometry *geometry, size_t output)
{
    const double centre = geometry->left + ((double)output + 0.5) * geometry->scale;
    const double begin = centre - geometry->reach + 0.5, end = centre + geometry->reach + 0.5;
    const Support support = {
        centre,
        begin > 0 ? (size_t)begin : 0,
        end < (double)geometry->inputs ? (size_t)end : geometry->inputs,
    };
    return support;
}

/* Write the weights of one output, and narrow its support to those that are not 0. */
static void weigh(const Geometry *geometry, Support *support, double *exact, int32_t *weights)
{
    const double shrink = 1.0 / geometry->stretch;
    const size_t count = support->end - support->begin;
    double sum = 0.0;
    for (size_t tap = 0; tap < count; tap++) {
        exact[tap] = cubic(((double)(tap + support->begin) - support->centre + 0.5) * shrink);
        sum += exact[tap];
    }
    for (size_t tap = 0; tap < count; tap++) {
        weights[tap] = fixed_point(sum != 0.0 ? exact[tap] / sum : exact[tap]);
    }
    size_t skipped = 0;
    while (skipped + 1 < count && weights[skipped] == 0) {
        skipped++;
    }
    support->begin += skipped;
    while (support->end > support->begin + 1 && weights[support->end - 1 - (support->begin - skipped)] == 0) {
        support->end--;
    }
    memmove(weights, weights + skipped, (support->end - support->begin) * sizeof *weights);
}

static void split(const int32_t *weights, int32_t *halves, size_t count)
{
    for (size_t tap = 0; tap < count; tap += 2) {
        uint32_t lower = 0, upper = 0;
        for (size_t one = 0; one < 2; one++) {
            const int32_t weight = weights[tap + one];
            const int32_t low = (int16_t)(uint16_t)((uint32_t)weight & 0xFFFF);
            const int32_t high = (weight - low) / 65536;
            lower |= ((uint32_t)low & 0xFFFF) << (16 * one);
            upper |= ((uint32_t)high & 0xFFFF) << (16 * one);
        }
        halves[tap] = (int32_t)lower;
        halves[tap + 1] = (int32_t)upper;
    }
}

/* Lay out the weights of all outputs with the same number of taps, none of which is beyond the last input if it can be helped. */
static int lay_out(Filter *filter, const Support *supports, const int32_t *packed, size_t inputs)
{
    size_t most = 1;
    for (size_t output = 0; output < filter->outputs; output++) {
        const size_t count = supports[output].end - supports[output].begin;
        most = count > most ? count : most;
    }
    filter->taps = (most + 3) / 4 * 4;
    filter->weights = calloc(filter->outputs * filter->taps, sizeof *filter->weights);
    filter->halves = calloc(filter->outputs * filter->taps, sizeof *filter->halves);
    if (filter->weights == NULL || filter->halves == NULL) {
        return 0;
    }
    filter->first = inputs;
    filter->end = 0;
    for (size_t output = 0; output < filter->outputs; output++) {
        const size_t begin = supports[output].begin, end = supports[output].end;
        const size_t last_start = inputs > filter->taps ? inputs - filter->taps : 0;
        const size_t start = begin < last_start ? begin : last_start;
        int32_t *weights = filter->weights + output * filter->taps;
        memcpy(weights + (begin - start), packed, (end - begin) * sizeof *packed);
        packed += end - begin;
        split(weights, filter->halves + output * filter->taps, filter->taps);
        filter->start[output] = start;
        filter->first = begin < filter->first ? begin : filter->first;
        filter->end = end > filter->end ? end : filter->end;
    }
    return 1;
}

int make_filter(Filter *filter, size_t inputs, float left, float right, size_t outputs)
{
    memset(filter, 0, sizeof *filter);
    filter->outputs = outputs;
    const double scale = (double)(right - left) / (double)outputs;
    const double stretch = scale < 1.0 ? 1.0 : scale;
    const Geometry geometry = {scale, stretch, REACH * stretch, inputs, left};
    const size_t most = (size_t)ceil(geometry.reach) * 2 + 1;
    Support *supports = malloc(outputs * sizeof *supports);
    double *exact = malloc(most * sizeof *exact);
    int32_t *packed = malloc(outputs * most * sizeof *packed);
    filter->start = malloc(outputs * sizeof *filter->start);
    int is_made = supports != NULL && exact != NULL && packed != NULL && filter->start != NULL;
    if (is_made) {
        int32_t *next = packed;
        for (size_t output = 0; output < outputs; output++) {
            supports[output] = support_of(&geometry, output);
            weigh(&geometry, &supports[output], exact, next);
            next += supports[output].end - supports[output].begin;
        }
        is_made = lay_out(filter, supports, packed, inputs);
    }
    free(supports);
    free(exact);
    free(packed);
    return is_made;
}

void free_filter(Filter *filter)
{
    free(filter->start);
    free(filter->weights);
    free(filter->halves);
}
