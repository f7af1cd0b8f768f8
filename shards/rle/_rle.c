/* Masks in the run domain: computes what numpy_kernel.py computes, bit for bit.
 *
 * A mask is held as its edges: the sorted, distinct positions p < area, counted column by column,
 * where its pixels change; before the first they are 0. Compressed counts and run lengths are read
 * into edges, every operation maps edges to edges in one pass, and edges are written out again.
 *
 * Memory: every array grows with its input or its result, never with a number that was read.
 * Every argument is checked before it is used as an index; positions fit 32 bits, since no side of
 * a mask is longer than MAX_SIDE. Loops release the interpreter's lock.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIDE 65535         /* pixels: the side of the largest JPEG */
#define NO_POSITION UINT32_MAX /* more than any position in a mask */
#define MAX_NUMBER_BITS 35     /* of a number that is read */
#define MAX_NUMBER_BYTES 7     /* of a number that is written */

typedef enum { OK = 0, NO_MEMORY, BAD_COUNTS, BAD_RUNS, BAD_TABLE } Outcome;

/* ---- Growing arrays ---------------------------------------------------------------------- */

/* at[-1] and at[count] may be written: they are for sentinels. */
typedef struct {
    uint32_t *at;
    size_t count, capacity;
} Edges;

typedef struct {
    unsigned char *bytes;
    size_t size, capacity;
} Text;

static Outcome reserve(Edges *edges, size_t capacity)
{
    uint32_t *base = edges->at ? edges->at - 1 : NULL;

    if (edges->at && capacity <= edges->capacity)
        return OK;
    if (capacity < 2 * edges->capacity)
        capacity = 2 * edges->capacity;
    if (capacity > SIZE_MAX / sizeof *base - 2)
        return NO_MEMORY;
    base = realloc(base, (capacity + 2) * sizeof *base);
    if (!base)
        return NO_MEMORY;
    base[0] = NO_POSITION;
    edges->at = base + 1;
    edges->capacity = capacity;
    return OK;
}

static void free_edges(Edges *edges)
{
    if (edges->at)
        free(edges->at - 1);
    memset(edges, 0, sizeof *edges);
}

static void swap(Edges *one, Edges *other)
{
    Edges copy = *one;
    *one = *other;
    *other = copy;
}

static Outcome reserve_text(Text *text, size_t more)
{
    size_t capacity = text->size + more;
    unsigned char *bytes;

    if (capacity < more)
        return NO_MEMORY;
    if (text->bytes && capacity <= text->capacity)
        return OK;
    if (capacity < 2 * text->capacity)
        capacity = 2 * text->capacity;
    bytes = realloc(text->bytes, capacity + !capacity);
    if (!bytes)
        return NO_MEMORY;
    text->bytes = bytes;
    text->capacity = capacity;
    return OK;
}

/* Appends a position, or removes it if it is the last one. Needs capacity; called in order. */
static inline void toggle(Edges *edges, uint32_t position)
{
    size_t count = edges->count;
    int same = edges->at[(ptrdiff_t)count - 1] == position;

    edges->at[count] = position;
    edges->count = count + 1 - 2 * (size_t)same;
}

/* ---- Counts and run lengths -------------------------------------------------------------- */

/* Cancels pairs of equal positions, and removes one at the end of the mask. */
static void cancel_pairs(Edges *edges, uint32_t area)
{
    size_t index, count = edges->count;

    edges->count = 0;
    for (index = 0; index < count; index++)
        toggle(edges, edges->at[index]);
    edges->count -= edges->count && edges->at[edges->count - 1] == area;
}

/* The ends of all runs, in order, with equal ones. Needs capacity for one per byte. */
static Outcome decode_counts(const unsigned char *text, size_t size, uint32_t area, Edges *edges)
{
    const unsigned char *end = text + size;
    uint32_t *at = edges->at;
    uint32_t position = 0;
    int64_t before = 0, last = 0; /* the two runs before; the first is never subtracted */

    edges->count = 0;
    if (!size)
        return BAD_COUNTS;
    while (text < end) {
        uint32_t group = (uint32_t)*text++ - 48u; /* below '0' wraps around */
        int64_t run;

        if (group < 32) {
            run = (int64_t)(group ^ 16) - 16;
        } else {
            uint64_t bits = group & 31;
            unsigned shift = 5;

            if (group > 63)
                return BAD_COUNTS;
            do {
                if (text == end || shift == MAX_NUMBER_BITS)
                    return BAD_COUNTS;
                group = (uint32_t)*text++ - 48u;
                if (group > 63)
                    return BAD_COUNTS;
                bits |= (uint64_t)(group & 31) << shift;
                shift += 5;
            } while (group & 32);
            run = (int64_t)bits - ((int64_t)(group >> 4 & 1) << shift);
        }
        run += before;
        if ((uint64_t)run > area - position) /* a negative run is a large one */
            return BAD_COUNTS;
        before = last;
        last = at == edges->at ? 0 : run;
        position += (uint32_t)run;
        *at++ = position;
    }
    edges->count = (size_t)(at - edges->at);
    return position == area ? OK : BAD_COUNTS;
}

/* Appends the counts of a mask without equal positions. */
static Outcome encode_counts(Edges *edges, uint32_t area, Text *text)
{
    int64_t position = 0, before = 0, last = 0;
    unsigned char *out;
    size_t index;

    if (edges->count > SIZE_MAX / MAX_NUMBER_BYTES - 1 ||
        reserve_text(text, MAX_NUMBER_BYTES * (edges->count + 1)) != OK)
        return NO_MEMORY;
    out = text->bytes + text->size;
    edges->at[edges->count] = area;
    for (index = 0; index <= edges->count; index++) {
        int64_t run = edges->at[index] - position;
        int64_t rest = run - before;

        while ((uint64_t)(rest + 16) >= 32) { /* not only the sign is left above this group */
            int64_t group = rest & 31;
            *out++ = (unsigned char)(48 + 32 + group);
            rest = (rest - group) / 32;
        }
        *out++ = (unsigned char)(48 + (rest & 31));
        before = last;
        last = index ? run : 0;
        position += run;
    }
    text->size = (size_t)(out - text->bytes);
    return OK;
}

