/* mcconfig makes it: identifiers of the application. */
#pragma once
