/*
 * What the firmware uses of its memory, now and at the worst moment since the start: XS's slots and chunks, which lie
 * in a block of Zephyr's heap, the rest of that heap, and the stack of XS. All in bytes.
 */
#include <zephyr/kernel.h>
#include <zephyr/sys/mem_stats.h>
#include <zephyr/sys/sys_heap.h>

#include "xsAll.h"
#include "xsmc.h"
#include "mc.xs.h"

/* The sums over all heaps. */
static struct sys_memory_stats heap_stats(void)
{
	struct k_heap *heaps;
	struct sys_memory_stats sum = {0};
	int count = k_heap_array_get(&heaps);

	for (int index = 0; index < count; index++) {
		struct sys_memory_stats stats;

		if (sys_heap_runtime_stats_get(&heaps[index].heap, &stats) != 0)
			continue;
		sum.free_bytes += stats.free_bytes;
		sum.allocated_bytes += stats.allocated_bytes;
		sum.max_allocated_bytes += stats.max_allocated_bytes;
	}
	return sum;
}

/* What slots and chunks can still grow by inside of the block of XS. */
static uint32_t xs_free(xsMachine *the)
{
	uint32_t slots = the->maximumHeapCount - the->currentHeapCount;

	return slots * sizeof(txSlot) + (the->maximumChunksSize - the->currentChunksSize) +
	       (uint32_t)(the->heap_pend - the->heap_ptr);
}

/* The peak of the stack of the thread that asks: the one of XS. */
static uint32_t stack_peak(void)
{
	size_t unused;

	if (k_thread_stack_space_get(k_current_get(), &unused) != 0)
		return 0;
	return k_current_get()->stack_info.size - unused;
}

/* (which): 0 slots, 1 chunks, 2 Zephyr's heap, 3 native stack of XS -> bytes at the worst moment */
void xs_sluice_memory_peak(xsMachine *the)
{
	switch (xsmcToInteger(xsArg(0))) {
	case 0:
		xsmcSetInteger(xsResult, (int)(the->peakHeapCount * sizeof(txSlot)));
		break;
	case 1:
		xsmcSetInteger(xsResult, (int)the->peakChunksSize);
		break;
	case 2:
		xsmcSetInteger(xsResult, (int)heap_stats().max_allocated_bytes);
		break;
	case 3:
		xsmcSetInteger(xsResult, (int)stack_peak());
		break;
	default:
		xsRangeError("no such memory");
	}
}

/*
 * (which): 0 in use, 1 free -> bytes now. In use collects garbage first: XS does that only when it runs out, and until
 * then most of what it holds is nobody's. Free is that of the block of XS or of Zephyr's heap, whichever ends first.
 */
void xs_sluice_memory_now(xsMachine *the)
{
	struct sys_memory_stats heap;

	if (xsmcToInteger(xsArg(0)) == 0) {
		fxCollectGarbage(the);
		heap = heap_stats();
		xsmcSetInteger(xsResult, (int)(heap.allocated_bytes - xs_free(the)));
	} else {
		heap = heap_stats();
		xsmcSetInteger(xsResult, (int)MIN(heap.free_bytes, xs_free(the)));
	}
}