/* Masks as run lengths: borrowed from the caller. */
typedef struct {
    const uint32_t *lengths;
    const int64_t *ends;
    size_t runs, masks;
} Runs;

static Outcome runs_to_edges(const Runs *runs, size_t mask, uint32_t area, Edges *edges)
{
    int64_t start = mask ? runs->ends[mask - 1] : 0, stop = runs->ends[mask];
    uint64_t position = 0; /* the sum of less than 2**32 runs, each less than 2**32 */
    int64_t index;

    if (start < 0 || stop <= start || (uint64_t)stop > runs->runs ||
        (uint64_t)(stop - start) > (uint64_t)MAX_SIDE * MAX_SIDE + 1)
        return BAD_RUNS;
    if (reserve(edges, (size_t)(stop - start)) != OK)
        return NO_MEMORY;
    for (index = start; index < stop; index++) {
        position += runs->lengths[index];
        edges->at[index - start] = (uint32_t)position;
    }
    if (position != area)
        return BAD_RUNS;
    edges->count = (size_t)(stop - start);
    cancel_pairs(edges, area);
    return OK;
}

/* Masks to return: `runs` holds all lengths, `ends` one value per mask. */
typedef struct {
    Edges runs;
    int64_t *ends;
    size_t masks;
} MaskList;

static Outcome edges_to_runs(const Edges *edges, uint32_t area, MaskList *output)
{
    size_t index, count = output->runs.count;
    uint32_t position = 0;

    if (reserve(&output->runs, count + edges->count + 1) != OK)
        return NO_MEMORY;
    for (index = 0; index < edges->count; index++) {
        output->runs.at[count++] = edges->at[index] - position;
        position = edges->at[index];
    }
    output->runs.at[count++] = area - position;
    output->runs.count = count;
    output->ends[output->masks++] = (int64_t)count;
    return OK;
}

/* ---- Union ------------------------------------------------------------------------------- */

static Outcome merge(Edges *one, Edges *other, Edges *both)
{
    const uint32_t *a, *b;
    uint32_t *out;
    int in_a = 0, in_b = 0, in = 0;

    if (reserve(both, one->count + other->count) != OK)
        return NO_MEMORY;
    one->at[one->count] = other->at[other->count] = NO_POSITION;
    a = one->at;
    b = other->at;
    out = both->at;
    for (;;) {
        uint32_t position = *a < *b ? *a : *b;
        int at_a = *a == position, at_b = *b == position;

        if (position == NO_POSITION)
            break;
        in_a ^= at_a;
        in_b ^= at_b;
        a += at_a;
        b += at_b;
        *out = position;
        out += in ^ (in_a | in_b);
        in = in_a | in_b;
    }
    both->count = (size_t)(out - both->at);
    return OK;
}

/* Level k holds the union of 2**k masks, or nothing: an edge is merged at most log(masks) times. */
typedef struct {
    Edges level[64];
    int full[64];
    Edges spare;
} Union;

static Outcome add_to_union(Union *all, Edges *edges)
{
    int level = 0;

    for (; all->full[level]; level++) {
        if (merge(&all->level[level], edges, &all->spare) != OK)
            return NO_MEMORY;
        swap(edges, &all->spare);
        all->full[level] = 0;
    }
    swap(edges, &all->level[level]);
    all->full[level] = 1;
    return reserve(edges, 0);
}

static Outcome finish_union(Union *all, Edges *edges)
{
    int level;

    if (reserve(edges, 0) != OK)
        return NO_MEMORY;
    edges->count = 0;
    for (level = 0; level < 64; level++)
        if (all->full[level]) {
            if (merge(&all->level[level], edges, &all->spare) != OK)
                return NO_MEMORY;
            swap(edges, &all->spare);
            all->full[level] = 0;
        }
    return OK;
}

static void free_union(Union *all)
{
    int level;

    for (level = 0; level < 64; level++)
        free_edges(&all->level[level]);
    free_edges(&all->spare);
}

/* ---- Nearest-neighbour resize ------------------------------------------------------------ */

typedef struct {
    uint32_t height, width, area;          /* of the source */
    uint32_t new_height, new_width, new_area;
    uint32_t *above;    /* [height + 1] target rows taken from above a source row */
    uint32_t *before;   /* [width + 2] target columns taken from before a source column */
    uint32_t *base;     /* [width + 1] where a source column begins in the target */
    uint32_t *taken;    /* [width + 1] all bits set if the source column is used */
    int repeats;        /* a source column is used more than once */
    int same;           /* the target is the source */
} Scale;

/* count[i] for i of 0 to old + extra: how many of the table are less than i. */
static Outcome count_below(const int64_t *table, size_t new, size_t old, size_t extra,
                           uint32_t *count)
{
    size_t index, value = 0;

    for (index = 0; index < new; index++) {
        if (table[index] < 0 || (uint64_t)table[index] >= old ||
            (index && table[index] < table[index - 1]))
            return BAD_TABLE;
        for (; value <= (size_t)table[index]; value++)
            count[value] = (uint32_t)index;
    }
    for (; value <= old + extra; value++)
        count[value] = (uint32_t)new;
    return OK;
}

