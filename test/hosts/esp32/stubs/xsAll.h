/* The fields of the machine that memory.c reads. */
#pragma once
#include <stdint.h>

typedef struct { uint32_t word[4]; } txSlot;
struct xsMachine {
	int32_t currentHeapCount;
	int32_t maximumHeapCount;
	int32_t peakHeapCount;
	int32_t currentChunksSize;
	int32_t maximumChunksSize;
	int32_t peakChunksSize;
	uint8_t *heap_ptr;
	uint8_t *heap_pend;
};
extern void fxCollectGarbage(struct xsMachine *the);
