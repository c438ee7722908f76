/* SPDX-License-Identifier: Apache-2.0 */
#include "flash.h"

#include <string.h>

#include "bootutil/boot_public_hooks.h"
#include "flash_map_backend/flash_map_backend.h"

void sluice_trial_boot_reset(void);

struct faults faults;
uint32_t operations;
jmp_buf power;

static uint8_t memory[2 * SLOT_BYTES + SECTOR_BYTES];
static const struct flash_area areas[] = {
    { PRIMARY, 0, SLOT_BYTES },
    { SECONDARY, SLOT_BYTES, SLOT_BYTES },
    { BOOTCTL, 2 * SLOT_BYTES, SECTOR_BYTES },
};

/* boot_img_magic; above an alignment of 8 the first two bytes hold the alignment. */
static const uint8_t magic_8[16] = { 0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f,
                                     0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80 };
static const uint8_t magic_large[16] = { BOOT_MAX_ALIGN & 0xff,
                                         0,
                                         0x2d,
                                         0xe1,
                                         0x5d,
                                         0x29,
                                         0x41,
                                         0x0b,
                                         0x8d,
                                         0x77,
                                         0x67,
                                         0x9c,
                                         0x11,
                                         0x0f,
                                         0x1f,
                                         0x8a };

static const uint8_t *magic(void)
{
    return BOOT_MAX_ALIGN == 8 ? magic_8 : magic_large;
}

static const struct flash_area *area_of(int id)
{
    return &areas[id == PRIMARY ? 0 : id == SECONDARY ? 1 : 2];
}

uint8_t *bytes_of(enum area area)
{
    return memory + area_of(area)->fa_off;
}

void blank_flash(void)
{
    memset(memory, 0xff, sizeof(memory));
    faults = (struct faults){ .cut_at = NO_CUT };
    operations = 0;
}

int flash_area_open(uint8_t id, const struct flash_area **area)
{
    *area = area_of(id);
    return 0;
}

void flash_area_close(const struct flash_area *area)
{
    (void)area;
}

int flash_area_read(const struct flash_area *area, uint32_t offset, void *into, uint32_t length)
{
    if (offset + length > area->fa_size ||
        (area->fa_id == BOOTCTL && faults.page == PAGE_REFUSES_READS)) {
        return -1;
    }
    memcpy(into, memory + area->fa_off + offset, length);
    return 0;
}

/* The part of an operation that a cut lets through: from, to. */
static void torn_part(uint32_t length, uint32_t *from, uint32_t *to)
{
    *from = faults.tear == TEAR_TAIL ? length / 2 : 0;
    *to = faults.tear == TEAR_HALF ? length / 2 : faults.tear == TEAR_TAIL ? length : 0;
}

int flash_area_write(const struct flash_area *area, uint32_t offset, const void *from,
                     uint32_t length)
{
    const uint8_t *source = from;
    bool cut = operations++ == faults.cut_at;
    uint32_t first = 0;
    uint32_t end = length;

    if (offset % WRITE_BLOCK != 0 || length % WRITE_BLOCK != 0 || offset + length > area->fa_size) {
        return -1;
    }
    if (area->fa_id == BOOTCTL && faults.page == PAGE_REFUSES_WRITES) {
        return -1;
    }
    if (cut) {
        torn_part(length, &first, &end);
    }
    if (area->fa_id != BOOTCTL || faults.page != PAGE_IGNORES_WRITES) {
        for (; first < end; first++) {
            memory[area->fa_off + offset + first] &= source[first];
        }
    }
    if (cut) {
        longjmp(power, 1);
    }
    return 0;
}

int flash_area_erase(const struct flash_area *area, uint32_t offset, uint32_t length)
{
    bool cut = operations++ == faults.cut_at;
    uint32_t first = 0;
    uint32_t end = length;

    if (offset % SECTOR_BYTES != 0 || length != SECTOR_BYTES || offset + length > area->fa_size) {
        return -1;
    }
    if (cut) {
        torn_part(length, &first, &end);
    }
    if (area->fa_id != BOOTCTL || faults.page != PAGE_IGNORES_ERASES) {
        memset(memory + area->fa_off + offset + first, 0xff, end - first);
    }
    if (cut) {
        longjmp(power, 1);
    }
    return 0;
}

uint32_t magic_offset(void)
{
    return SLOT_BYTES - 16;
}
uint32_t image_ok_offset(void)
{
    return SLOT_BYTES - BOOT_MAGIC_ALIGN_SIZE - BOOT_MAX_ALIGN;
}
uint32_t copy_done_offset(void)
{
    return image_ok_offset() - BOOT_MAX_ALIGN;
}
uint32_t swap_info_offset(void)
{
    return copy_done_offset() - BOOT_MAX_ALIGN;
}
uint32_t swap_size_offset(void)
{
    return swap_info_offset() - BOOT_MAX_ALIGN;
}

void put_magic(enum area slot)
{
    memcpy(bytes_of(slot) + magic_offset(), magic(), 16);
}

void put_trial(void)
{
    put_magic(PRIMARY);
    bytes_of(PRIMARY)[swap_info_offset()] = BOOT_SWAP_TYPE_TEST;
    bytes_of(PRIMARY)[copy_done_offset()] = BOOT_FLAG_SET;
}

void put_confirmed(void)
{
    put_trial();
    bytes_of(PRIMARY)[image_ok_offset()] = BOOT_FLAG_SET;
}

