#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))

struct sys_heap { void *init; };
struct k_heap { struct sys_heap heap; };
struct k_thread { struct { uintptr_t start; size_t size; } stack_info; };
typedef struct k_thread *k_tid_t;
typedef void (*k_thread_entry_t)(void *, void *, void *);

extern int k_heap_array_get(struct k_heap **heaps);
extern int k_thread_stack_space_get(const struct k_thread *thread, size_t *unused);
extern k_tid_t k_current_get(void);
extern void k_thread_abort(k_tid_t thread);
extern void k_thread_priority_set(k_tid_t thread, int priority);

#define K_THREAD_DEFINE(name, stack, entry, p1, p2, p3, prio, options, delay) \
	const k_thread_entry_t name = (entry); \
	char name##_stack[stack]
