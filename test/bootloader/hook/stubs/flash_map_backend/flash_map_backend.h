/* SPDX-License-Identifier: Apache-2.0 */
/* The part of MCUboot's flash interface that the hook uses, over memory (../../flash.c). */
#pragma once
#include <stdint.h>

struct flash_area {
    uint8_t fa_id;
    uint32_t fa_off;
    uint32_t fa_size;
};

int flash_area_open(uint8_t id, const struct flash_area **area);
void flash_area_close(const struct flash_area *area);
int flash_area_read(const struct flash_area *area, uint32_t offset, void *into, uint32_t length);
int flash_area_write(const struct flash_area *area, uint32_t offset, const void *from,
                     uint32_t length);
int flash_area_erase(const struct flash_area *area, uint32_t offset, uint32_t length);
