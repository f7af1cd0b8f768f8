/* Masks in the run domain: the compiled twin of plain.py, bit for bit.
 *
 * A mask is held as its edges: the sorted, distinct places p < area, counted column by column,
 * where its pixels change; before the first they are 0. Compressed counts and run lengths are read
 * into edges, every operation maps edges to edges in one pass, and edges are written out again.
 *
 * Memory: every array grows with its input or its result, never with a number that was read.
 * Everything that a caller hands over is checked before it is used as an index; positions fit 32
 * bits, since no side of a mask is longer than LONGEST. Loops run without the interpreter's lock.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 65535      /* pixels of a side, those of the largest JPEG */
#define NOWHERE UINT32_MAX  /* more than any place in a mask */
#define LONGEST_NUMBER 35   /* bits of a number that is read */
#define MOST_BYTES 7        /* that a number is written in */

typedef enum { FINE = 0, NO_MEMORY, BAD_COUNTS, BAD_RUNS, BAD_TABLE } Outcome;

/* ---- Growing arrays ---------------------------------------------------------------------- */

/* at[-1] and at[count] may be written: places for sentinels. */
typedef struct {
    uint32_t *at;
    size_t count, room;
} Edges;

typedef struct {
    unsigned char *bytes;
    size_t size, room;
} Text;

static Outcome make_room(Edges *edges, size_t room)
{
    uint32_t *base = edges->at ? edges->at - 1 : NULL;

    if (edges->at && room <= edges->room)
        return FINE;
    if (room < 2 * edges->room)
        room = 2 * edges->room;
    if (room > SIZE_MAX / sizeof *base - 2)
        return NO_MEMORY;
    base = realloc(base, (room + 2) * sizeof *base);
    if (!base)
        return NO_MEMORY;
    base[0] = NOWHERE;
    edges->at = base + 1;
    edges->room = room;
    return FINE;
}

static void drop(Edges *edges)
{
    if (edges->at)
        free(edges->at - 1);
    memset(edges, 0, sizeof *edges);
}

static void swap(Edges *one, Edges *other)
{
    Edges kept = *one;
    *one = *other;
    *other = kept;
}

static Outcome make_text(Text *text, size_t more)
{
    size_t room = text->size + more;
    unsigned char *bytes;

    if (room < more)
        return NO_MEMORY;
    if (text->bytes && room <= text->room)
        return FINE;
    if (room < 2 * text->room)
        room = 2 * text->room;
    bytes = realloc(text->bytes, room + !room);
    if (!bytes)
        return NO_MEMORY;
    text->bytes = bytes;
    text->room = room;
    return FINE;
}

/* Adds a place; one that is there already is taken away. Needs room; places come sorted. */
static inline void toggle(Edges *edges, uint32_t place)
{
    size_t count = edges->count;
    int same = edges->at[(ptrdiff_t)count - 1] == place;

    edges->at[count] = place;
    edges->count = count + 1 - 2 * (size_t)same;
}

/* ---- Counts and run lengths -------------------------------------------------------------- */

/* Cancels equal places, and drops those at the end of the mask. */
static void settle(Edges *edges, uint32_t area)
{
    size_t index, count = edges->count;

    edges->count = 0;
    for (index = 0; index < count; index++)
        toggle(edges, edges->at[index]);
    edges->count -= edges->count && edges->at[edges->count - 1] == area;
}

/* The ends of all runs, in order, not settled. Room: one place per byte. */
static Outcome read_counts(const unsigned char *text, size_t size, uint32_t area, Edges *edges)
{
    const unsigned char *end = text + size;
    uint32_t *at = edges->at;
    uint32_t place = 0;
    int64_t before = 0, last = 0; /* the two runs before; the first is none to differ from */

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
                if (text == end || shift == LONGEST_NUMBER)
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
        if ((uint64_t)run > area - place) /* a negative run is a large one */
            return BAD_COUNTS;
        before = last;
        last = at == edges->at ? 0 : run;
        place += (uint32_t)run;
        *at++ = place;
    }
    edges->count = (size_t)(at - edges->at);
    return place == area ? FINE : BAD_COUNTS;
}

/* Appends the counts of a settled mask. */
static Outcome write_counts(Edges *edges, uint32_t area, Text *text)
{
    int64_t place = 0, before = 0, last = 0;
    unsigned char *out;
    size_t index;

    if (edges->count > SIZE_MAX / MOST_BYTES - 1 ||
        make_text(text, MOST_BYTES * (edges->count + 1)) != FINE)
        return NO_MEMORY;
    out = text->bytes + text->size;
    edges->at[edges->count] = area;
    for (index = 0; index <= edges->count; index++) {
        int64_t run = edges->at[index] - place;
        int64_t rest = run - before;

        while ((uint64_t)(rest + 16) >= 32) { /* more than its sign is left above this group */
            int64_t group = rest & 31;
            *out++ = (unsigned char)(48 + 32 + group);
            rest = (rest - group) / 32;
        }
        *out++ = (unsigned char)(48 + (rest & 31));
        before = last;
        last = index ? run : 0;
        place += run;
    }
    text->size = (size_t)(out - text->bytes);
    return FINE;
}

