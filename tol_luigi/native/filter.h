#ifndef TOL_LUIGI_FILTER_H
#define TOL_LUIGI_FILTER_H

#include "resampling.h"

/* Compute the weights that make `outputs` pixels of the `inputs` pixels between two edges. Return whether there was enough
   memory; free_filter() must be called in either case. */
int make_filter(Filter *filter, size_t inputs, float left, float right, size_t outputs);

void free_filter(Filter *filter);

#endif