static Outcome fill_scale(Scale *scale, const int64_t *rows, const int64_t *columns)
{
    size_t height = scale->height, width = scale->width, x;

    scale->above = malloc((height + 1) * sizeof *scale->above);
    scale->before = malloc(3 * (width + 2) * sizeof *scale->before);
    if (!scale->above || !scale->before)
        return NO_MEMORY;
    scale->base = scale->before + width + 2;
    scale->taken = scale->base + width + 2;
    if (count_below(rows, scale->new_height, height, 0, scale->above) != OK ||
        count_below(columns, scale->new_width, width, 1, scale->before) != OK)
        return BAD_TABLE;
    scale->same = scale->new_height == height && scale->new_width == width;
    for (x = 0; x <= height; x++)
        scale->same &= scale->above[x] == x;
    for (x = 0; x <= width; x++) {
        uint32_t copies = scale->before[x + 1] - scale->before[x];

        scale->base[x] = scale->before[x] * scale->new_height;
        scale->taken[x] = copies ? UINT32_MAX : 0;
        scale->repeats |= copies > 1;
        scale->same &= scale->before[x] == x;
    }
    return OK;
}

static void free_scale(Scale *scale)
{
    free(scale->above);
    free(scale->before);
}

/* If no column is repeated, positions stay in order: each is mapped by itself. */
static void map_positions(const Scale *scale, Edges *edges)
{
    const uint32_t height = scale->height;
    uint32_t *at = edges->at;
    size_t index;

    for (index = 0; index < edges->count && !scale->same; index++) {
        uint32_t x = at[index] / height;
        uint32_t y = at[index] - x * height;

        at[index] = scale->base[x] + (scale->above[y] & scale->taken[x]);
    }
    cancel_pairs(edges, scale->new_area);
}

/* Any table. The edges of a repeated column are repeated, with one more between two copies if the
 * column ends in another value than it began with; of a column that is left out, only that one
 * remains. */
static Outcome map_columns(const Scale *scale, const Edges *edges, Edges *out)
{
    const uint32_t height = scale->height;
    size_t index = 0;

    if (reserve(out, 0) != OK)
        return NO_MEMORY;
    out->count = 0;
    while (index < edges->count) {
        uint32_t x = edges->at[index] / height, copy;
        uint32_t copies = scale->before[x + 1] - scale->before[x];
        uint32_t position = scale->base[x];
        uint64_t next = (uint64_t)(x + 1) * height;
        size_t stop, inside;

        if (edges->at[index] == x * height) {
            if (reserve(out, out->count + 1) != OK)
                return NO_MEMORY;
            toggle(out, position);
            index++;
        }
        for (stop = index; stop < edges->count && edges->at[stop] < next; stop++)
            ;
        if (!copies && (stop - index) & 1) {
            if (reserve(out, out->count + 1) != OK)
                return NO_MEMORY;
            toggle(out, position);
        }
        for (copy = 0; copy < copies; copy++, position += scale->new_height) {
            if (reserve(out, out->count + (stop - index) + 1) != OK)
                return NO_MEMORY;
            if (copy && (stop - index) & 1)
                toggle(out, position);
            for (inside = index; inside < stop; inside++)
                toggle(out, position + scale->above[edges->at[inside] - x * height]);
        }
        index = stop;
    }
    out->count -= out->count && out->at[out->count - 1] == scale->new_area;
    return OK;
}

static Outcome resize(const Scale *scale, Edges *edges, Edges *spare)
{
    if (!scale->repeats) {
        map_positions(scale, edges);
        return OK;
    }
    if (map_columns(scale, edges, spare) != OK)
        return NO_MEMORY;
    swap(edges, spare);
    return OK;
}

/* ---- EXIF orientations ------------------------------------------------------------------- */

/* Rotates by 180 degrees: the positions, counted from the other end. */
static Outcome rotate_half(const Edges *edges, uint32_t area, Edges *out)
{
    size_t index;

    if (reserve(out, edges->count + 1) != OK)
        return NO_MEMORY;
    out->count = 0;
    if (edges->count & 1)
        toggle(out, 0);
    for (index = edges->count; index-- > 0;)
        if (edges->at[index])
            toggle(out, area - edges->at[index]);
    return OK;
}

/* Flips the rows: the positions of each column, counted from its other end. */
static Outcome flip_rows(const Edges *edges, uint32_t height, uint32_t width, Edges *out)
{
    int in = 0, in_result = 0; /* the pixel before the column, in the mask and in the result */
    uint32_t done = 0;         /* columns */
    size_t index = 0;

    /* A column with edges gets at most two more. */
    if (edges->count > SIZE_MAX / 4 || reserve(out, 3 * edges->count + 1) != OK)
        return NO_MEMORY;
    out->count = 0;
    while (index < edges->count) {
        uint32_t x = edges->at[index] / height, start = x * height;
        uint64_t next = (uint64_t)start + height;
        size_t stop, inside;
        int below;

        if (x > done && in_result != in) {
            toggle(out, done * height);
            in_result = in;
        }
        if (edges->at[index] == start) {
            in = !in;
            index++;
        }
        for (stop = index; stop < edges->count && edges->at[stop] < next; stop++)
            ;
        below = in ^ (int)((stop - index) & 1);
        if (in_result != below)
            toggle(out, start);
        for (inside = stop; inside-- > index;)
            toggle(out, start + height - (edges->at[inside] - start));
        in_result = in;
        in = below;
        done = x + 1;
        index = stop;
    }
    if (done < width && in_result != in)
        toggle(out, done * height);
    return OK;
}