/* Many masks as run lengths: borrowed from the caller. */
typedef struct {
    const uint32_t *lengths;
    const int64_t *ends;
    size_t runs, masks;
} Runs;

static Outcome read_runs(const Runs *runs, size_t mask, uint32_t area, Edges *edges)
{
    int64_t start = mask ? runs->ends[mask - 1] : 0, stop = runs->ends[mask];
    uint64_t place = 0; /* the sum of less than 2**32 runs, each less than 2**32 */
    int64_t index;

    if (start < 0 || stop <= start || (uint64_t)stop > runs->runs ||
        (uint64_t)(stop - start) > (uint64_t)LONGEST * LONGEST + 1)
        return BAD_RUNS;
    if (make_room(edges, (size_t)(stop - start)) != FINE)
        return NO_MEMORY;
    for (index = start; index < stop; index++) {
        place += runs->lengths[index];
        edges->at[index - start] = (uint32_t)place;
    }
    if (place != area)
        return BAD_RUNS;
    edges->count = (size_t)(stop - start);
    settle(edges, area);
    return FINE;
}

/* Masks on their way out: `runs` holds all lengths, `ends` is as long as there are masks. */
typedef struct {
    Edges runs;
    int64_t *ends;
    size_t masks;
} Made;

static Outcome write_runs(const Edges *edges, uint32_t area, Made *made)
{
    size_t index, count = made->runs.count;
    uint32_t place = 0;

    if (make_room(&made->runs, count + edges->count + 1) != FINE)
        return NO_MEMORY;
    for (index = 0; index < edges->count; index++) {
        made->runs.at[count++] = edges->at[index] - place;
        place = edges->at[index];
    }
    made->runs.at[count++] = area - place;
    made->runs.count = count;
    made->ends[made->masks++] = (int64_t)count;
    return FINE;
}

/* ---- Union ------------------------------------------------------------------------------- */

static Outcome either(Edges *one, Edges *other, Edges *both)
{
    const uint32_t *a, *b;
    uint32_t *out;
    int in_a = 0, in_b = 0, in = 0;

    if (make_room(both, one->count + other->count) != FINE)
        return NO_MEMORY;
    one->at[one->count] = other->at[other->count] = NOWHERE;
    a = one->at;
    b = other->at;
    out = both->at;
    for (;;) {
        uint32_t place = *a < *b ? *a : *b;
        int at_a = *a == place, at_b = *b == place;

        if (place == NOWHERE)
            break;
        in_a ^= at_a;
        in_b ^= at_b;
        a += at_a;
        b += at_b;
        *out = place;
        out += in ^ (in_a | in_b);
        in = in_a | in_b;
    }
    both->count = (size_t)(out - both->at);
    return FINE;
}

/* Level k holds the union of 2**k masks, or nothing: no edge is merged more than log(masks)
 * times, however many parts a mask has. */
typedef struct {
    Edges level[64];
    int full[64];
    Edges spare;
} Union;

static Outcome unite(Union *all, Edges *edges)
{
    int level = 0;

    for (; all->full[level]; level++) {
        if (either(&all->level[level], edges, &all->spare) != FINE)
            return NO_MEMORY;
        swap(edges, &all->spare);
        all->full[level] = 0;
    }
    swap(edges, &all->level[level]);
    all->full[level] = 1;
    return make_room(edges, 0);
}

static Outcome take_union(Union *all, Edges *edges)
{
    int level;

    if (make_room(edges, 0) != FINE)
        return NO_MEMORY;
    edges->count = 0;
    for (level = 0; level < 64; level++)
        if (all->full[level]) {
            if (either(&all->level[level], edges, &all->spare) != FINE)
                return NO_MEMORY;
            swap(edges, &all->spare);
            all->full[level] = 0;
        }
    return FINE;
}

static void drop_union(Union *all)
{
    int level;

    for (level = 0; level < 64; level++)
        drop(&all->level[level]);
    drop(&all->spare);
}

/* ---- Nearest-neighbour resize ------------------------------------------------------------ */

