#pragma once
#include <zephyr/kernel.h>
#include <zephyr/sys/mem_stats.h>
extern int sys_heap_runtime_stats_get(struct sys_heap *heap, struct sys_memory_stats *stats);
