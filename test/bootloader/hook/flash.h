/* SPDX-License-Identifier: Apache-2.0 */
/* NOR flash in memory with power cuts and faults, and MCUboot's view of the trailers. */
#pragma once
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "bootutil/bootutil_public.h"

enum area { PRIMARY = 1, SECONDARY = 2, BOOTCTL = 7 };
enum tear { TEAR_CLEAN, TEAR_HALF, TEAR_TAIL, TEARS };
enum page_fault {
    PAGE_FINE,
    PAGE_IGNORES_WRITES,
    PAGE_REFUSES_WRITES,
    PAGE_IGNORES_ERASES,
    PAGE_REFUSES_READS
};

#define SLOT_BYTES 16384u
#define SECTOR_BYTES 4096u
#define NO_CUT UINT32_MAX
#if BOOT_MAX_ALIGN > 8
#define WRITE_BLOCK ((uint32_t)BOOT_MAX_ALIGN)
#else
#define WRITE_BLOCK 4u
#endif

/* What MCUboot will do at this boot. */
enum action { DO_NOTHING, DO_TEST, DO_PERMANENT, DO_REVERT };

struct faults {
    uint32_t cut_at; /* number of the flash operation that power interrupts */
    enum tear tear;
    enum page_fault page;
};

extern struct faults faults;
extern uint32_t operations;
extern jmp_buf power;

uint8_t *bytes_of(enum area area);
/* Everything erased, no faults, no operation counted. */
void blank_flash(void);
/* Distance from the start of a slot of each trailer field. */
uint32_t magic_offset(void);
uint32_t image_ok_offset(void);
uint32_t copy_done_offset(void);
uint32_t swap_info_offset(void);
uint32_t swap_size_offset(void);

void put_magic(enum area slot);
void put_trial(void);
void put_confirmed(void);
void put_request(bool permanent);
/* The trailer that MCUboot gives the secondary at the start of a revert. */
void put_revert_start(void);
/* The primary trailer once MCUboot has begun to record a swap of that type in it. */
void put_swap_under_way(uint8_t swap_type);
struct image_facts {
    uint8_t major;
    bool has_counter;
    uint32_t counter;
};
void put_image(enum area slot, struct image_facts facts);
extern const struct image_facts old_image, new_image, newer_image;
/* The new image runs unconfirmed, the old one waits in the secondary slot. */
void put_new_image_on_trial(void);
void spend(uint32_t entry);

struct boot_swap_state state_of(enum area slot);
uint32_t entries_spent(void);
/* One boot: asks the hook and applies MCUboot's decision table. Jumps to `power` on a cut. */
enum action boot(void);

/* The first pair of cuts (cuts.c) that keeps an unconfirmed image, in words; NULL if none. */
const char *cut_that_keeps_an_unconfirmed_image(void);