typedef struct {
    uint32_t height, width, area;          /* of the source */
    uint32_t new_height, new_width, new_area;
    uint32_t *above;  /* [height + 1] target rows that are taken from above a source row */
    uint32_t *before; /* [width + 2] target columns that are taken from before a source column */
    uint32_t *base;   /* [width + 1] where a source column begins in the target */
    uint32_t *keep;   /* [width + 1] all bits set if it is taken */
    int repeats;      /* a source column is taken more than once */
    int same;         /* the target is the source */
} Scale;

/* count[i] for i of 0 to old + extra: how many of the table are less than i. */
static Outcome rank(const int64_t *table, size_t new, size_t old, size_t extra, uint32_t *count)
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
    return FINE;
}

static Outcome make_scale(Scale *scale, const int64_t *rows, const int64_t *columns)
{
    size_t height = scale->height, width = scale->width, x;

    scale->above = malloc((height + 1) * sizeof *scale->above);
    scale->before = malloc(3 * (width + 2) * sizeof *scale->before);
    if (!scale->above || !scale->before)
        return NO_MEMORY;
    scale->base = scale->before + width + 2;
    scale->keep = scale->base + width + 2;
    if (rank(rows, scale->new_height, height, 0, scale->above) != FINE ||
        rank(columns, scale->new_width, width, 1, scale->before) != FINE)
        return BAD_TABLE;
    scale->same = scale->new_height == height && scale->new_width == width;
    for (x = 0; x <= height; x++)
        scale->same &= scale->above[x] == x;
    for (x = 0; x <= width; x++) {
        uint32_t copies = scale->before[x + 1] - scale->before[x];

        scale->base[x] = scale->before[x] * scale->new_height;
        scale->keep[x] = copies ? UINT32_MAX : 0;
        scale->repeats |= copies > 1;
        scale->same &= scale->before[x] == x;
    }
    return FINE;
}

static void drop_scale(Scale *scale)
{
    free(scale->above);
    free(scale->before);
}

/* Where no column is repeated, places keep their order: each is mapped for itself. */
static void shrink(const Scale *scale, Edges *edges)
{
    const uint32_t height = scale->height;
    uint32_t *at = edges->at;
    size_t index;

    for (index = 0; index < edges->count && !scale->same; index++) {
        uint32_t x = at[index] / height;
        uint32_t y = at[index] - x * height;

        at[index] = scale->base[x] + (scale->above[y] & scale->keep[x]);
    }
    settle(edges, scale->new_area);
}

/* Any table. A column that is repeated has its edges repeated, and one more between two copies
 * if it does not end as it began; one that is left out has that one only. */
static Outcome stretch(const Scale *scale, const Edges *edges, Edges *out)
{
    const uint32_t height = scale->height;
    size_t index = 0;

    if (make_room(out, 0) != FINE)
        return NO_MEMORY;
    out->count = 0;
    while (index < edges->count) {
        uint32_t x = edges->at[index] / height, copy;
        uint32_t copies = scale->before[x + 1] - scale->before[x];
        uint32_t place = scale->base[x];
        uint64_t next = (uint64_t)(x + 1) * height;
        size_t stop, inside;

        if (edges->at[index] == x * height) {
            if (make_room(out, out->count + 1) != FINE)
                return NO_MEMORY;
            toggle(out, place);
            index++;
        }
        for (stop = index; stop < edges->count && edges->at[stop] < next; stop++)
            ;
        if (!copies && (stop - index) & 1) {
            if (make_room(out, out->count + 1) != FINE)
                return NO_MEMORY;
            toggle(out, place);
        }
        for (copy = 0; copy < copies; copy++, place += scale->new_height) {
            if (make_room(out, out->count + (stop - index) + 1) != FINE)
                return NO_MEMORY;
            if (copy && (stop - index) & 1)
                toggle(out, place);
            for (inside = index; inside < stop; inside++)
                toggle(out, place + scale->above[edges->at[inside] - x * height]);
        }
        index = stop;
    }
    out->count -= out->count && out->at[out->count - 1] == scale->new_area;
    return FINE;
}

static Outcome resize(const Scale *scale, Edges *edges, Edges *spare)
{
    if (!scale->repeats) {
        shrink(scale, edges);
        return FINE;
    }
    if (stretch(scale, edges, spare) != FINE)
        return NO_MEMORY;
    swap(edges, spare);
    return FINE;
}

/* ---- EXIF orientations ------------------------------------------------------------------- */

/* By half a turn: the places from the other end. */
static Outcome reverse(const Edges *edges, uint32_t area, Edges *out)
{
    size_t index;

    if (make_room(out, edges->count + 1) != FINE)
        return NO_MEMORY;
    out->count = 0;
    if (edges->count & 1)
        toggle(out, 0);
    for (index = edges->count; index-- > 0;)
        if (edges->at[index])
            toggle(out, area - edges->at[index]);
    return FINE;
}

