/* What MCUboot makes of its Kconfig comes from the test's command line. */
#pragma once
