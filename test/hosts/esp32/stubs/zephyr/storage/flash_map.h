#pragma once
#include <zephyr/kernel.h>
struct flash_area { uint8_t fa_id; long fa_off; size_t fa_size; };
#define DT_NODELABEL(name) name
#define DT_PROP(node, property) #node
#define FIXED_PARTITION_ID(node) 1
extern int flash_area_open(uint8_t id, const struct flash_area **area);
extern int flash_area_read(const struct flash_area *area, long offset, void *into, size_t length);
extern int flash_area_write(const struct flash_area *area, long offset, const void *from, size_t length);
extern int flash_area_erase(const struct flash_area *area, long offset, size_t length);