/* Upside down: the places of each column from its other end. */
static Outcome upend(const Edges *edges, uint32_t height, uint32_t width, Edges *out)
{
    int in = 0, shown = 0; /* the pixel before the column, here and in the result */
    uint32_t done = 0;     /* columns */
    size_t index = 0;

    /* At most two places more than its own for a column that has any. */
    if (edges->count > SIZE_MAX / 4 || make_room(out, 3 * edges->count + 1) != FINE)
        return NO_MEMORY;
    out->count = 0;
    while (index < edges->count) {
        uint32_t x = edges->at[index] / height, start = x * height;
        uint64_t next = (uint64_t)start + height;
        size_t stop, inside;
        int below;

        if (x > done && shown != in) {
            toggle(out, done * height);
            shown = in;
        }
        if (edges->at[index] == start) {
            in = !in;
            index++;
        }
        for (stop = index; stop < edges->count && edges->at[stop] < next; stop++)
            ;
        below = in ^ (int)((stop - index) & 1);
        if (shown != below)
            toggle(out, start);
        for (inside = stop; inside-- > index;)
            toggle(out, start + height - (edges->at[inside] - start));
        shown = in;
        in = below;
        done = x + 1;
        index = stop;
    }
    if (done < width && shown != in)
        toggle(out, done * height);
    return FINE;
}

/* The ends of the 1s of every column: bounds[first[x]] to bounds[first[x + 1]], rows of 0 to
 * height. [2 * (edges + width)], [width + 2]; column `width` has none. */
static void cut_columns(const Edges *edges, uint32_t height, uint32_t width, uint32_t *bounds,
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

/* The rows where columns x - 1 and x differ, as ends of spans: at most as many as both have. */
static size_t differ(const uint32_t *bounds, const size_t *first, uint32_t x, uint32_t *ends)
{
    size_t a = x ? first[x - 1] : first[0], a_stop = first[x], b = a_stop, b_stop = first[x + 1];
    size_t count = 0;

    while (a < a_stop || b < b_stop) {
        uint32_t in_a = a < a_stop ? bounds[a] : NOWHERE, in_b = b < b_stop ? bounds[b] : NOWHERE;

        a += in_a <= in_b;
        b += in_b <= in_a;
        ends[count] = in_a < in_b ? in_a : in_b;
        count += in_a != in_b;
    }
    return count;
}

/* Rows for columns: row by row, a mask changes where two neighbouring columns differ. */
static Outcome transpose(const Edges *edges, uint32_t height, uint32_t width, Edges *out)
{
    size_t room = 2 * ((size_t)width + edges->count), total = 0, index;
    uint32_t *bounds = malloc(2 * room * sizeof *bounds), *ends;
    size_t *first = malloc(((size_t)width + 2) * sizeof *first);
    size_t *row = calloc((size_t)height + 1, sizeof *row); /* edges of a row, then where they go */
    Outcome outcome = NO_MEMORY;
    uint32_t x, y;

    if (!bounds || !first || !row)
        goto done;
    ends = bounds + room;
    cut_columns(edges, height, width, bounds, first);
    for (x = 0; x <= width; x++) {
        size_t count = differ(bounds, first, x, ends);

        for (index = 0; index < count; index++) /* a sum of steps, and unsigned: it may wrap */
            row[ends[index]] += index & 1 ? (size_t)-1 : 1;
    }
    for (y = 0, index = 0; y < height; y++) {
        index += row[y];
        row[y] = total;
        total += index;
    }
    if (make_room(out, total) != FINE)
        goto done;
    for (x = 0; x <= width; x++) {
        size_t count = differ(bounds, first, x, ends);

        for (index = 0; index < count; index += 2)
            for (y = ends[index]; y < ends[index + 1]; y++)
                out->at[row[y]++] = y * width + x;
    }
    out->count = total;
    settle(out, height * width);
    outcome = FINE;
done:
    free(bounds);
    free(first);
    free(row);
    return outcome;
}

static Outcome turn(Edges *edges, uint32_t height, uint32_t width, int orientation, Edges *spare)
{
    uint32_t area = height * width;

    if (orientation >= 5) {
        if (transpose(edges, height, width, spare) != FINE)
            return NO_MEMORY;
        swap(edges, spare);
        height = width;
        width = area / height;
    }
    if (orientation % 2 == 0) {
        if (upend(edges, height, width, spare) != FINE)
            return NO_MEMORY;
        swap(edges, spare);
    }
    if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) {
        if (reverse(edges, area, spare) != FINE)
            return NO_MEMORY;
        swap(edges, spare);
    }
    return FINE;
}

