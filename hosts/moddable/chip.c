/*
 * NOR flash in a file: sectors are erased to 0xff, writes are whole blocks that only clear bits, everything else ends the
 * run. SLUICE_CUT=LABEL:N:KIND takes the power at operation N (from 0) of one partition: nothing of it (clean), its first
 * half (half) or its second half (tail) reaches the flash, and the process ends.
 */
#include "chip.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exits.h"

#define PARTITIONS_MAX 8

static uint8_t *bytes;
static size_t chip_bytes;
static struct chip_partition partitions[PARTITIONS_MAX];
static unsigned partition_count;

static char cut_label[32];
static uint32_t cut_index;
static char cut_kind[8];
static FILE *operation_log;

#define REFUSAL_BYTES_MAX 256

/* Ends the run. `chip_tell` reaches the debugger too, where somebody sees it whose console is thrown away. */
static void refuse(const char *format, ...)
{
	char text[REFUSAL_BYTES_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	chip_tell("flash rule: ", text);
	fflush(NULL);
	_Exit(SLUICE_EXIT_FLASH_RULE);
}

/* label:offset:size,label:offset:size,... */
static void read_partitions(const char *text)
{
	while (*text) {
		struct chip_partition partition = {0};
		int used = 0;
		if (partition_count == PARTITIONS_MAX)
			refuse("SLUICE_PARTITIONS names more than %d partitions", PARTITIONS_MAX);
		if (sscanf(text, "%31[^:]:%u:%u%n", partition.label, &partition.offset, &partition.size, &used) != 3)
			refuse("SLUICE_PARTITIONS is not label:offset:size,...: %s", text);
		if (partition.offset % CHIP_SECTOR_BYTES || partition.size % CHIP_SECTOR_BYTES
		    || (uint64_t)partition.offset + partition.size > chip_bytes)
			refuse("%s has %u bytes at %u: not whole sectors inside %zu bytes", partition.label,
			       partition.size, partition.offset, chip_bytes);
		partitions[partition_count++] = partition;
		text += used;
		if (*text == ',')
			text++;
	}
}

const char *chip_open(void)
{
	const char *path = getenv("SLUICE_FLASH");
	const char *layout = getenv("SLUICE_PARTITIONS");
	const char *cut = getenv("SLUICE_CUT");
	const char *log = getenv("SLUICE_FLASH_LOG");
	struct stat status;
	int file;

	if (bytes)
		return NULL;
	if (!path || !layout)
		return "there is no board: SLUICE_FLASH names no file of a flash, or SLUICE_PARTITIONS no layout; "
		       "`sluice moddable run` makes both and starts the application";
	file = open(path, O_RDWR);
	if (file < 0 || fstat(file, &status) != 0)
		return "there is no board: the file that SLUICE_FLASH names cannot be opened";
	chip_bytes = status.st_size;
	bytes = mmap(NULL, chip_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (bytes == MAP_FAILED) {
		bytes = NULL;
		return "there is no board: the file that SLUICE_FLASH names cannot be mapped";
	}
	read_partitions(layout);
	if (cut && sscanf(cut, "%31[^:]:%u:%7s", cut_label, &cut_index, cut_kind) != 3)
		refuse("SLUICE_CUT is not label:operation:kind: %s", cut);
	if (log && !(operation_log = fopen(log, "a")))
		refuse("%s cannot be opened", log);
	return NULL;
}

struct chip_partition *chip_find(const char *label)
{
	for (unsigned index = 0; index < partition_count; index++)
		if (strcmp(partitions[index].label, label) == 0)
			return &partitions[index];
	return NULL;
}

struct chip_partition *chip_at(unsigned index)
{
	return index < partition_count ? &partitions[index] : NULL;
}

static uint8_t *inside(const struct chip_partition *partition, const char *what, uint32_t offset, uint32_t length)
{
	if ((uint64_t)offset + length > partition->size)
		refuse("%s of %u bytes at %u in %s of %u bytes", what, length, offset, partition->label,
		       partition->size);
	return bytes + partition->offset + offset;
}

/* What of an operation still happens: all of it, or the part that a power cut leaves, after which this ends the run. */
static void perform(struct chip_partition *partition, const char *what, uint32_t offset, uint32_t length,
		    const uint8_t *from, uint8_t *to)
{
	uint32_t half = length / 2, start = 0, end = length;
	int cut = partition->operations++ == cut_index && strcmp(cut_label, partition->label) == 0;

	if (operation_log) {
		fprintf(operation_log, "%s %s %u %u\n", partition->label, what, offset, length);
		fflush(operation_log);
	}
	if (cut && strcmp(cut_kind, "clean") == 0)
		end = 0;
	else if (cut && strcmp(cut_kind, "half") == 0)
		end = half;
	else if (cut)
		start = half;
	if (from)
		memcpy(to + start, from + start, end - start);
	else
		memset(to + start, 0xff, end - start);
	if (!cut)
		return;
	printf("power cut: %s of %s, %u bytes at %u, operation %u, %s\n", what, partition->label, length, offset,
	       cut_index, cut_kind);
	fflush(NULL);
	_Exit(SLUICE_EXIT_POWER_CUT);
}

void chip_read(const struct chip_partition *partition, uint32_t offset, void *into, uint32_t length)
{
	memcpy(into, inside(partition, "read", offset, length), length);
}

void chip_write(struct chip_partition *partition, uint32_t offset, const void *from, uint32_t length)
{
	uint8_t *to = inside(partition, "write", offset, length);

	if (offset % CHIP_WRITE_BLOCK_BYTES || length % CHIP_WRITE_BLOCK_BYTES)
		refuse("write of %u bytes at %u in %s: not whole %d-byte blocks", length, offset, partition->label,
		       CHIP_WRITE_BLOCK_BYTES);
	for (uint32_t index = 0; index < length; index++) {
		uint8_t wanted = ((const uint8_t *)from)[index];
		if ((to[index] & wanted) != wanted)
			refuse("write of 0x%02x over 0x%02x at %u in %s needs an erase", wanted, to[index],
			       offset + index, partition->label);
	}
	if (length > 0)
		perform(partition, "write", offset, length, from, to);
}

void chip_erase_sector(struct chip_partition *partition, uint32_t offset)
{
	uint8_t *to = inside(partition, "erase", offset, CHIP_SECTOR_BYTES);

	if (offset % CHIP_SECTOR_BYTES)
		refuse("erase at %u in %s: not the start of a sector", offset, partition->label);
	perform(partition, "erase", offset, CHIP_SECTOR_BYTES, NULL, to);
}