void put_request(bool permanent)
{
    put_magic(SECONDARY);
    bytes_of(SECONDARY)[swap_info_offset()] = permanent ? BOOT_SWAP_TYPE_PERM : BOOT_SWAP_TYPE_TEST;
    if (permanent) {
        bytes_of(SECONDARY)[image_ok_offset()] = BOOT_FLAG_SET;
    }
}

void put_revert_start(void)
{
    bytes_of(SECONDARY)[image_ok_offset()] = BOOT_FLAG_SET;
    memcpy(bytes_of(SECONDARY) + swap_size_offset(), &(uint32_t){ 6200 }, 4);
    put_magic(SECONDARY);
}

void put_swap_under_way(uint8_t swap_type)
{
    memset(bytes_of(PRIMARY) + SLOT_BYTES - SECTOR_BYTES, 0xff, SECTOR_BYTES);
    bytes_of(PRIMARY)[swap_info_offset()] = swap_type;
    memcpy(bytes_of(PRIMARY) + swap_size_offset(), &(uint32_t){ 6200 }, 4);
    put_magic(PRIMARY);
}

void put_image(enum area slot, struct image_facts facts)
{
    struct image_header header = { .ih_magic = IMAGE_MAGIC,
                                   .ih_hdr_size = 32,
                                   .ih_protect_tlv_size = facts.has_counter ? 20 : 0,
                                   .ih_img_size = 100,
                                   .ih_ver = { .iv_major = facts.major } };
    /* An unrelated vendor TLV goes before the counter. */
    struct image_tlv_info info = { IMAGE_TLV_PROT_INFO_MAGIC, 20 };
    struct image_tlv vendor = { 0xa0, 4 };
    struct image_tlv counter = { IMAGE_TLV_SEC_CNT, 4 };
    uint8_t *at = bytes_of(slot);

    memcpy(at, &header, sizeof(header));
    if (facts.has_counter) {
        memcpy(at + 132, &info, 4);
        memcpy(at + 136, &vendor, 4);
        memcpy(at + 144, &counter, 4);
        memcpy(at + 148, &facts.counter, 4);
    }
}

const struct image_facts old_image = { .major = 1, .has_counter = true, .counter = 1 };
const struct image_facts new_image = { .major = 2, .has_counter = true, .counter = 2 };
const struct image_facts newer_image = { .major = 3, .has_counter = true, .counter = 2 };

void put_new_image_on_trial(void)
{
    put_image(PRIMARY, new_image);
    put_image(SECONDARY, old_image);
    put_trial();
}

void spend(uint32_t entry)
{
    memset(bytes_of(BOOTCTL) + entry * WRITE_BLOCK, 0, WRITE_BLOCK);
}

static bool is_erased(const uint8_t *bytes, uint32_t length)
{
    while (length > 0 && *bytes == 0xff) {
        bytes++;
        length--;
    }
    return length == 0;
}

static uint8_t flag(const uint8_t *byte)
{
    return *byte == 0xff ? BOOT_FLAG_UNSET : *byte == BOOT_FLAG_SET ? BOOT_FLAG_SET : BOOT_FLAG_BAD;
}

struct boot_swap_state state_of(enum area slot)
{
    const uint8_t *at = bytes_of(slot);
    const uint8_t *seen = at + magic_offset();
    uint8_t type = at[swap_info_offset()] & 0x0f;
    bool no_type = at[swap_info_offset()] == 0xff || type > BOOT_SWAP_TYPE_REVERT;

    return (struct boot_swap_state){
        .magic = is_erased(seen, 16)              ? BOOT_MAGIC_UNSET
                 : memcmp(seen, magic(), 16) == 0 ? BOOT_MAGIC_GOOD
                                                  : BOOT_MAGIC_BAD,
        .swap_type = no_type ? BOOT_SWAP_TYPE_NONE : type,
        .copy_done = flag(at + copy_done_offset()),
        .image_ok = flag(at + image_ok_offset()),
    };
}

int boot_read_swap_state_by_id(int flash_area_id, struct boot_swap_state *state)
{
    *state = state_of((enum area)flash_area_id);
    return 0;
}

uint32_t entries_spent(void)
{
    uint32_t spent = 0;

    for (uint32_t entry = 0; entry < SECTOR_BYTES / WRITE_BLOCK; entry++) {
        spent += !is_erased(bytes_of(BOOTCTL) + entry * WRITE_BLOCK, WRITE_BLOCK);
    }
    return spent;
}

/* MCUboot's boot_swap_type_multi, and before it the swap that the primary trailer records. */
enum action boot(void)
{
    struct boot_swap_state primary = state_of(PRIMARY);
    struct boot_swap_state secondary = state_of(SECONDARY);

    sluice_trial_boot_reset();
    if (primary.magic == BOOT_MAGIC_GOOD && primary.copy_done == BOOT_FLAG_UNSET &&
        secondary.magic != BOOT_MAGIC_GOOD && primary.swap_type != BOOT_SWAP_TYPE_NONE) {
        return primary.swap_type == BOOT_SWAP_TYPE_REVERT ? DO_REVERT : DO_TEST;
    }
    if (boot_read_swap_state_primary_slot_hook(0, &primary) != 0) {
        primary = state_of(PRIMARY);
    }
    secondary = state_of(SECONDARY);
    if (secondary.magic == BOOT_MAGIC_GOOD && secondary.image_ok != BOOT_FLAG_BAD) {
        return secondary.image_ok == BOOT_FLAG_SET ? DO_PERMANENT : DO_TEST;
    }
    return primary.magic == BOOT_MAGIC_GOOD && primary.image_ok == BOOT_FLAG_UNSET &&
                   primary.copy_done == BOOT_FLAG_SET
               ? DO_REVERT
               : DO_NOTHING;
}