/* ---- Boxes and pixels -------------------------------------------------------------------- */

static void box(const Edges *edges, uint32_t height, uint32_t area, double *corners)
{
    uint32_t left = NOWHERE, top = NOWHERE, right = 0, bottom = 0;
    size_t index;

    for (index = 0; index < edges->count; index += 2) {
        uint32_t start = edges->at[index];
        uint32_t stop = (index + 1 < edges->count ? edges->at[index + 1] : area) - 1;
        uint32_t x0 = start / height, x1 = stop / height;
        uint32_t y0 = x0 == x1 ? start - x0 * height : 0;
        uint32_t y1 = x0 == x1 ? stop - x1 * height : height - 1;

        left = x0 < left ? x0 : left;
        top = y0 < top ? y0 : top;
        right = x1 + 1; /* they come sorted */
        bottom = y1 + 1 > bottom ? y1 + 1 : bottom;
    }
    corners[0] = edges->count ? left : 0;
    corners[1] = edges->count ? top : 0;
    corners[2] = right;
    corners[3] = bottom;
}

/* Bytes of 0 and 1, row after row: the changes down each column, then each row added to the one
 * above it, which the compiler does many bytes at a time. */
static void paint(const Edges *edges, uint32_t height, uint32_t width, unsigned char *out,
                  Py_ssize_t pitch)
{
    size_t index = 0;
    uint32_t x, y, from = width, to = 0; /* columns that any edge touches */
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

/* Whether a column begins with another pixel than the one before it ended with. */
static inline int begins(const unsigned char *top, const unsigned char *bottom, uint32_t x)
{
    return (top[x] != 0) != (x && bottom[x - 1] != 0);
}

/* The other way round: where a row differs from the one above it, sorted by column. */
static Outcome trace(const unsigned char *mask, uint32_t height, uint32_t width, Py_ssize_t pitch,
                     Edges *found, size_t *column, Edges *out)
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
            if (make_room(found, found->count + 16) != FINE)
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
        size_t count = column[x] + (size_t)begins(mask, bottom, x);

        column[x] = total; /* where its first place goes */
        total += count;
    }
    if (make_room(out, total) != FINE)
        return NO_MEMORY;
    for (x = 0; x < width; x++)
        if (begins(mask, bottom, x))
            out->at[column[x]++] = x * height;
    for (index = 0; index < found->count; index += 2) {
        x = found->at[index];
        out->at[column[x]++] = x * height + found->at[index + 1];
    }
    out->count = total;
    return FINE;
}

/* ---- What the interpreter hands over ------------------------------------------------------ */

static PyObject *fail(Outcome outcome)
{
    if (outcome == NO_MEMORY)
        return PyErr_NoMemory();
    PyErr_SetString(PyExc_ValueError,
                    outcome == BAD_TABLE ? "a table of rows or columns is not sorted or leaves "
                                           "the source"
                                         : "runs or their ends do not cover masks of this size");
    return NULL;
}

static int fits(Py_ssize_t height, Py_ssize_t width)
{
    if (height >= 1 && width >= 1 && height <= LONGEST && width <= LONGEST)
        return 1;
    PyErr_SetString(PyExc_ValueError, "a mask of no pixels, or larger than any picture");
    return 0;
}

static int aligned(const Py_buffer *buffer, size_t item)
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
    if (!aligned(&buffers[0], sizeof(uint32_t)) || !aligned(&buffers[1], sizeof(int64_t)))
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

    if (!aligned(buffer, sizeof(int64_t)))
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

static Outcome begin(Made *made, size_t masks)
{
    memset(made, 0, sizeof *made);
    if (masks > SIZE_MAX / sizeof *made->ends - 1)
        return NO_MEMORY;
    made->ends = malloc((masks + 1) * sizeof *made->ends);
    return made->ends ? make_room(&made->runs, 0) : NO_MEMORY;
}

/* (lengths, ends), as bytes. */
static PyObject *finish(Made *made)
{
    return Py_BuildValue("(y#y#)", (const char *)made->runs.at,
                         (Py_ssize_t)(made->runs.count * sizeof *made->runs.at),
                         (const char *)made->ends,
                         (Py_ssize_t)(made->masks * sizeof *made->ends));
}

static void drop_made(Made *made)
{
    drop(&made->runs);
    free(made->ends);
}

/* ---- What Python calls --------------------------------------------------------------------- */

