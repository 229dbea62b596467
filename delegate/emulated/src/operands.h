/* Whether the kernels can compute an operator with these operands. */
#ifndef NANOFLUX_EMULATED_OPERANDS_H_
#define NANOFLUX_EMULATED_OPERANDS_H_

#include "kernel.h"

/* NULL, or what the kernel of c->op cannot do. Only constants have data here:
 * the device asks before it claims, because what it claimed it must compute. */
const char* operands_unfit(const call* c);

#endif
