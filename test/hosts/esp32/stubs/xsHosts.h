#pragma once
#include "xsmc.h"
typedef struct xsCreation xsCreation;
extern xsMachine *modCloneMachine(xsCreation *creation, const char *name);
extern void modRunMachineSetup(xsMachine *the);
extern void modMessageService(xsMachine *the, int delay_ms);