static PyObject *native_parse(PyObject *self, PyObject *args)
{
    PyObject *tuple, *result = NULL;
    Py_ssize_t height, width;
    size_t count = 0, index = 0;
    Span *spans;
    Edges edges = {0};
    Made made = {0};
    Outcome outcome;
    uint32_t area;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!nn", &PyTuple_Type, &tuple, &height, &width) ||
        !fits(height, width) || !(spans = open_counts(tuple, &count)))
        return NULL;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    outcome = begin(&made, count);
    for (; outcome == FINE && index < count; index++) {
        if ((outcome = make_room(&edges, spans[index].size)) != FINE ||
            (outcome = read_counts(spans[index].bytes, spans[index].size, area, &edges)) != FINE)
            break;
        settle(&edges, area);
        if ((outcome = write_runs(&edges, area, &made)) != FINE)
            break;
    }
    Py_END_ALLOW_THREADS
    if (outcome == FINE)
        result = finish(&made);
    else if (outcome == BAD_COUNTS)
        result = PyLong_FromSize_t(index);
    else
        fail(outcome);
    free(spans);
    drop(&edges);
    drop_made(&made);
    return result;
}

/* Texts one after another, cut at `ends`: a list of bytes. */
static PyObject *cut(const Text *text, const size_t *ends, size_t count)
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

static PyObject *native_write(PyObject *self, PyObject *args)
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
    if (!PyArg_ParseTuple(args, "y*y*nn", &buffers[0], &buffers[1], &height, &width))
        return NULL;
    if (!fits(height, width) || !open_runs(buffers, &runs))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    ends = malloc((runs.masks + 1) * sizeof *ends);
    outcome = ends ? FINE : NO_MEMORY;
    for (; outcome == FINE && index < runs.masks; index++) {
        outcome = read_runs(&runs, index, area, &edges);
        if (outcome == FINE)
            outcome = write_counts(&edges, area, &text);
        if (outcome == FINE)
            ends[index] = text.size;
    }
    Py_END_ALLOW_THREADS
    result = outcome == FINE ? cut(&text, ends, runs.masks) : fail(outcome);
done:
    free(ends);
    free(text.bytes);
    drop(&edges);
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
    Made made = {0};
    Outcome outcome;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nny*", &buffers[0], &buffers[1], &height, &width,
                          &buffers[2]))
        return NULL;
    if (!fits(height, width) || !open_runs(buffers, &runs) ||
        !open_groups(&buffers[2], runs.masks, &ends, &groups))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    outcome = begin(&made, groups);
    for (group = 0; outcome == FINE && group < groups; group++) {
        for (; outcome == FINE && mask < (size_t)ends[group]; mask++) {
            outcome = read_runs(&runs, mask, area, &edges);
            if (outcome == FINE)
                outcome = unite(&all, &edges);
        }
        if (outcome == FINE)
            outcome = take_union(&all, &edges);
        if (outcome == FINE)
            outcome = write_runs(&edges, area, &made);
    }
    Py_END_ALLOW_THREADS
    result = outcome == FINE ? finish(&made) : fail(outcome);
done:
    drop(&edges);
    drop_union(&all);
    drop_made(&made);
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

    if (!fits(height, width) || !fits(new_height, new_width) || !aligned(rows, sizeof(int64_t)) ||
        !aligned(columns, sizeof(int64_t)))
        return 0;
    scale->height = (uint32_t)height;
    scale->width = (uint32_t)width;
    scale->area = (uint32_t)height * (uint32_t)width;
    scale->new_height = (uint32_t)new_height;
    scale->new_width = (uint32_t)new_width;
    scale->new_area = (uint32_t)new_height * (uint32_t)new_width;
    outcome = make_scale(scale, rows->buf, columns->buf);
    if (outcome != FINE)
        fail(outcome);
    return outcome == FINE;
}

static PyObject *native_resize(PyObject *self, PyObject *args)
{
    Py_buffer buffers[4] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t height, width;
    size_t index = 0;
    Edges edges = {0}, spare = {0};
    Scale scale = {0};
    Made made = {0};
    Outcome outcome;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nny*y*", &buffers[0], &buffers[1], &height, &width,
                          &buffers[2], &buffers[3]))
        return NULL;
    if (!open_runs(buffers, &runs) ||
        !open_scale(&scale, height, width, &buffers[2], &buffers[3]))
        goto done;
    Py_BEGIN_ALLOW_THREADS
    outcome = begin(&made, runs.masks);
    for (; outcome == FINE && index < runs.masks; index++) {
        outcome = read_runs(&runs, index, scale.area, &edges);
        if (outcome == FINE)
            outcome = resize(&scale, &edges, &spare);
        if (outcome == FINE)
            outcome = write_runs(&edges, scale.new_area, &made);
    }
    Py_END_ALLOW_THREADS
    result = outcome == FINE ? finish(&made) : fail(outcome);