/* The rows (0 to height) where the 1s of each column begin and end: those of column x are
 * bounds[first[x]] to bounds[first[x + 1]]. bounds: [2 * (edges + width)]; first: [width + 2];
 * column `width` has none. */
static void column_bounds(const Edges *edges, uint32_t height, uint32_t width, uint32_t *bounds,
                        size_t *first)
{
    size_t index = 0, count = 0;
    uint32_t x;
    int in = 0;

    for (x = 0; x < width; x++) {
        uint32_t start = x * height;
        uint64_t next = (uint64_t)start + height;

        first[x] = count;
        if (index < edges->count && edges->at[index] == start) {
            in = !in;
            index++;
        }
        if (in)
            bounds[count++] = 0;
        for (; index < edges->count && edges->at[index] < next; index++) {
            bounds[count++] = edges->at[index] - start;
            in = !in;
        }
        if (in)
            bounds[count++] = height;
    }
    first[width] = first[width + 1] = count;
}

/* The spans of rows where columns x - 1 and x differ: at most as many ends as both columns have. */
static size_t column_difference(const uint32_t *bounds, const size_t *first, uint32_t x,
                                uint32_t *ends)
{
    size_t a = x ? first[x - 1] : first[0], a_stop = first[x], b = a_stop, b_stop = first[x + 1];
    size_t count = 0;

    while (a < a_stop || b < b_stop) {
        uint32_t in_a = a < a_stop ? bounds[a] : NO_POSITION;
        uint32_t in_b = b < b_stop ? bounds[b] : NO_POSITION;

        a += in_a <= in_b;
        b += in_b <= in_a;
        ends[count] = in_a < in_b ? in_a : in_b;
        count += in_a != in_b;
    }
    return count;
}

/* Exchanges rows and columns: along a row, a mask changes where neighbouring columns differ. */
static Outcome transpose(const Edges *edges, uint32_t height, uint32_t width, Edges *out)
{
    size_t capacity = 2 * ((size_t)width + edges->count), total = 0, index;
    uint32_t *bounds = malloc(2 * capacity * sizeof *bounds), *ends;
    size_t *first = malloc(((size_t)width + 2) * sizeof *first);
    /* edges per row, then where each row begins in `out` */
    size_t *row = calloc((size_t)height + 1, sizeof *row);
    Outcome outcome = NO_MEMORY;
    uint32_t x, y;

    if (!bounds || !first || !row)
        goto done;
    ends = bounds + capacity;
    column_bounds(edges, height, width, bounds, first);
    for (x = 0; x <= width; x++) {
        size_t count = column_difference(bounds, first, x, ends);

        for (index = 0; index < count; index++) /* a sum of +1 and -1; unsigned, so it may wrap */
            row[ends[index]] += index & 1 ? (size_t)-1 : 1;
    }
    for (y = 0, index = 0; y < height; y++) {
        index += row[y];
        row[y] = total;
        total += index;
    }
    if (reserve(out, total) != OK)
        goto done;
    for (x = 0; x <= width; x++) {
        size_t count = column_difference(bounds, first, x, ends);

        for (index = 0; index < count; index += 2)
            for (y = ends[index]; y < ends[index + 1]; y++)
                out->at[row[y]++] = y * width + x;
    }
    out->count = total;
    cancel_pairs(out, height * width);
    outcome = OK;
done:
    free(bounds);
    free(first);
    free(row);
    return outcome;
}

static Outcome orient(Edges *edges, uint32_t height, uint32_t width, int orientation, Edges *spare)
{
    uint32_t area = height * width;

    if (orientation >= 5) {
        if (transpose(edges, height, width, spare) != OK)
            return NO_MEMORY;
        swap(edges, spare);
        height = width;
        width = area / height;
    }
    if (orientation % 2 == 0) {
        if (flip_rows(edges, height, width, spare) != OK)
            return NO_MEMORY;
        swap(edges, spare);
    }
    if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) {
        if (rotate_half(edges, area, spare) != OK)
            return NO_MEMORY;
        swap(edges, spare);
    }
    return OK;
}

/* ---- Boxes and pixels -------------------------------------------------------------------- */

static void bounding_box(const Edges *edges, uint32_t height, uint32_t area, double *corners)
{
    uint32_t left = NO_POSITION, top = NO_POSITION, right = 0, bottom = 0;
    size_t index;

    for (index = 0; index < edges->count; index += 2) {
        uint32_t start = edges->at[index];
        uint32_t stop = (index + 1 < edges->count ? edges->at[index + 1] : area) - 1;
        uint32_t x0 = start / height, x1 = stop / height;
        uint32_t y0 = x0 == x1 ? start - x0 * height : 0;
        uint32_t y1 = x0 == x1 ? stop - x1 * height : height - 1;

        left = x0 < left ? x0 : left;
        top = y0 < top ? y0 : top;
        right = x1 + 1; /* edges are sorted */
        bottom = y1 + 1 > bottom ? y1 + 1 : bottom;
    }
    corners[0] = edges->count ? left : 0;
    corners[1] = edges->count ? top : 0;
    corners[2] = right;
    corners[3] = bottom;
}

/* Bytes of 0 and 1: writes the changes down each column, then xors each row with the one above it,
 * which the compiler vectorises. */
