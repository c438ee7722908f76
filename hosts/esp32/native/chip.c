/*
 * Restart, reset reason and randomness (the native half of modules/board.ts).
 *
 * The chip tells a restart from a power-on, not why somebody restarted it. A word that survives a reset says whether
 * the firmware asked for it: a software reset that nobody asked for is XS or Zephyr giving up on an exception.
 */
#include <zephyr/drivers/hwinfo.h>
#include <zephyr/fatal.h>
#include <zephyr/init.h>
#include <zephyr/random/random.h>
#include <zephyr/sys/reboot.h>

#ifdef CONFIG_BOARD_NATIVE_SIM
#include "posix_board_if.h"

/* The exit codes, as hosts/moddable/exits.h has them. */
#define EXIT_RESTART 10
#define EXIT_EXCEPTION 13
#endif

#include "xsmc.h"
#include "mc.xs.h"

#define RESTART_ASKED 0x51ce2e57u

static uint32_t restart_note __attribute__((section(".rtc_noinit")));

static const char *reason_of(uint32_t cause, uint32_t note)
{
	if (cause & RESET_BROWNOUT)
		return "brownout";
	if (cause & RESET_WATCHDOG)
		return "watchdog";
	if (cause & RESET_CPU_LOCKUP)
		return "exception";
	if (cause & RESET_SOFTWARE)
		return note == RESTART_ASKED ? "software" : "exception";
	if (cause & (RESET_POR | RESET_PIN))
		return "power-on";
	return "unknown";
}

static const char *reset_reason;

/* At every start, asked for or not: firmware that throws before it asks must not leave the note behind. */
static int note_reset_reason(void)
{
	uint32_t cause = 0;

	(void)hwinfo_get_reset_cause(&cause); /* leaves 0, which is "unknown" */
	reset_reason = reason_of(cause, restart_note);
	restart_note = 0;
	return 0;
}

SYS_INIT(note_reset_reason, APPLICATION, 0);

/* () -> a value of `ResetReason` */
void xs_sluice_reset_reason(xsMachine *the)
{
	xsmcSetString(xsResult, (char *)reset_reason);
}

static void reset(uint32_t note) __attribute__((noreturn));

#ifdef CONFIG_BOARD_NATIVE_SIM
/* Zephyr's simulator of a board: the process ends, and who started it runs the bootloader. */
static void reset(uint32_t note)
{
	posix_exit(note == RESTART_ASKED ? EXIT_RESTART : EXIT_EXCEPTION);
}
#else
static void reset(uint32_t note)
{
	restart_note = note;
	sys_reboot(SYS_REBOOT_COLD);
}
#endif

/* (): does not return. `System.restart()` of the SDK never ends on Zephyr. */
void xs_sluice_restart(xsMachine *the)
{
	(void)the;
	reset(RESTART_ASKED);
}

/* (buffer): from the hardware's generator */
void xs_sluice_entropy(xsMachine *the)
{
	xsUnsignedValue length;
	void *buffer;

	xsmcGetBufferWritable(xsArg(0), &buffer, &length);
	if (sys_csrand_get(buffer, length) != 0)
		xsUnknownError("the chip gives no randomness");
}

/* Zephyr would stand still for ever; the bootloader counts a reset. */
void k_sys_fatal_error_handler(unsigned int reason, const struct arch_esf *frame)
{
	(void)reason;
	(void)frame;
	reset(0);
}
