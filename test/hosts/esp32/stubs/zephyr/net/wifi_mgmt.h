#pragma once
#include <stddef.h>
#include <stdint.h>
#define WIFI_STATE_ASSOCIATED 6
#define NET_REQUEST_WIFI_IFACE_STATUS 1
#define net_mgmt(request, interface, data, length) stub_net_mgmt(request, interface, data, length)
struct net_if;
struct wifi_iface_status { int state; int rssi; };
extern int stub_net_mgmt(uint64_t request, struct net_if *interface, void *data, size_t length);