done:
    drop(&edges);
    drop(&spare);
    drop_scale(&scale);
    drop_made(&made);
    release(buffers, 4);
    return result;
}

static PyObject *native_turn(PyObject *self, PyObject *args)
{
    Py_buffer buffers[2] = {{0}};
    PyObject *result = NULL;
    Py_ssize_t height, width;
    size_t index = 0;
    int orientation;
    Edges edges = {0}, spare = {0};
    Made made = {0};
    Outcome outcome;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nni", &buffers[0], &buffers[1], &height, &width,
                          &orientation))
        return NULL;
    if (!fits(height, width) || !open_runs(buffers, &runs))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    outcome = begin(&made, runs.masks);
    for (; outcome == FINE && index < runs.masks; index++) {
        outcome = read_runs(&runs, index, area, &edges);
        if (outcome == FINE)
            outcome = turn(&edges, (uint32_t)height, (uint32_t)width, orientation, &spare);
        if (outcome == FINE)
            outcome = write_runs(&edges, area, &made);
    }
    Py_END_ALLOW_THREADS
    result = outcome == FINE ? finish(&made) : fail(outcome);
done:
    drop(&edges);
    drop(&spare);
    drop_made(&made);
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
    if (!PyArg_ParseTuple(args, "y*y*nn", &buffers[0], &buffers[1], &height, &width))
        return NULL;
    if (!fits(height, width) || !open_runs(buffers, &runs))
        goto done;
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    corners = calloc(runs.masks + 1, 4 * sizeof *corners);
    outcome = corners ? FINE : NO_MEMORY;
    for (; outcome == FINE && index < runs.masks; index++) {
        outcome = read_runs(&runs, index, area, &edges);
        if (outcome == FINE)
            box(&edges, (uint32_t)height, area, corners + 4 * index);
    }
    Py_END_ALLOW_THREADS
    result = outcome == FINE ? PyBytes_FromStringAndSize(
                                   (const char *)corners,
                                   (Py_ssize_t)(4 * runs.masks * sizeof *corners))
                             : fail(outcome);
done:
    free(corners);
    drop(&edges);
    release(buffers, 2);
    return result;
}

/* A writable or readable array of bytes [masks, height, width] whose rows lie in one piece. */
static int open_pictures(PyObject *object, int flags, Py_buffer *buffer)
{
    if (PyObject_GetBuffer(object, buffer, PyBUF_STRIDES | flags) < 0)
        return 0;
    if (buffer->ndim == 3 && buffer->itemsize == 1 &&
        (buffer->strides[2] == 1 || buffer->shape[2] <= 1))
        return 1;
    PyErr_SetString(PyExc_ValueError, "expected bytes [masks, height, width], each row in one piece");
    return 0;
}

static PyObject *native_paint(PyObject *self, PyObject *args)
{
    Py_buffer buffers[4] = {{0}};
    PyObject *object, *result = NULL;
    Py_ssize_t height, width;
    const int64_t *chosen;
    size_t index = 0, count;
    Edges edges = {0};
    Outcome outcome = FINE;
    uint32_t area;
    Runs runs;

    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*nny*O", &buffers[0], &buffers[1], &height, &width,
                          &buffers[2], &object))
        return NULL;
    if (!fits(height, width) || !open_runs(buffers, &runs) ||
        !aligned(&buffers[2], sizeof *chosen) ||
        !open_pictures(object, PyBUF_WRITABLE, &buffers[3]))
        goto done;
    chosen = buffers[2].buf;
    count = (size_t)buffers[2].len / sizeof *chosen;
    for (; index < count; index++)
        if (chosen[index] < 0 || (uint64_t)chosen[index] >= runs.masks)
            break;
    if (index < count || (size_t)buffers[3].shape[0] != count || buffers[3].shape[1] != height ||
        buffers[3].shape[2] != width) {
        PyErr_SetString(PyExc_ValueError, "pictures of another number or size than the masks");
        goto done;
    }
    area = (uint32_t)height * (uint32_t)width;
    Py_BEGIN_ALLOW_THREADS
    for (index = 0; outcome == FINE && index < count; index++) {
        outcome = read_runs(&runs, (size_t)chosen[index], area, &edges);
        if (outcome == FINE)
            paint(&edges, (uint32_t)height, (uint32_t)width,
                  (unsigned char *)buffers[3].buf + (Py_ssize_t)index * buffers[3].strides[0],
                  buffers[3].strides[1]);
    }
    Py_END_ALLOW_THREADS
    if (outcome == FINE)
        result = Py_NewRef(Py_None);
    else
        fail(outcome);
done:
    drop(&edges);
    release(buffers, 4);
    return result;
}

