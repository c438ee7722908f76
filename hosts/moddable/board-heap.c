/*
 * The heap of XS as a board lays it out, below a debug build of the firmware for Linux, whose own heap is many pieces
 * that cannot be compacted into one another: chunks in one piece that grows at its end. The runner puts it in the
 * place of the engine's own, whose calls are bound within the library: the beginning of each function becomes a jump.
 * Each growth is told at once, so that no peak lies between two samples, with what chunks take where a pointer has four
 * bytes: half of each head, and half of the slots and pointers in arrays, waiting async functions, maps and sets.
 *
 *   heap: SLOTS slots, BYTES bytes of chunks
 */
#include "board-heap.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "xsAll.h"

/* More than any firmware takes; what is not touched takes no memory. */
#define REGION_BYTES (64 * 1024 * 1024)

static txByte *region;
static txSize used;
static txMachine *machine;

/* The chunk of a slot that is nothing but slots or pointers: of arrays, of async functions that wait, of maps and sets. */
static txByte *slots_in_chunk(txSlot *slot)
{
	switch (slot->kind) {
	case XS_ARRAY_KIND:
		return (txByte *)slot->value.array.address;
	case XS_STACK_KIND:
		return (txByte *)slot->value.stack.address;
	case XS_MAP_KIND:
	case XS_SET_KIND:
		return (txByte *)slot->value.table.address;
	default:
		return NULL;
	}
}

/* What the chunks that are there take more than on a board. */
static txSize excess(txMachine *the)
{
	txBlock *block = the->firstBlock;
	txByte *at = (txByte *)(block + 1);
	txSize bytes = 0;
	txSlot *heap, *slot;

	for (; at < block->current; at = ((txChunk *)at)->temporary)
		bytes += sizeof(txChunk) / 2;
	for (heap = the->firstHeap; heap; heap = heap->next)
		for (slot = heap + 1; slot < heap->value.reference; slot++) {
			txByte *slots = slots_in_chunk(slot);
			if (slots > region && slots < block->current)
				bytes += (txSize)(((txChunk *)slots - 1)->temporary - slots) / 2;
		}
	return bytes;
}

/* Slots grow between two compactions too, when nothing can be said of chunks that was not told before. */
static void tell(txSize slots)
{
	static txSize chunks;
	txMachine *the = machine;

	if (the->maximumHeapCount == slots)
		chunks = used - (txSize)sizeof(txBlock) - excess(the);
	printf("heap: %d slots, %d bytes of chunks\n", (int)slots, (int)chunks);
}

/* `size` has the head of a block in it, also where the block only grows. */
static void *allocate_chunks(txMachine *the, txSize size)
{
	txBlock *block = the->firstBlock;
	txSize grown;

	if (machine && machine != the)
		return malloc(size);
	if (!block) {
		region = mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (region == MAP_FAILED || size > REGION_BYTES)
			return NULL;
		machine = the;
		used = size;
		return region;
	}
	/* What is left at the end of the block is a part of what is asked for. */
	grown = size - (txSize)sizeof(txBlock) - (txSize)(block->limit - block->current);
	if (grown < 0 || used + grown > REGION_BYTES)
		return NULL;
	used += grown;
	/* The engine adds `size` to both. */
	block->limit = region + used - size;
	the->maximumChunksSize += grown - size;
	tell(the->maximumHeapCount);
	return block->limit;
}

static void free_chunks(txMachine *the, void *chunks)
{
	if (chunks != region)
		free(chunks);
}

static txSlot *allocate_slots(txMachine *the, txSize count)
{
	if (the->firstHeap && the == machine) /* else these are the stack, or the first */
		tell(the->maximumHeapCount + count);
	return malloc((size_t)count * sizeof(txSlot));
}

/* Through a register that no argument comes in. */
#if defined(__x86_64__)
static const uint8_t jump[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0}; /* mov rax, ADDRESS; jmp rax */
#define JUMP_ADDRESS 2
#elif defined(__aarch64__)
static const uint8_t jump[] = {0x50, 0, 0, 0x58, 0, 2, 0x1f, 0xd6, 0, 0, 0, 0, 0, 0, 0, 0}; /* ldr x16, 8; br x16 */
#define JUMP_ADDRESS 8
#else
#error "the heap of a board is laid out on x86-64 and arm64"
#endif

static void replace(void *library, const char *name, void *with)
{
	uint8_t *function = dlsym(library, name);
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)function & ~(page_bytes - 1);
	size_t length = (uintptr_t)function + sizeof jump - first;

	if (!function || mprotect((void *)first, length, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		fprintf(stderr, "%s cannot be replaced in this firmware\n", name);
		exit(EXIT_FAILURE);
	}
	memcpy(function, jump, sizeof jump);
	memcpy(function + JUMP_ADDRESS, &with, sizeof with);
	mprotect((void *)first, length, PROT_READ | PROT_EXEC);
	__builtin___clear_cache((char *)function, (char *)function + sizeof jump);
}

void lay_out_as_on_a_board(void *library)
{
	replace(library, "fxAllocateChunks", allocate_chunks);
	replace(library, "fxFreeChunks", free_chunks);
	replace(library, "fxAllocateSlots", allocate_slots);
}
