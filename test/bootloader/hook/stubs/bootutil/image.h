/* SPDX-License-Identifier: Apache-2.0 */
/* MCUboot's image format as far as the hook reads it (struct image_header and its TLVs). */
#pragma once
#include <stdint.h>

#define IMAGE_MAGIC 0x96f3b83d
#define IMAGE_TLV_PROT_INFO_MAGIC 0x6908
#define IMAGE_TLV_SEC_CNT 0x50

struct image_version {
    uint8_t iv_major;
    uint8_t iv_minor;
    uint16_t iv_revision;
    uint32_t iv_build_num;
};

struct image_header {
    uint32_t ih_magic;
    uint32_t ih_load_addr;
    uint16_t ih_hdr_size;
    uint16_t ih_protect_tlv_size;
    uint32_t ih_img_size;
    uint32_t ih_flags;
    struct image_version ih_ver;
    uint32_t _pad1;
};

struct image_tlv_info {
    uint16_t it_magic;
    uint16_t it_tlv_tot;
};

struct image_tlv {
    uint16_t it_type;
    uint16_t it_len;
};