static void paint(const Edges *edges, uint32_t height, uint32_t width, unsigned char *out,
                  Py_ssize_t pitch)
{
    size_t index = 0;
    uint32_t x, y, from = width, to = 0; /* columns that hold any 1 */
    unsigned char in = 0;

    for (y = 0; y < height; y++)
        memset(out + y * pitch, 0, width);
    for (x = 0; x < width; x++) {
        uint32_t start = x * height;
        uint64_t next = (uint64_t)start + height;

        if (index == edges->count && !in)
            break;
        if (index < edges->count && edges->at[index] == start) {
            in ^= 1;
            index++;
        }
        out[x] = in;
        if (in || (index < edges->count && edges->at[index] < next)) {
            from = x < from ? x : from;
            to = x + 1;
        }
        for (; index < edges->count && edges->at[index] < next; index++) {
            out[(edges->at[index] - start) * pitch + x] ^= 1;
            in ^= 1;
        }
    }
    for (y = 1; y < height; y++) {
        unsigned char *row = out + y * pitch;
        const unsigned char *above = row - pitch;

        for (x = from; x < to; x++)
            row[x] ^= above[x];
    }
}

/* Whether a column begins with another value than the column before ended with. */
static inline int starts_change(const unsigned char *top, const unsigned char *bottom, uint32_t x)
{
    return (top[x] != 0) != (x && bottom[x - 1] != 0);
}

/* The edges of pixels: where a row differs from the one above it, sorted by column. */
static Outcome find_edges(const unsigned char *mask, uint32_t height, uint32_t width,
                          Py_ssize_t pitch, Edges *found, size_t *column, Edges *out)
{
    const unsigned char *bottom = mask + (Py_ssize_t)(height - 1) * pitch;
    size_t total = 0, index;
    uint32_t x, y;

    memset(column, 0, (size_t)width * sizeof *column);
    found->count = 0;
    for (y = 1; y < height; y++) {
        const unsigned char *row = mask + (Py_ssize_t)y * pitch, *above = row - pitch;

        for (x = 0; x < width;) {
            uint64_t a, b;

            if (width - x >= 8) {
                memcpy(&a, row + x, 8);
                memcpy(&b, above + x, 8);
                if (a == b) {
                    x += 8;
                    continue;
                }
            }
            if (reserve(found, found->count + 16) != OK)
                return NO_MEMORY;
            for (uint32_t end = width - x >= 8 ? x + 8 : width; x < end; x++)
                if ((row[x] != 0) != (above[x] != 0)) {
                    found->at[found->count++] = x;
                    found->at[found->count++] = y;
                    column[x]++;
                }
        }
    }
    for (x = 0; x < width; x++) {
        size_t count = column[x] + (size_t)starts_change(mask, bottom, x);

        column[x] = total; /* where its first position goes */
        total += count;
    }
    if (reserve(out, total) != OK)
        return NO_MEMORY;
    for (x = 0; x < width; x++)
        if (starts_change(mask, bottom, x))
            out->at[column[x]++] = x * height;
    for (index = 0; index < found->count; index += 2) {
        x = found->at[index];
        out->at[column[x]++] = x * height + found->at[index + 1];
    }
    out->count = total;
    return OK;
}

/* ---- Arguments and results ---------------------------------------------------------------- */

static PyObject *fail(Outcome outcome)
{
    if (outcome == NO_MEMORY)
        return PyErr_NoMemory();
    PyErr_SetString(PyExc_ValueError,
                    outcome == BAD_TABLE ? "a table of rows or columns is not sorted or exceeds "
                                           "the source"
                                         : "runs or their ends do not cover masks of this size");
    return NULL;
}

static int check_size(Py_ssize_t height, Py_ssize_t width)
{
    if (height >= 1 && width >= 1 && height <= MAX_SIDE && width <= MAX_SIDE)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a mask of no pixels, or larger than any picture");
    return 0;
}

static int check_alignment(const Py_buffer *buffer, size_t item)
{
    if ((uintptr_t)buffer->buf % item == 0 && (size_t)buffer->len % item == 0)
        return 1;
    PyErr_SetString(PyExc_ValueError, "an array is not aligned to its type");
    return 0;
}

static void release(Py_buffer *buffers, int count)
{
    while (count-- > 0)
        if (buffers[count].obj)
            PyBuffer_Release(&buffers[count]);
}

/* Counts: borrowed from a tuple of bytes that stays alive. */
typedef struct {
    const unsigned char *bytes;
    size_t size;
} Span;

static Span *open_counts(PyObject *tuple, size_t *count)
{
    Py_ssize_t index, size = PyTuple_Size(tuple);
    Span *spans;

    if (size < 0)
        return NULL;
    spans = malloc(((size_t)size + 1) * sizeof *spans);
    if (!spans)
        return (Span *)PyErr_NoMemory();
    for (index = 0; index < size; index++) {
        char *bytes;
        Py_ssize_t length;

        if (PyBytes_AsStringAndSize(PyTuple_GetItem(tuple, index), &bytes, &length) < 0) {
            free(spans);
            return NULL;
        }
        spans[index].bytes = (const unsigned char *)bytes;
        spans[index].size = (size_t)length;
    }
    *count = (size_t)size;
    return spans;
}

/* `buffers`: lengths, ends. */
static int open_runs(Py_buffer *buffers, Runs *runs)
{
    if (!check_alignment(&buffers[0], sizeof(uint32_t)) ||
        !check_alignment(&buffers[1], sizeof(int64_t)))
        return 0;
    runs->lengths = buffers[0].buf;
    runs->runs = (size_t)buffers[0].len / sizeof(uint32_t);
    runs->ends = buffers[1].buf;
    runs->masks = (size_t)buffers[1].len / sizeof(int64_t);
    return 1;
}

/* Where each group of `items` ends, in order. */
static int open_groups(const Py_buffer *buffer, size_t items, const int64_t **ends, size_t *groups)
{
    size_t index;
    int64_t before = 0;

    if (!check_alignment(buffer, sizeof(int64_t)))
        return 0;
    *ends = buffer->buf;
    *groups = (size_t)buffer->len / sizeof(int64_t);
    for (index = 0; index < *groups; index++) {
        if ((*ends)[index] < before)
            break;
        before = (*ends)[index];
    }
    if (index == *groups && (uint64_t)before == items)
        return 1;
    PyErr_SetString(PyExc_ValueError, "the groups do not take each mask once, in order");
    return 0;
}

