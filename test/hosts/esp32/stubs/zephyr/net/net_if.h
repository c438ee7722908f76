#pragma once
#include <stdbool.h>
#include <stddef.h>
struct net_if;
struct in_addr;
enum net_addr_state { NET_ADDR_ANY_STATE = -1, NET_ADDR_TENTATIVE = 0, NET_ADDR_PREFERRED };
extern struct net_if *net_if_get_default(void);
extern bool net_if_is_up(struct net_if *interface);
extern struct in_addr *net_if_ipv4_get_global_addr(struct net_if *interface, enum net_addr_state state);
