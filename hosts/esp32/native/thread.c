/*
 * The thread of XS, with a stack that is large enough. The SDK fixes 4,096 bytes, which the first request over HTTP
 * exceeds: what lies below is overwritten. This thread comes before the SDK's, ends it before its first instruction and
 * does the same in its place. In a debug build the SDK's own stays, because the debugger hangs on it.
 */
#include <zephyr/kernel.h>

#include "xsmc.h"
#include "xsHost.h"
#include "xsHosts.h"

#ifndef mxDebug

#define STACK_BYTES 12288
#define PRIORITY_OF_SDK 3

extern const k_tid_t main_thread;
extern xsMachine *gThe;

static void run(void *first, void *second, void *third)
{
	(void)first;
	(void)second;
	(void)third;
	k_thread_abort(main_thread);
	k_thread_priority_set(k_current_get(), PRIORITY_OF_SDK);
	gThe = modCloneMachine(NULL, NULL);
	modRunMachineSetup(gThe);
	while (true) {
		modTimersExecute();
		modMessageService(gThe, modTimersNext());
	}
}

K_THREAD_DEFINE(sluice_thread, STACK_BYTES, run, NULL, NULL, NULL, PRIORITY_OF_SDK - 1, 0, 0);

#endif
