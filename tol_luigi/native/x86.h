/* The order of bytes that all passes of x86 give to `pshufb`, in each lane of 16 bytes. */

#ifndef TOL_LUIGI_X86_H
#define TOL_LUIGI_X86_H

#include "resampling.h"

/* Four pixels of four bytes as 16-bit numbers, band by band: the first two pixels, the last two. */
#define FIRST_TWO -1, 7, -1, 3, -1, 6, -1, 2, -1, 5, -1, 1, -1, 4, -1, 0
#define LAST_TWO -1, 15, -1, 11, -1, 14, -1, 10, -1, 13, -1, 9, -1, 12, -1, 8
/* Four greys as 16-bit numbers, each two of them twice: for the lower halves of the weights and for the upper ones. */
#define GREYS_TWICE -1, 3, -1, 2, -1, 3, -1, 2, -1, 1, -1, 0, -1, 1, -1, 0

#endif
