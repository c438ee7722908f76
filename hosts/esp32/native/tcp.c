/*
 * TCP for the firmware (the native half of modules/tcp.ts), on Zephyr's sockets, which never block here.
 *
 * The SDK's own socket hands its record to callbacks of Zephyr's network threads and frees it when JavaScript closes
 * it: a download overwrote the heap within seconds. Everything here happens on the thread of XS.
 */
#include <errno.h>
#include <zephyr/net/socket.h>

#include "xsmc.h"
#include "mc.xs.h"

#define WRITABLE 1
#define READABLE 2
#define FAILED 4

/* The sockets of this machine, which Zephyr's simulator of a board offers, are looked at once a millisecond. */
#ifdef CONFIG_NET_NATIVE_OFFLOADED_SOCKETS
#define POLL_MS 2
#else
#define POLL_MS 0
#endif

/* Read at once: what a few frames carry. */
#define RECEIVE_BYTES_MAX 1460

/* (address, port) -> socket, connecting */
void xs_sluice_tcp_open(xsMachine *the)
{
	struct sockaddr_in remote = {.sin_family = AF_INET};
	int port = xsmcToInteger(xsArg(1));
	int handle;

	if (port < 1 || port > 65535)
		xsRangeError("no such port");
	remote.sin_port = htons(port);
	if (zsock_inet_pton(AF_INET, xsmcToString(xsArg(0)), &remote.sin_addr) != 1)
		xsRangeError("no IPv4 address");
	handle = zsock_socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	if (handle < 0)
		xsUnknownError("no free socket");
	if (zsock_fcntl(handle, ZVFS_F_SETFL, ZVFS_O_NONBLOCK) != 0 ||
	    (zsock_connect(handle, (struct sockaddr *)&remote, sizeof(remote)) != 0 && errno != EINPROGRESS)) {
		(void)zsock_close(handle); /* it was never connected */
		xsUnknownError("no way to the server");
	}
	xsmcSetInteger(xsResult, handle);
}

/* (socket) -> what it is ready for, as bits */
void xs_sluice_tcp_poll(xsMachine *the)
{
	struct zsock_pollfd poll = {
		.fd = xsmcToInteger(xsArg(0)),
		.events = ZSOCK_POLLIN | ZSOCK_POLLOUT,
	};
	int bits = 0;

	if (zsock_poll(&poll, 1, POLL_MS) < 0)
		bits = FAILED;
	if (poll.revents & ZSOCK_POLLOUT)
		bits |= WRITABLE;
	if (poll.revents & ZSOCK_POLLIN)
		bits |= READABLE;
	if (poll.revents & (ZSOCK_POLLERR | ZSOCK_POLLNVAL))
		bits |= FAILED;
	xsmcSetInteger(xsResult, bits);
}

/* (socket) -> what came, empty at the end of the stream, undefined when nothing did; throws when the link is broken */
void xs_sluice_tcp_receive(xsMachine *the)
{
	static uint8_t received[RECEIVE_BYTES_MAX]; /* not on the stack of XS */
	ssize_t bytes = zsock_recv(xsmcToInteger(xsArg(0)), received, sizeof(received), 0);

	if (bytes >= 0)
		xsmcSetArrayBuffer(xsResult, received, bytes);
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		xsUnknownError("the link is broken");
}

/* (socket, buffer) -> how many bytes of it were taken */
void xs_sluice_tcp_send(xsMachine *the)
{
	xsUnsignedValue length;
	ssize_t bytes;
	void *buffer;

	xsmcGetBufferReadable(xsArg(1), &buffer, &length);
	bytes = zsock_send(xsmcToInteger(xsArg(0)), buffer, length, 0);
	if (bytes < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS && errno != ENOMEM)
		xsUnknownError("the link is broken");
	xsmcSetInteger(xsResult, bytes < 0 ? 0 : (int)bytes);
}

/* (socket) */
void xs_sluice_tcp_close(xsMachine *the)
{
	(void)zsock_close(xsmcToInteger(xsArg(0))); /* nobody waits for what it could say */
}
