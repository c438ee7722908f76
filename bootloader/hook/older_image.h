/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Sluice authors */

/* Compares two images by security counter and version (struct image_header). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bootutil/image.h"
#include "flash_map_backend/flash_map_backend.h"

/* The security counter TLV, as bootutil_get_img_security_cnt finds it; false without one. */
static inline bool read_security_counter(const struct flash_area *slot,
                                         const struct image_header *header, uint32_t *counter)
{
    struct image_tlv_info info;
    struct image_tlv tlv;
    uint32_t offset;
    uint32_t end;

    if (header->ih_img_size > slot->fa_size) {
        return false;
    }
    offset = header->ih_hdr_size + header->ih_img_size;
    end = offset + header->ih_protect_tlv_size;
    if (flash_area_read(slot, offset, &info, sizeof(info)) != 0 ||
        info.it_magic != IMAGE_TLV_PROT_INFO_MAGIC) {
        return false;
    }
    for (offset += sizeof(info); offset + sizeof(tlv) + sizeof(*counter) <= end;
         offset += sizeof(tlv) + tlv.it_len) {
        if (flash_area_read(slot, offset, &tlv, sizeof(tlv)) != 0) {
            return false;
        }
        if (tlv.it_type == IMAGE_TLV_SEC_CNT) {
            return tlv.it_len == sizeof(*counter) &&
                   flash_area_read(slot, offset + sizeof(tlv), counter, sizeof(*counter)) == 0;
        }
    }
    return false;
}

static inline bool version_is_lower(const struct image_version *left,
                                    const struct image_version *right)
{
    if (left->iv_major != right->iv_major) {
        return left->iv_major < right->iv_major;
    }
    if (left->iv_minor != right->iv_minor) {
        return left->iv_minor < right->iv_minor;
    }
    if (left->iv_revision != right->iv_revision) {
        return left->iv_revision < right->iv_revision;
    }
    return left->iv_build_num < right->iv_build_num;
}

/* True when downgrade prevention would refuse `offered`, or its version is the lower one. */
static inline bool image_is_older(const struct flash_area *offered,
                                  const struct flash_area *running)
{
    struct image_header new_header;
    struct image_header old_header;
    uint32_t new_counter;
    uint32_t old_counter;

    if (flash_area_read(offered, 0, &new_header, sizeof(new_header)) != 0 ||
        flash_area_read(running, 0, &old_header, sizeof(old_header)) != 0 ||
        new_header.ih_magic != IMAGE_MAGIC || old_header.ih_magic != IMAGE_MAGIC) {
        return false;
    }
    if (read_security_counter(running, &old_header, &old_counter)) {
        if (!read_security_counter(offered, &new_header, &new_counter) ||
            new_counter < old_counter) {
            return true;
        }
        if (new_counter > old_counter) {
            return false;
        }
    }
    return version_is_lower(&new_header.ih_ver, &old_header.ih_ver);
}
