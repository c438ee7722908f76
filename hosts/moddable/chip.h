/* A raw flash file as a NOR chip, shared by the modules that look at it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CHIP_SECTOR_BYTES 4096
#define CHIP_WRITE_BLOCK_BYTES 4

struct chip_partition {
	char label[32];
	uint32_t offset;
	uint32_t size;
	/* Counts the operations of this partition, for the cut. */
	uint32_t operations;
};

/* Maps the file that SLUICE_FLASH names. NULL when it is there, else what is missing. */
const char *chip_open(void);

/* Shows a refusal of the module that uses the chip where the firmware's own words are shown. */
void chip_tell(const char *kind, const char *text);

/* NULL when SLUICE_PARTITIONS does not name it. */
struct chip_partition *chip_find(const char *label);
struct chip_partition *chip_at(unsigned index);

void chip_read(const struct chip_partition *partition, uint32_t offset, void *into, uint32_t length);
void chip_write(struct chip_partition *partition, uint32_t offset, const void *bytes, uint32_t length);
void chip_erase_sector(struct chip_partition *partition, uint32_t offset);
