/* The part of the SDK's xsmc.h that the natives use, as far as a compiler has to know it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct xsMachine xsMachine;
typedef struct { void *data[2]; } xsSlot;
typedef unsigned int xsUnsignedValue;

extern xsSlot *xs_argument(xsMachine *the, int index);
extern xsSlot *xs_result(xsMachine *the);
#define xsArg(index) (*xs_argument(the, index))
#define xsResult (*xs_result(the))

extern int xs_to_integer(xsMachine *the, xsSlot *slot);
extern unsigned xs_to_unsigned(xsMachine *the, xsSlot *slot);
extern char *xs_to_string(xsMachine *the, xsSlot *slot);
extern void xs_set_integer(xsMachine *the, xsSlot *slot, int value);
extern void xs_set_boolean(xsMachine *the, xsSlot *slot, int value);
extern void xs_set_string(xsMachine *the, xsSlot *slot, char *value);
extern void xs_set_buffer(xsMachine *the, xsSlot *slot, void *data, size_t length);
extern void xs_get_buffer(xsMachine *the, xsSlot *slot, void **data, xsUnsignedValue *length);
extern void xs_throw(xsMachine *the, const char *text) __attribute__((noreturn));

#define xsmcToInteger(slot) xs_to_integer(the, &(slot))
#define xsmcToUnsigned(slot) xs_to_unsigned(the, &(slot))
#define xsmcToString(slot) xs_to_string(the, &(slot))
#define xsmcSetInteger(slot, value) xs_set_integer(the, &(slot), value)
#define xsmcSetBoolean(slot, value) xs_set_boolean(the, &(slot), value)
#define xsmcSetString(slot, value) xs_set_string(the, &(slot), value)
#define xsmcSetArrayBuffer(slot, data, length) xs_set_buffer(the, &(slot), data, length)
#define xsmcGetBufferWritable(slot, data, length) xs_get_buffer(the, &(slot), data, length)
#define xsmcGetBufferReadable(slot, data, length) xs_get_buffer(the, &(slot), data, length)
#define xsUnknownError(text) xs_throw(the, text)
#define xsRangeError(text) xs_throw(the, text)
