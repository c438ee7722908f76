/*
 * The hardware watchdog. The bootloader started it; Zephyr's driver for these chips stops it while it starts itself, so
 * it is armed again before the first line of JavaScript. From then on only `xs_sluice_watchdog_feed` feeds it, which a
 * timer of the main loop calls: firmware whose loop does not turn is reset, whatever else still runs.
 */
#include <zephyr/device.h>
#include <zephyr/drivers/watchdog.h>
#include <zephyr/init.h>

#include "xsmc.h"
#include "mc.xs.h"

#ifndef MODDEF_SLUICE_WATCHDOGSECONDS
#define MODDEF_SLUICE_WATCHDOGSECONDS 60
#endif

/* Zephyr's simulator of a board has none. */
static const struct device *const watchdog = DEVICE_DT_GET_OR_NULL(DT_ALIAS(watchdog0));
static int channel = -1;

static int arm(void)
{
	const struct wdt_timeout_cfg timeout = {
		/* The driver resets at the second expiry: half of the time until the first. */
		.window = {.min = 0, .max = MODDEF_SLUICE_WATCHDOGSECONDS * 1000u / 2u},
		.flags = WDT_FLAG_RESET_SOC,
	};

	if (watchdog == NULL || !device_is_ready(watchdog))
		return 0; /* an error here would only be printed; the missing feeding is reported below */
	channel = wdt_install_timeout(watchdog, &timeout);
	if (channel >= 0 && wdt_setup(watchdog, 0) != 0)
		channel = -1;
	return 0;
}

SYS_INIT(arm, APPLICATION, 0);

/* () -> whether a watchdog runs */
void xs_sluice_watchdog_feed(xsMachine *the)
{
	if (channel >= 0)
		(void)wdt_feed(watchdog, channel); /* fails only without a watchdog */
	xsmcSetBoolean(xsResult, channel >= 0);
}
