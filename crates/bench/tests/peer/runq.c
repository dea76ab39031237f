/* The same stand-in for runq.c: it reads the checkpoint of version 2. See run.c. */
#define QUANTISED
#include "run.c"
