/* What the device takes of a graph. */
#ifndef NANOFLUX_EMULATED_CLAIM_H_
#define NANOFLUX_EMULATED_CLAIM_H_

#include "kernel.h"
#include "options.h"

/* Fills v from a tensor; its data is NULL where TensorFlow Lite has no memory for
 * it. Returns 0 for tensors that no kernel knows. */
int describe(const TfLiteTensor* t, view* v);

/* NULL when the device takes an operator, else why it leaves it. */
const char* claim_refusal(const rules* r, const TfLiteContext* context, const TfLiteNode* node, const TfLiteRegistration* registration);

/* Keeps, of the operators claimed, those that come in partitions of at least
 * fewest, and of these partitions the most with the most operators; most = 0 is
 * no limit. Only while a delegate prepares a graph. */
TfLiteStatus claim_limit(TfLiteContext* context, TfLiteIntArray* claimed, int most, int fewest);

#endif