static Outcome start_output(MaskList *output, size_t masks)
{
    memset(output, 0, sizeof *output);
    if (masks > SIZE_MAX / sizeof *output->ends - 1)
        return NO_MEMORY;
    output->ends = malloc((masks + 1) * sizeof *output->ends);
    return output->ends ? reserve(&output->runs, 0) : NO_MEMORY;
}

/* (lengths, ends), as bytes. */
static PyObject *to_bytes(MaskList *output)
{
    return Py_BuildValue("(y#y#)", (const char *)output->runs.at,
                         (Py_ssize_t)(output->runs.count * sizeof *output->runs.at),
                         (const char *)output->ends,
                         (Py_ssize_t)(output->masks * sizeof *output->ends));
}

static void free_output(MaskList *output)
{
    free_edges(&output->runs);
    free(output->ends);
}

/* ---- What Python calls --------------------------------------------------------------------- */

static PyObject *native_decode_counts(PyObject *self, PyObject *args)
{
    PyObject *tuple, *result = NULL;
    Py_ssize_t height, width;
    size_t count = 0, index = 0;
    Span *spans;
    Edges edges = {0};
    MaskList output = {0};
    Outcome outcome;
    uint32_t area;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!(nn)", &PyTuple_Type, &tuple, &height, &width) ||
        !check_size(height, width) || !(spans = open_counts(tuple, &count)))
        return NULL;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    outcome = start_output(&output, count);
    for (; outcome == OK && index < count; index++) {
        if ((outcome = reserve(&edges, spans[index].size)) != OK ||
            (outcome = decode_counts(spans[index].bytes, spans[index].size, area, &edges)) != OK)
            break;
        cancel_pairs(&edges, area);
        if ((outcome = edges_to_runs(&edges, area, &output)) != OK)
            break;
    }
    Py_END_ALLOW_THREADS
    if (outcome == OK)
        result = to_bytes(&output);
    else if (outcome == BAD_COUNTS)
        result = Py_NewRef(Py_None);
    else
        fail(outcome);
    free(spans);
    free_edges(&edges);
    free_output(&output);
    return result;
}

/* Texts one after another, cut at `ends`: a list of bytes. */
static PyObject *split_text(const Text *text, const size_t *ends, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    size_t index, start = 0;

    for (index = 0; list && index < count; index++) {
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)text->bytes + start,
                                                    (Py_ssize_t)(ends[index] - start));
        start = ends[index];
        if (!bytes || PyList_SetItem(list, (Py_ssize_t)index, bytes) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *native_encode_counts(PyObject *self, PyObject *args)
{
    Py_buffer buffers[2] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t height, width;
    size_t index = 0, *ends = NULL;
    Edges edges = {0};
    Text text = {0};
    Outcome outcome;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "(y*y*nn)", &buffers[0], &buffers[1], &height, &width))
        return NULL;
    if (!check_size(height, width) || !open_runs(buffers, &runs))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    ends = malloc((runs.masks + 1) * sizeof *ends);
    outcome = ends ? OK : NO_MEMORY;
    for (; outcome == OK && index < runs.masks; index++) {
        outcome = runs_to_edges(&runs, index, area, &edges);
        if (outcome == OK)
            outcome = encode_counts(&edges, area, &text);
        if (outcome == OK)
            ends[index] = text.size;
    }
    Py_END_ALLOW_THREADS
    result = outcome == OK ? split_text(&text, ends, runs.masks) : fail(outcome);
done:
    free(ends);
    free(text.bytes);
    free_edges(&edges);
    release(buffers, 2);
    return result;
}

static PyObject *native_union(PyObject *self, PyObject *args)
{
    Py_buffer buffers[3] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t height, width;
    size_t group, groups, mask = 0;
    const int64_t *ends;
    Edges edges = {0};
    Union all = {0};
    MaskList output = {0};
    Outcome outcome;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "(y*y*nn)y*", &buffers[0], &buffers[1], &height, &width,
                          &buffers[2]))
        return NULL;
    if (!check_size(height, width) || !open_runs(buffers, &runs) ||
        !open_groups(&buffers[2], runs.masks, &ends, &groups))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    outcome = start_output(&output, groups);
    for (group = 0; outcome == OK && group < groups; group++) {
        for (; outcome == OK && mask < (size_t)ends[group]; mask++) {
            outcome = runs_to_edges(&runs, mask, area, &edges);
            if (outcome == OK)
                outcome = add_to_union(&all, &edges);
        }
        if (outcome == OK)
            outcome = finish_union(&all, &edges);
        if (outcome == OK)
            outcome = edges_to_runs(&edges, area, &output);
    }
    Py_END_ALLOW_THREADS
    result = outcome == OK ? to_bytes(&output) : fail(outcome);
done:
    free_edges(&edges);
    free_union(&all);
    free_output(&output);
    release(buffers, 3);
    return result;
}

