/* The fields of the machine that memory.c reads. */
#pragma once
#include <stdint.h>

typedef struct { uint32_t word[4]; } txSlot;
struct xsMachine {
	int32_t peakHeapCount;
	int32_t peakChunksSize;
};
