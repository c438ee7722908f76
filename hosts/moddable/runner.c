/*
 * Runs one mc.so that mcconfig built for Linux, without a display: the part of the SDK's simulator that a firmware needs.
 *
 *   runner FILE.so
 *   runner --become PROGRAM ARGUMENTS...   such as the SDK's own simulator
 *
 * Either way the process ends with the one that started it: nothing is left that holds the flash.
 *
 * The watchdog is armed before the firmware starts, as a bootloader arms it: SLUICE_WATCHDOG_SECONDS, 0 for none.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <glib.h>

#ifdef SLUICE_BOARD_HEAP
#include "board-heap.h"
#endif
#include "exits.h"
#include "screen.h"

static guint idle_timer;

static void ended(txScreen *screen, int status)
{
	printf("exception: XS ended with status %d\n", status);
	fflush(NULL);
	_Exit(SLUICE_EXIT_EXCEPTION);
}

static gboolean idle(gpointer screen)
{
	if (((txScreen *)screen)->idle)
		((txScreen *)screen)->idle(screen);
	return G_SOURCE_CONTINUE;
}

static void start(txScreen *screen, double interval_ms)
{
	if (!idle_timer)
		idle_timer = g_timeout_add((guint)interval_ms, idle, screen);
}

static void stop(txScreen *screen)
{
	if (idle_timer)
		g_source_remove(idle_timer);
	idle_timer = 0;
}

struct posted {
	txScreen *screen;
	int size;
	char text[];
};

static gboolean deliver(gpointer data)
{
	struct posted *posted = data;
	if (posted->screen->invoke)
		posted->screen->invoke(posted->screen, posted->text, posted->size);
	return G_SOURCE_REMOVE;
}

static void post(txScreen *screen, char *text, int size)
{
	size_t length = size > 0 ? (size_t)size : strlen(text) + 1;
	struct posted *posted = g_malloc(sizeof *posted + length);

	posted->screen = screen;
	posted->size = size;
	memcpy(posted->text, text, length);
	g_idle_add_full(G_PRIORITY_DEFAULT, deliver, posted, g_free);
}

static void ignore(txScreen *screen)
{
}

static void arm(const char *watchdog_seconds)
{
	alarm(watchdog_seconds ? (unsigned)atoi(watchdog_seconds) : 0);
}

int main(int count, char **arguments)
{
	const char *watchdog = getenv("SLUICE_WATCHDOG_SECONDS");
	txScreenLaunchProc launch;
	txScreen *screen;
	void *library;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (count > 2 && strcmp(arguments[1], "--become") == 0) {
		arm(watchdog); /* the alarm outlives exec, as does the wish to die with the parent */
		execvp(arguments[2], arguments + 2);
		perror(arguments[2]);
		return SLUICE_EXIT_NOT_STARTED;
	}
	if (count != 2) {
		fprintf(stderr, "usage: %s FILE.so\n", arguments[0]);
		return SLUICE_EXIT_NOT_STARTED;
	}
	library = dlopen(arguments[1], RTLD_NOW);
	launch = library ? (txScreenLaunchProc)dlsym(library, "fxScreenLaunch") : NULL;
	if (!launch) {
		fprintf(stderr, "%s is no firmware that mcconfig built: %s\n", arguments[1], dlerror());
		return SLUICE_EXIT_NOT_STARTED;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef SLUICE_BOARD_HEAP
	lay_out_as_on_a_board(library);
#endif
	signal(SIGPIPE, SIG_IGN); /* a socket whose peer is gone is an error of write, not the end */
	arm(watchdog);

	screen = g_malloc0(sizeof *screen);
	screen->abort = ended;
	screen->bufferChanged = ignore;
	screen->formatChanged = ignore;
	screen->post = post;
	screen->start = start;
	screen->stop = stop;
	mxCreateMutex(&screen->workersMutex);
	launch(screen);
	g_main_loop_run(g_main_loop_new(NULL, FALSE));
	return 0;
}
