#pragma once
extern void modTimersExecute(void);
extern int modTimersNext(void);
