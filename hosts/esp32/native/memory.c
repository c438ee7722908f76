/*
 * What the firmware has used of its memory since the start: the most that XS's slots and chunks, Zephyr's heap and the
 * stacks ever held. All in bytes.
 */
#include <zephyr/kernel.h>
#include <zephyr/sys/mem_stats.h>
#include <zephyr/sys/sys_heap.h>

#include "xsAll.h"
#include "xsmc.h"
#include "mc.xs.h"

static uint32_t heap_peak(void)
{
	struct k_heap *heaps;
	uint32_t peak = 0;
	int count = k_heap_array_get(&heaps);

	for (int index = 0; index < count; index++) {
		struct sys_memory_stats stats;

		if (sys_heap_runtime_stats_get(&heaps[index].heap, &stats) == 0)
			peak += stats.max_allocated_bytes;
	}
	return peak;
}

/* Of the thread that asks: the one of XS. */
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
		xsmcSetInteger(xsResult, (int)heap_peak());
		break;
	case 3:
		xsmcSetInteger(xsResult, (int)stack_peak());
		break;
	default:
		xsRangeError("no such memory");
	}
}
