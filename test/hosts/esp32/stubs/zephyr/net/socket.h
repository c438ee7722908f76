#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
typedef uint16_t sa_family_t;
struct in_addr { uint32_t s_addr; };
struct sockaddr { sa_family_t sa_family; char data[14]; };
struct sockaddr_in { sa_family_t sin_family; uint16_t sin_port; struct in_addr sin_addr; };
struct zsock_pollfd { int fd; short events; short revents; };
#define AF_INET 1
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define ZVFS_F_SETFL 4
#define ZVFS_O_NONBLOCK 0x4000
#define ZSOCK_POLLIN 1
#define ZSOCK_POLLOUT 4
#define ZSOCK_POLLERR 8
#define ZSOCK_POLLNVAL 32
extern uint16_t htons(uint16_t value);
extern int zsock_inet_pton(int family, const char *text, void *into);
extern int zsock_socket(int family, int type, int protocol);
extern int zsock_fcntl(int socket, int command, int flags);
extern int zsock_connect(int socket, const struct sockaddr *address, size_t length);
extern int zsock_poll(struct zsock_pollfd *polls, int count, int timeout_ms);
extern ssize_t zsock_recv(int socket, void *into, size_t length, int flags);
extern ssize_t zsock_send(int socket, const void *from, size_t length, int flags);
extern int zsock_close(int socket);
