/*
 * Branches for what runs between two timed calls (neutral.c, other_work.c), and many functions of
 * them: a predictor also goes by where a branch lies.
 */
#ifndef DIRTYSCAN_BRANCHES_H
#define DIRTYSCAN_BRANCHES_H

/* Adds `change` to `sum` if a bit is set. The empty assembly keeps a compiler from making a move of
 * the branch. */
#define BRANCH(value, bit, change)                                                                 \
    if ((value) >> (bit) & 1) {                                                                    \
        __asm__ volatile("" : "+r"(sum));                                                          \
        sum += (change);                                                                           \
    }

/* `of` 64 names. */
#define EIGHT(of, name)                                                                            \
    of(name##0) of(name##1) of(name##2) of(name##3) of(name##4) of(name##5) of(name##6) of(name##7)
#define ALL(of)                                                                                    \
    EIGHT(of, a)                                                                                   \
    EIGHT(of, b) EIGHT(of, c) EIGHT(of, d) EIGHT(of, e) EIGHT(of, f) EIGHT(of, g) EIGHT(of, h)

#endif
