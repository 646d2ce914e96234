/* The checksum of the sources, by which a library of other sources is recognised. */
#include <stdint.h>

uint32_t checksum(void) { return CHECKSUM; }