static PyObject *native_trace(PyObject *self, PyObject *args)
{
    Py_buffer buffer = {0};
    PyObject *object, *result = NULL;
    size_t *column = NULL, index = 0, count;
    Edges found = {0}, edges = {0};
    Made made = {0};
    Outcome outcome;

    (void)self;
    if (!PyArg_ParseTuple(args, "O", &object))
        return NULL;
    if (!open_pictures(object, 0, &buffer) || !fits(buffer.shape[1], buffer.shape[2]))
        goto done;
    count = (size_t)buffer.shape[0];
    Py_BEGIN_ALLOW_THREADS
    outcome = begin(&made, count);
    column = malloc((size_t)buffer.shape[2] * sizeof *column);
    if (!column || make_room(&found, 0) != FINE)
        outcome = NO_MEMORY;
    for (; outcome == FINE && index < count; index++) {
        outcome = trace((const unsigned char *)buffer.buf + (Py_ssize_t)index * buffer.strides[0],
                        (uint32_t)buffer.shape[1], (uint32_t)buffer.shape[2], buffer.strides[1],
                        &found, column, &edges);
        if (outcome == FINE)
            outcome = write_runs(&edges, (uint32_t)buffer.shape[1] * (uint32_t)buffer.shape[2], &made);
    }
    Py_END_ALLOW_THREADS
    result = outcome == FINE ? finish(&made) : fail(outcome);
done:
    free(column);
    drop(&found);
    drop(&edges);
    drop_made(&made);
    release(&buffer, 1);
    return result;
}

/* One photo: read, resize, unite, write. Resized first, a union has fewer edges to merge, and is
 * the same: the nearest pixel of a union is the union of the nearest pixels. */
static PyObject *native_reduce(PyObject *self, PyObject *args)
{
    Py_buffer buffers[3] = {{0}}; /* groups, rows, columns */
    PyObject *tuple, *result = NULL;
    Py_ssize_t height, width;
    size_t group, groups, count = 0, index = 0, *cuts = NULL;
    const int64_t *ends;
    Span *spans = NULL;
    Edges edges = {0}, spare = {0};
    Union all = {0};
    Scale scale = {0};
    Text text = {0};
    Outcome outcome;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!y*nny*y*", &PyTuple_Type, &tuple, &buffers[0], &height, &width,
                          &buffers[1], &buffers[2]))
        return NULL;
    if (!(spans = open_counts(tuple, &count)) ||
        !open_groups(&buffers[0], count, &ends, &groups) ||
        !open_scale(&scale, height, width, &buffers[1], &buffers[2]))
        goto done;
    Py_BEGIN_ALLOW_THREADS
    cuts = malloc((groups + 1) * sizeof *cuts);
    outcome = cuts ? FINE : NO_MEMORY;
    for (group = 0; outcome == FINE && group < groups; group++) {
        int alone = (size_t)ends[group] == index + 1;

        for (; index < (size_t)ends[group]; index++) {
            const Span *span = &spans[index];

            if ((outcome = make_room(&edges, span->size)) != FINE ||
                (outcome = read_counts(span->bytes, span->size, scale.area, &edges)) != FINE)
                break;
            if (scale.repeats)
                settle(&edges, scale.area);
            if ((outcome = resize(&scale, &edges, &spare)) != FINE ||
                (!alone && (outcome = unite(&all, &edges)) != FINE))
                break;
        }
        if (outcome == FINE && !alone)
            outcome = take_union(&all, &edges);
        if (outcome == FINE)
            outcome = write_counts(&edges, scale.new_area, &text);
        if (outcome == FINE)
            cuts[group] = text.size;
    }
    Py_END_ALLOW_THREADS
    if (outcome == FINE)
        result = cut(&text, cuts, groups);
    else if (outcome == BAD_COUNTS)
        result = PyLong_FromSize_t(index);
    else
        fail(outcome);
done:
    free(cuts);
    free(spans);
    free(text.bytes);
    drop(&edges);
    drop(&spare);
    drop_union(&all);
    drop_scale(&scale);
    release(buffers, 3);
    return result;
}

static PyMethodDef methods[] = {
    {"parse", native_parse, METH_VARARGS, NULL},   {"write", native_write, METH_VARARGS, NULL},
    {"union", native_union, METH_VARARGS, NULL},   {"resize", native_resize, METH_VARARGS, NULL},
    {"turn", native_turn, METH_VARARGS, NULL},     {"boxes", native_boxes, METH_VARARGS, NULL},
    {"paint", native_paint, METH_VARARGS, NULL},   {"trace", native_trace, METH_VARARGS, NULL},
    {"reduce", native_reduce, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL},
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
