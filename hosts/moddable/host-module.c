/* What board-module.ts and analog-module.ts ask of the process they run in. */
#include "xsAll.h"
#include "xsmc.h"
#include "mc.xs.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "exits.h"

/* (name) -> text, or undefined */
void xs_sluice_environment(xsMachine *the)
{
	char *value = getenv(xsmcToString(xsArg(0)));
	if (value)
		xsmcSetString(xsResult, value);
}

void xs_sluice_restart(xsMachine *the)
{
	fflush(NULL);
	_Exit(SLUICE_EXIT_RESTART);
}

/* (buffer) */
void xs_sluice_entropy(xsMachine *the)
{
	void *buffer;
	xsUnsignedValue length;

	xsmcGetBufferWritable(xsArg(0), &buffer, &length);
	if (getrandom(buffer, length, 0) != (ssize_t)length)
		xsUnknownError("the system has no randomness");
}

/* () -> bytes of slots and chunks in use, garbage collected first */
void xs_sluice_memory_used(xsMachine *the)
{
	fxCollectGarbage(the);
	xsmcSetInteger(xsResult, (int)(the->currentHeapCount * sizeof(txSlot) + the->currentChunksSize));
}

static gboolean feed(gpointer seconds)
{
	alarm(GPOINTER_TO_UINT(seconds));
	return G_SOURCE_CONTINUE;
}

/* (seconds): the runner armed the alarm, as a bootloader does; from here on a main loop that turns winds it up again. */
void xs_sluice_watchdog(xsMachine *the)
{
	unsigned seconds = xsmcToUnsigned(xsArg(0));

	feed(GUINT_TO_POINTER(seconds));
	g_timeout_add(200, feed, GUINT_TO_POINTER(seconds));
}
