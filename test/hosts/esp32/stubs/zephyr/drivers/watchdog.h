#pragma once
#include <zephyr/device.h>
#include <stdint.h>
#define WDT_FLAG_RESET_SOC 2u
struct wdt_window { uint32_t min; uint32_t max; };
struct wdt_timeout_cfg {
	struct wdt_window window;
	void (*callback)(const struct device *device, int channel);
	uint8_t flags;
};
extern int wdt_install_timeout(const struct device *device, const struct wdt_timeout_cfg *timeout);
extern int wdt_setup(const struct device *device, uint8_t options);
extern int wdt_feed(const struct device *device, int channel);