/* The sizes and tables of a resize; with the lock held. */
static int open_scale(Scale *scale, Py_ssize_t height, Py_ssize_t width, const Py_buffer *rows,
                      const Py_buffer *columns)
{
    Py_ssize_t new_height = rows->len / (Py_ssize_t)sizeof(int64_t);
    Py_ssize_t new_width = columns->len / (Py_ssize_t)sizeof(int64_t);
    Outcome outcome;

    if (!check_size(height, width) || !check_size(new_height, new_width) ||
        !check_alignment(rows, sizeof(int64_t)) || !check_alignment(columns, sizeof(int64_t)))
        return 0;
    scale->height = (uint32_t)height;
    scale->width = (uint32_t)width;
    scale->area = (uint32_t)height * (uint32_t)width;
    scale->new_height = (uint32_t)new_height;
    scale->new_width = (uint32_t)new_width;
    scale->new_area = (uint32_t)new_height * (uint32_t)new_width;
    outcome = fill_scale(scale, rows->buf, columns->buf);
    if (outcome != OK)
        fail(outcome);
    return outcome == OK;
}

static PyObject *native_resize(PyObject *self, PyObject *args)
{
    Py_buffer buffers[4] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t height, width;
    size_t index = 0;
    Edges edges = {0}, spare = {0};
    Scale scale = {0};
    MaskList output = {0};
    Outcome outcome;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "(y*y*nn)y*y*", &buffers[0], &buffers[1], &height, &width,
                          &buffers[2], &buffers[3]))
        return NULL;
    if (!open_runs(buffers, &runs) ||
        !open_scale(&scale, height, width, &buffers[2], &buffers[3]))
        goto done;
    Py_BEGIN_ALLOW_THREADS
    outcome = start_output(&output, runs.masks);
    for (; outcome == OK && index < runs.masks; index++) {
        outcome = runs_to_edges(&runs, index, scale.area, &edges);
        if (outcome == OK)
            outcome = resize(&scale, &edges, &spare);
        if (outcome == OK)
            outcome = edges_to_runs(&edges, scale.new_area, &output);
    }
    Py_END_ALLOW_THREADS
    result = outcome == OK ? to_bytes(&output) : fail(outcome);
done:
    free_edges(&edges);
    free_edges(&spare);
    free_scale(&scale);
    free_output(&output);
    release(buffers, 4);
    return result;
}

static PyObject *native_apply_orientation(PyObject *self, PyObject *args)
{
    Py_buffer buffers[2] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t height, width;
    size_t index = 0;
    int orientation;
    Edges edges = {0}, spare = {0};
    MaskList output = {0};
    Outcome outcome;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "(y*y*nn)i", &buffers[0], &buffers[1], &height, &width,
                          &orientation))
        return NULL;
    if (!check_size(height, width) || !open_runs(buffers, &runs))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    outcome = start_output(&output, runs.masks);
    for (; outcome == OK && index < runs.masks; index++) {
        outcome = runs_to_edges(&runs, index, area, &edges);
        if (outcome == OK)
            outcome = orient(&edges, (uint32_t)height, (uint32_t)width, orientation, &spare);
        if (outcome == OK)
            outcome = edges_to_runs(&edges, area, &output);
    }
    Py_END_ALLOW_THREADS
    result = outcome == OK ? to_bytes(&output) : fail(outcome);
done:
    free_edges(&edges);
    free_edges(&spare);
    free_output(&output);
    release(buffers, 2);
    return result;
}

static PyObject *native_boxes(PyObject *self, PyObject *args)
{
    Py_buffer buffers[2] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t height, width;
    double *corners = NULL;
    size_t index = 0;
    Edges edges = {0};
    Outcome outcome;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "(y*y*nn)", &buffers[0], &buffers[1], &height, &width))
        return NULL;
    if (!check_size(height, width) || !open_runs(buffers, &runs))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    corners = calloc(runs.masks + 1, 4 * sizeof *corners);
    outcome = corners ? OK : NO_MEMORY;
    for (; outcome == OK && index < runs.masks; index++) {
        outcome = runs_to_edges(&runs, index, area, &edges);
        if (outcome == OK)
            bounding_box(&edges, (uint32_t)height, area, corners + 4 * index);
    }
    Py_END_ALLOW_THREADS
    result = outcome == OK ? PyBytes_FromStringAndSize(
                                   (const char *)corners,
                                   (Py_ssize_t)(4 * runs.masks * sizeof *corners))
                             : fail(outcome);
done:
    free(corners);
    free_edges(&edges);
    release(buffers, 2);
    return result;
}

/* A writable or readable array of bytes [masks, height, width] with contiguous rows. */
static int open_pictures(PyObject *object, int flags, Py_buffer *buffer)
{
    if (PyObject_GetBuffer(object, buffer, PyBUF_STRIDES | flags) < 0)
        return 0;
    if (buffer->ndim == 3 && buffer->itemsize == 1 &&
        (buffer->strides[2] == 1 || buffer->shape[2] <= 1))
        return 1;
    PyErr_SetString(PyExc_ValueError, "expected bytes [masks, height, width] with contiguous rows");
    return 0;
}

static PyObject *native_paint(PyObject *self, PyObject *args)
{
    Py_buffer buffers[4] = {{0}};
    PyObject *object, *result = NULL;
    Py_ssize_t height, width;
    const int64_t *selected;
    size_t index = 0, count;
    Edges edges = {0};
    Outcome outcome = OK;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "(y*y*nn)y*O", &buffers[0], &buffers[1], &height, &width,
                          &buffers[2], &object))
        return NULL;
    if (!check_size(height, width) || !open_runs(buffers, &runs) ||
        !check_alignment(&buffers[2], sizeof *selected) ||
        !open_pictures(object, PyBUF_WRITABLE, &buffers[3]))
        goto done;
    selected = buffers[2].buf;
    count = (size_t)buffers[2].len / sizeof *selected;
    for (; index < count; index++)
        if (selected[index] < 0 || (uint64_t)selected[index] >= runs.masks)
            break;
    if (index < count || (size_t)buffers[3].shape[0] != count || buffers[3].shape[1] != height ||
        buffers[3].shape[2] != width) {
        PyErr_SetString(PyExc_ValueError,
                        "expected one picture of the masks' size for each selected mask");
        goto done;
    }
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    for (index = 0; outcome == OK && index < count; index++) {
        outcome = runs_to_edges(&runs, (size_t)selected[index], area, &edges);
        if (outcome == OK)
            paint(&edges, (uint32_t)height, (uint32_t)width,
                  (unsigned char *)buffers[3].buf + (Py_ssize_t)index * buffers[3].strides[0],
                  buffers[3].strides[1]);
    }
    Py_END_ALLOW_THREADS
    if (outcome == OK)
        result = Py_NewRef(Py_None);
    else
        fail(outcome);
