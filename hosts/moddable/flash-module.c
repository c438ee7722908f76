/* The native half of hosts/esp32/modules/flash.ts: checks of arguments are there, rules of the chip in chip.c. */
#include "xsmc.h"
#include "mc.xs.h"

#include "chip.h"

static xsMachine *machine;

/* Reaches the console and, in a debug build, xsbug. */
void chip_tell(const char *kind, const char *text)
{
	xsMachine *the = machine;

	xsLog("%s%s\n", kind, text);
}

/*
 * Tells and throws what is missing: a process that ended here would do so silently where its console is thrown away,
 * and what is thrown has no text in a release build.
 */
static void open_chip(xsMachine *the)
{
	const char *missing;

	machine = the;
	missing = chip_open();
	if (missing) {
		chip_tell("", missing);
		xsUnknownError("%s", (char *)missing);
	}
}

static struct chip_partition *partition_of(xsMachine *the)
{
	struct chip_partition *partition = chip_at(xsmcToInteger(xsArg(0)));
	if (!partition)
		xsUnknownError("no such partition");
	return partition;
}

/* (label) -> index, or undefined */
void xs_sluice_flash_find(xsMachine *the)
{
	struct chip_partition *partition;

	open_chip(the);
	partition = chip_find(xsmcToString(xsArg(0)));
	if (partition)
		xsmcSetInteger(xsResult, (int)(partition - chip_at(0)));
}

/* (index) -> label, or undefined */
void xs_sluice_flash_label(xsMachine *the)
{
	struct chip_partition *partition;

	open_chip(the);
	partition = chip_at(xsmcToInteger(xsArg(0)));
	if (partition)
		xsmcSetString(xsResult, partition->label);
}

/* (index) -> bytes */
void xs_sluice_flash_size(xsMachine *the)
{
	xsmcSetInteger(xsResult, partition_of(the)->size);
}

/* (index) -> bytes from the start of the chip */
void xs_sluice_flash_offset(xsMachine *the)
{
	xsmcSetInteger(xsResult, partition_of(the)->offset);
}

/* (index, buffer, offset) */
void xs_sluice_flash_read(xsMachine *the)
{
	struct chip_partition *partition = partition_of(the);
	uint32_t offset = xsmcToUnsigned(xsArg(2));
	void *buffer;
	xsUnsignedValue length;

	xsmcGetBufferWritable(xsArg(1), &buffer, &length);
	chip_read(partition, offset, buffer, length);
}

/* (index, buffer, offset) */
void xs_sluice_flash_write(xsMachine *the)
{
	struct chip_partition *partition = partition_of(the);
	uint32_t offset = xsmcToUnsigned(xsArg(2));
	void *buffer;
	xsUnsignedValue length;

	xsmcGetBufferReadable(xsArg(1), &buffer, &length);
	chip_write(partition, offset, buffer, length);
}

/* (index, first sector, end sector) */
void xs_sluice_flash_erase(xsMachine *the)
{
	struct chip_partition *partition = partition_of(the);
	uint32_t end = xsmcToUnsigned(xsArg(2));

	for (uint32_t sector = xsmcToUnsigned(xsArg(1)); sector < end; sector++)
		chip_erase_sector(partition, sector * CHIP_SECTOR_BYTES);
}
