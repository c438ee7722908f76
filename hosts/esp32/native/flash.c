/*
 * embedded:storage/flash on the chip (the native half of modules/flash.ts): the partitions that firmware may touch.
 *
 * The SDK's own module checks no alignment, logs every write and does not see the partitions of newer tables. On these
 * chips a write has to start and end on whole words, and comes from RAM only: whatever the caller holds is copied
 * through an aligned buffer first. A range outside of its partition is refused before anything happens.
 */
#include <errno.h>
#include <string.h>

#include <zephyr/storage/flash_map.h>

#include "xsmc.h"
#include "mc.xs.h"

/* The firmware stages and asks for images as this mode wants them; at run time it holds the bootloader's record against it. */
#if !defined(CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_MOVE) && !defined(CONFIG_BOARD_NATIVE_SIM)
#error "build the application for MCUboot with swap using move: CONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_MOVE=y"
#endif

#define SECTOR_BYTES 4096u
#define WRITE_BLOCK_BYTES 4u
#define PIECE_BYTES 256u /* a page of the flash chip */

struct partition {
	const char *label;
	uint8_t id;
};

#define PARTITION(node) {DT_PROP(DT_NODELABEL(node), label), FIXED_PARTITION_ID(node)}

/* The bootloader's own partition comes last: it is read for what it says of itself, and nothing on the device writes it. */
static const struct partition partitions[] = {
	PARTITION(slot0_partition),
	PARTITION(slot1_partition),
	PARTITION(storage_partition),
	PARTITION(bootctl_partition),
	PARTITION(boot_partition),
};

#define READ_ONLY_INDEX ((int)ARRAY_SIZE(partitions) - 1)

static const struct flash_area *area_of(xsMachine *the)
{
	int index = xsmcToInteger(xsArg(0));
	const struct flash_area *area;

	if (index < 0 || index >= (int)ARRAY_SIZE(partitions) ||
	    flash_area_open(partitions[index].id, &area) != 0)
		xsUnknownError("no such partition");
	return area;
}

static const struct flash_area *writable_area_of(xsMachine *the)
{
	if (xsmcToInteger(xsArg(0)) == READ_ONLY_INDEX)
		xsUnknownError("the bootloader is never written");
	return area_of(the);
}

static void check_range(xsMachine *the, const struct flash_area *area, uint32_t offset, uint32_t length)
{
	if (offset > area->fa_size || length > area->fa_size - offset)
		xsRangeError("outside of the partition");
}

/* (label) -> index, or undefined */
void xs_sluice_flash_find(xsMachine *the)
{
	const char *label = xsmcToString(xsArg(0));

	for (size_t index = 0; index < ARRAY_SIZE(partitions); index++)
		if (strcmp(partitions[index].label, label) == 0)
			xsmcSetInteger(xsResult, (int)index);
}

/* (index) -> label, or undefined */
void xs_sluice_flash_label(xsMachine *the)
{
	int index = xsmcToInteger(xsArg(0));

	if (index >= 0 && index < (int)ARRAY_SIZE(partitions))
		xsmcSetString(xsResult, (char *)partitions[index].label);
}

/* (index) -> bytes */
void xs_sluice_flash_size(xsMachine *the)
{
	xsmcSetInteger(xsResult, (int)area_of(the)->fa_size);
}

/* (index) -> where it starts on the chip */
void xs_sluice_flash_offset(xsMachine *the)
{
	xsmcSetInteger(xsResult, (int)area_of(the)->fa_off);
}

/* (index, buffer, offset) */
void xs_sluice_flash_read(xsMachine *the)
{
	const struct flash_area *area = area_of(the);
	uint32_t offset = xsmcToUnsigned(xsArg(2));
	xsUnsignedValue length;
	void *buffer;

	xsmcGetBufferWritable(xsArg(1), &buffer, &length);
	check_range(the, area, offset, length);
	if (length > 0 && flash_area_read(area, offset, buffer, length) != 0)
		xsUnknownError("the flash cannot be read");
}

/* (index, buffer, offset): both of whole words */
void xs_sluice_flash_write(xsMachine *the)
{
	const struct flash_area *area = writable_area_of(the);
	uint32_t offset = xsmcToUnsigned(xsArg(2));
	uint32_t piece[PIECE_BYTES / sizeof(uint32_t)];
	xsUnsignedValue length;
	void *buffer;

	xsmcGetBufferReadable(xsArg(1), &buffer, &length);
	check_range(the, area, offset, length);
	if (offset % WRITE_BLOCK_BYTES != 0 || length % WRITE_BLOCK_BYTES != 0)
		xsRangeError("a write starts and ends on 4 bytes");
	for (uint32_t done = 0; done < length;) {
		/* Up to the end of a page of the chip. */
		uint32_t bytes = MIN(length - done, PIECE_BYTES - (offset + done) % PIECE_BYTES);

		memcpy(piece, (const uint8_t *)buffer + done, bytes);
		if (flash_area_write(area, offset + done, piece, bytes) != 0)
			xsUnknownError("the flash cannot be written");
		done += bytes;
	}
}

/* (index, first sector, end sector) */
void xs_sluice_flash_erase(xsMachine *the)
{
	const struct flash_area *area = writable_area_of(the);
	uint32_t first = xsmcToUnsigned(xsArg(1));
	uint32_t end = xsmcToUnsigned(xsArg(2));
	uint32_t sectors = area->fa_size / SECTOR_BYTES;

	if (first > end || end > sectors)
		xsRangeError("outside of the partition");
	for (uint32_t sector = first; sector < end; sector++)
		if (flash_area_erase(area, sector * SECTOR_BYTES, SECTOR_BYTES) != 0)
			xsUnknownError("the flash cannot be erased");
}
