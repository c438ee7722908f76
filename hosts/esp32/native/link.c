/*
 * The network interface that the server is reached by (the native half of modules/board.ts): whether it can carry
 * anything now, and how well the radio hears its access point.
 */
#include <zephyr/net/net_if.h>

#ifdef CONFIG_WIFI
#include <zephyr/net/wifi_mgmt.h>
#endif

#include "xsmc.h"
#include "mc.xs.h"

/* () -> whether it is up and has an address */
void xs_sluice_link_up(xsMachine *the)
{
	struct net_if *interface = net_if_get_default();

	xsmcSetBoolean(xsResult, interface != NULL && net_if_is_up(interface) &&
					 net_if_ipv4_get_global_addr(interface, NET_ADDR_PREFERRED) != NULL);
}

/* () -> dBm, or undefined on a wire and while it is joined to nothing */
void xs_sluice_link_signal(xsMachine *the)
{
#ifdef CONFIG_WIFI
	struct net_if *interface = net_if_get_default();
	struct wifi_iface_status status = {0};

	if (interface == NULL ||
	    net_mgmt(NET_REQUEST_WIFI_IFACE_STATUS, interface, &status, sizeof(status)) != 0 ||
	    status.state < WIFI_STATE_ASSOCIATED)
		return;
	xsmcSetInteger(xsResult, status.rssi);
#else
	(void)the;
#endif
}
