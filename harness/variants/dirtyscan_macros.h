/*
 * Variants in one line: what is measured as an expression, in a file that includes this and the
 * header of the code it is about.
 *
 *     DIRTYSCAN_COUNT(mine, bitmap_count_one(words, pages))
 *
 * The first word is the variant's name in messages. The expression sees `map` and, as far as the
 * operation has them, its arrays and numbers under the names that dirtyscan.h gives them; and
 * `pages`, how many the map has, but for DIRTYSCAN_MARK, where they are those to be marked. What
 * comes behind the expression goes into `dirtyscan_variant` as it is:
 *
 *     DIRTYSCAN_COUNT(mine, count(map->state), .prepare = fill, .finish = read_back,
 *                     .requires = "popcnt", .year = 2024)
 *
 * All are on a bitmap but DIRTYSCAN_COUNT_BYTES, which is on a byte map. For other representations
 * write out what these macros stand for.
 */
#ifndef DIRTYSCAN_MACROS_H
#define DIRTYSCAN_MACROS_H

#include "dirtyscan.h"

/* What says all of `dirtyscan_run_NAME`. */
#define DIRTYSCAN_VARIANT(name, of, on, member, ...)                                               \
    const struct dirtyscan_variant dirtyscan_variant = {.abi = DIRTYSCAN_ABI,                      \
                                                        .operation = of,                           \
                                                        .map = on,                                 \
                                                        .summary = #name,                          \
                                                        .run.member = dirtyscan_run_##name,        \
                                                        __VA_ARGS__};

/* What an expression may use or not. */
#define DIRTYSCAN_WORDS                                                                            \
    uint64_t *const words = map->words;                                                            \
    const uint64_t pages = map->pages;                                                             \
    (void)words;                                                                                   \
    (void)pages

/* How many pages are dirty. */
#define DIRTYSCAN_COUNT(name, expression, ...)                                                     \
    static uint64_t dirtyscan_run_##name(const struct dirtyscan_map *map)                          \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        return (uint64_t)(expression);                                                             \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "count", "bitmap", count, __VA_ARGS__)

/* The same from `bytes`. */
#define DIRTYSCAN_COUNT_BYTES(name, expression, ...)                                               \
    static uint64_t dirtyscan_run_##name(const struct dirtyscan_map *map)                          \
    {                                                                                              \
        uint8_t *const bytes = map->bytes;                                                         \
        const uint64_t pages = map->pages;                                                         \
        (void)bytes;                                                                               \
        (void)pages;                                                                               \
        return (uint64_t)(expression);                                                             \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "count", "byte map", count, __VA_ARGS__)

/* How many ranges were put into `ranges`. */
#define DIRTYSCAN_RANGES(name, expression, ...)                                                    \
    static uint64_t dirtyscan_run_##name(const struct dirtyscan_map *map,                          \
                                         struct dirtyscan_ranges *ranges)                          \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        (void)ranges;                                                                              \
        return (uint64_t)(expression);                                                             \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "ranges", "bitmap", ranges, __VA_ARGS__)

/* Moves all bits to `taken`. */
#define DIRTYSCAN_DRAIN(name, expression, ...)                                                     \
    static void dirtyscan_run_##name(struct dirtyscan_map *map, uint64_t *taken)                   \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        (void)taken;                                                                               \
        expression;                                                                                \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "drain", "bitmap", drain, __VA_ARGS__)

/* The same, where `taken` says where they are. */
#define DIRTYSCAN_DRAIN_GIVING(name, expression, ...)                                              \
    static void dirtyscan_run_##name(struct dirtyscan_map *map, struct dirtyscan_taken *taken)     \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        (void)taken;                                                                               \
        expression;                                                                                \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "drain", "bitmap", drain_giving, .form = DIRTYSCAN_GIVES, __VA_ARGS__)

/* Marks `pages` pages from `first` on. */
#define DIRTYSCAN_MARK(name, expression, ...)                                                      \
    static void dirtyscan_run_##name(struct dirtyscan_map *map, uint64_t first, uint64_t pages)    \
    {                                                                                              \
        uint64_t *const words = map->words;                                                        \
        (void)words;                                                                               \
        expression;                                                                                \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "mark", "bitmap", mark, __VA_ARGS__)

/* How many pages of `log` are newly dirty. */
#define DIRTYSCAN_MERGE(name, expression, ...)                                                     \
    static uint64_t dirtyscan_run_##name(struct dirtyscan_map *map, const uint64_t *log)           \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        (void)log;                                                                                 \
        return (uint64_t)(expression);                                                             \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "merge", "bitmap", merge, __VA_ARGS__)

/* The same, and `log` may be changed. */
#define DIRTYSCAN_MERGE_TAKING(name, expression, ...)                                              \
    static uint64_t dirtyscan_run_##name(struct dirtyscan_map *map, uint64_t *log)                 \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        (void)log;                                                                                 \
        return (uint64_t)(expression);                                                             \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "merge", "bitmap", merge_taking, .form = DIRTYSCAN_TAKES, __VA_ARGS__)

/* The first dirty page at or behind `from`, or `pages`. */
#define DIRTYSCAN_NEXT(name, expression, ...)                                                      \
    static uint64_t dirtyscan_run_##name(const struct dirtyscan_map *map, uint64_t from)           \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        return (uint64_t)(expression);                                                             \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "next", "bitmap", next, __VA_ARGS__)

/* How many pages are dirty once `log` is merged; then the first `sent` of them are cleaned. */
#define DIRTYSCAN_TICK(name, expression, ...)                                                      \
    static uint64_t dirtyscan_run_##name(struct dirtyscan_map *map, const uint64_t *log,           \
                                         uint64_t sent)                                            \
    {                                                                                              \
        DIRTYSCAN_WORDS;                                                                           \
        (void)log;                                                                                 \
        (void)sent;                                                                                \
        return (uint64_t)(expression);                                                             \
    }                                                                                              \
    DIRTYSCAN_VARIANT(name, "tick", "bitmap", tick, __VA_ARGS__)

#endif
