/* For a compiler without a C library. */
#pragma once
extern int errno;
#define EAGAIN 11
#define EWOULDBLOCK EAGAIN
#define ENOMEM 12
#define ENOBUFS 105
#define EINPROGRESS 115
