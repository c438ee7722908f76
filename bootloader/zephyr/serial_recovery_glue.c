/* SPDX-License-Identifier: Apache-2.0 */
/* Copyright The Sluice authors */

/*
 * What serial recovery on Espressif chips misses at link, seen with MCUboot 2.3.0 on Zephyr 4.3. Weak: a version
 * that brings its own wins.
 */
#include <zephyr/kernel.h>

/* MCUboot's watchdog.c, since 2.3.0. */
void mcuboot_watchdog_feed(void);

/*
 * boot_serial.c sees hal_espressif's mcuboot_config.h and feeds the watchdog of ESP-IDF's bootloader, which is not
 * there. The one that runs is Zephyr's: without this an upload would end in a reset.
 */
void bootloader_wdt_feed(void);

__weak void bootloader_wdt_feed(void)
{
    mcuboot_watchdog_feed();
}

#ifndef CONFIG_MULTITHREADING
/* esp_restart.c locks a scheduler that a bootloader does not have. */
__weak void k_sched_lock(void)
{
}

__weak void k_sched_unlock(void)
{
}
#endif
