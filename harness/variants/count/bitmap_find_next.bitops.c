/* The next set bit, out of line as in QEMU; see bitmap_find_next.c. */
#include "bitmap_find_next.bitops.h"
#include "finding.h"

uint64_t find_next_bit(const uint64_t *words, uint64_t bits, uint64_t start)
{
    return find_set_bit(words, bits, start);
}