done:
    free_edges(&edges);
    release(buffers, 4);
    return result;
}

static PyObject *native_from_pixels(PyObject *self, PyObject *args)
{
    Py_buffer buffer = {0};
    PyObject *object, *result = NULL;
    size_t *column = NULL, index = 0, count;
    Edges found = {0}, edges = {0};
    MaskList output = {0};
    Outcome outcome;
    uint32_t height, width;

    (void)self;
    if (!PyArg_ParseTuple(args, "O", &object))
        return NULL;
    if (!open_pictures(object, 0, &buffer) || !check_size(buffer.shape[1], buffer.shape[2]))
        goto done;
    count = (size_t)buffer.shape[0];
    height = (uint32_t)buffer.shape[1];
    width = (uint32_t)buffer.shape[2];
    Py_BEGIN_ALLOW_THREADS
    outcome = start_output(&output, count);
    column = malloc((size_t)width * sizeof *column);
    if (!column || reserve(&found, 0) != OK)
        outcome = NO_MEMORY;
    for (; outcome == OK && index < count; index++) {
        const unsigned char *mask = buffer.buf;

        mask += (Py_ssize_t)index * buffer.strides[0];
        outcome = find_edges(mask, height, width, buffer.strides[1], &found, column, &edges);
        if (outcome == OK)
            outcome = edges_to_runs(&edges, height * width, &output);
    }
    Py_END_ALLOW_THREADS
    result = outcome == OK ? to_bytes(&output) : fail(outcome);
done:
    free(column);
    free_edges(&found);
    free_edges(&edges);
    free_output(&output);
    release(&buffer, 1);
    return result;
}

/* One photo: decodes, resizes, unites, encodes. Resizing first leaves fewer edges to merge and
 * gives the same: the nearest pixel of a union is the union of the nearest pixels. */
static PyObject *native_resize_counts(PyObject *self, PyObject *args)
{
    Py_buffer buffers[3] = {{0}}; /* groups, rows, columns */
    PyObject *tuple, *result = NULL;
    Py_ssize_t height, width;
    size_t group, groups, count = 0, index = 0, *text_ends = NULL;
    const int64_t *ends;
    Span *spans = NULL;
    Edges edges = {0}, spare = {0};
    Union all = {0};
    Scale scale = {0};
    Text text = {0};
    Outcome outcome;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!y*(nn)y*y*", &PyTuple_Type, &tuple, &buffers[0], &height, &width,
                          &buffers[1], &buffers[2]))
        return NULL;
    if (!(spans = open_counts(tuple, &count)) ||
        !open_groups(&buffers[0], count, &ends, &groups) ||
        !open_scale(&scale, height, width, &buffers[1], &buffers[2]))
        goto done;
    Py_BEGIN_ALLOW_THREADS
    text_ends = malloc((groups + 1) * sizeof *text_ends);
    outcome = text_ends ? OK : NO_MEMORY;
    for (group = 0; outcome == OK && group < groups; group++) {
        int alone = (size_t)ends[group] == index + 1;

        for (; index < (size_t)ends[group]; index++) {
            const Span *span = &spans[index];

            if ((outcome = reserve(&edges, span->size)) != OK ||
                (outcome = decode_counts(span->bytes, span->size, scale.area, &edges)) != OK)
                break;
            if (scale.repeats)
                cancel_pairs(&edges, scale.area);
            if ((outcome = resize(&scale, &edges, &spare)) != OK ||
                (!alone && (outcome = add_to_union(&all, &edges)) != OK))
                break;
        }
        if (outcome == OK && !alone)
            outcome = finish_union(&all, &edges);
        if (outcome == OK)
            outcome = encode_counts(&edges, scale.new_area, &text);
        if (outcome == OK)
            text_ends[group] = text.size;
    }
    Py_END_ALLOW_THREADS
    if (outcome == OK)
        result = split_text(&text, text_ends, groups);
    else if (outcome == BAD_COUNTS)
        result = Py_NewRef(Py_None);
    else
        fail(outcome);
done:
    free(text_ends);
    free(spans);
    free(text.bytes);
    free_edges(&edges);
    free_edges(&spare);
    free_union(&all);
    free_scale(&scale);
    release(buffers, 3);
    return result;
}

static PyMethodDef methods[] = {
    {"decode_counts", native_decode_counts, METH_VARARGS, NULL},
    {"encode_counts", native_encode_counts, METH_VARARGS, NULL},
    {"union", native_union, METH_VARARGS, NULL},
    {"resize", native_resize, METH_VARARGS, NULL},
    {"apply_orientation", native_apply_orientation, METH_VARARGS, NULL},
    {"boxes", native_boxes, METH_VARARGS, NULL},
    {"paint", native_paint, METH_VARARGS, NULL},
    {"from_pixels", native_from_pixels, METH_VARARGS, NULL},
    {"resize_counts", native_resize_counts, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_rle", "The compiled kernel of shards.rle.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__rle(void)
{
    return PyModuleDef_Init(&module);
}
