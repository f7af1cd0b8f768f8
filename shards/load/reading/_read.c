/* Many samples read into memory, or looked at where they are mapped; each compared with its
 * checksum, without the interpreter's lock.
 *
 * The checksum is XXH3's, 64 bits, seed 0, of more than 240 bytes: a sample has at least a header
 * of 512. Written after https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md; a test
 * compares it with the xxhash package. A sample is hashed right after it was read, while it is in
 * the processor's cache. From the first on that is not in memory, all are asked for at once.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "reads numbers as little-endian machines store them"
#endif
#if !defined(__SIZEOF_INT128__)
#error "needs products of 128 bits"
#endif
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define HAS_WIDE 1
#else
#define HAS_WIDE 0
#endif

#define LANES 8
#define STRIPE 64                                    /* bytes */
#define STRIPES 16                                   /* of a block: as many as the secret has */
#define BLOCK (STRIPE * STRIPES)                     /* bytes */
#define LEAST 241                                    /* bytes that are hashed in this way */
#define SCRAMBLING 128                               /* places in the secret */
#define LAST 121
#define MERGING 11

#define STRETCH (1 << 17)                            /* bytes */
#define AHEAD (1 << 13)                              /* bytes; 6 to 32 KiB are about as fast */
#define TAIL (2 * AHEAD / BLOCK)                     /* blocks */

#define PRIME32_1 0x9E3779B1u
#define PRIME32_2 0x85EBCA77u
#define PRIME32_3 0xC2B2AE3Du
#define PRIME64_1 0x9E3779B185EBCA87u
#define PRIME64_2 0xC2B2AE3D27D4EB4Fu
#define PRIME64_3 0x165667B19E3779F9u
#define PRIME64_4 0x85EBCA77C2B2AE63u
#define PRIME64_5 0x27D4EB2F165667C5u
#define PRIME_MIX 0x165667919E3779F9u

static const unsigned char SECRET[192] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

static uint64_t word(const unsigned char *at)
{
    uint64_t found;
    memcpy(&found, at, sizeof found);
    return found;
}

/* ---- Stripes: 64 bytes into eight sums ----------------------------------------------------- */

/* With each stripe, memory is asked for one of those that follow `later`: a processor that waits
 * for every line in turn hashes two thirds as much. To ask for what lies nowhere is no error. */
typedef void Accumulate(uint64_t *sums, const unsigned char *from, size_t stripes,
                        const unsigned char *later);

static void add_stripe(uint64_t *sums, const unsigned char *from, const unsigned char *secret)
{
    int lane;

    for (lane = 0; lane < LANES; lane++) {
        uint64_t value = word(from + 8 * lane), keyed = value ^ word(secret + 8 * lane);
        sums[lane ^ 1] += value;
        sums[lane] += (keyed & UINT32_MAX) * (keyed >> 32);
    }
}

static void scramble(uint64_t *sums)
{
    int lane;

    for (lane = 0; lane < LANES; lane++) {
        uint64_t sum = sums[lane];
        sum ^= sum >> 47;
        sum ^= word(SECRET + SCRAMBLING + 8 * lane);
        sums[lane] = sum * PRIME32_1;
    }
}

/* Stripes of one block, from its beginning; the secret moves on by eight bytes with each. */
static void accumulate_plain(uint64_t *sums, const unsigned char *from, size_t stripes,
                             const unsigned char *later)
{
    size_t stripe;

    for (stripe = 0; stripe < stripes; stripe++) {
        __builtin_prefetch(later + stripe * STRIPE);
        add_stripe(sums, from + stripe * STRIPE, SECRET + stripe * 8);
    }
}

#if HAS_WIDE
__attribute__((target("avx2"))) static void
accumulate_wide(uint64_t *sums, const unsigned char *from, size_t stripes,
                const unsigned char *later)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)sums);
    __m256i high = _mm256_loadu_si256((const __m256i *)(sums + 4));
    size_t stripe;

    for (stripe = 0; stripe < stripes; stripe++) {
        const __m256i *value = (const __m256i *)(from + stripe * STRIPE);
        const __m256i *secret = (const __m256i *)(SECRET + stripe * 8);
        __m256i one = _mm256_loadu_si256(value), other = _mm256_loadu_si256(value + 1);
        __m256i first = _mm256_xor_si256(one, _mm256_loadu_si256(secret));
        __m256i second = _mm256_xor_si256(other, _mm256_loadu_si256(secret + 1));

        __builtin_prefetch(later + stripe * STRIPE);
        /* 0x4E swaps the two lanes of each half */
        low = _mm256_add_epi64(low, _mm256_shuffle_epi32(one, 0x4E));
        high = _mm256_add_epi64(high, _mm256_shuffle_epi32(other, 0x4E));
        low = _mm256_add_epi64(low, _mm256_mul_epu32(first, _mm256_srli_epi64(first, 32)));
        high = _mm256_add_epi64(high, _mm256_mul_epu32(second, _mm256_srli_epi64(second, 32)));
    }
    _mm256_storeu_si256((__m256i *)sums, low);
    _mm256_storeu_si256((__m256i *)(sums + 4), high);
}

__attribute__((target("avx512f"))) static void
accumulate_widest(uint64_t *sums, const unsigned char *from, size_t stripes,
                  const unsigned char *later)
{
    __m512i all = _mm512_loadu_si512(sums);
    size_t stripe;

    for (stripe = 0; stripe < stripes; stripe++) {
        __m512i value = _mm512_loadu_si512(from + stripe * STRIPE);
        __m512i keyed = _mm512_xor_si512(value, _mm512_loadu_si512(SECRET + stripe * 8));
        __builtin_prefetch(later + stripe * STRIPE);
        all = _mm512_add_epi64(all, _mm512_shuffle_epi32(value, 0x4E));
        all = _mm512_add_epi64(all, _mm512_mul_epu32(keyed, _mm512_srli_epi64(keyed, 32)));
    }
    _mm512_storeu_si512(sums, all);
}
#endif

static Accumulate *fastest(void)
{
#if HAS_WIDE
    if (__builtin_cpu_supports("avx512f"))
        return accumulate_widest;
    if (__builtin_cpu_supports("avx2"))
        return accumulate_wide;
#endif
    return accumulate_plain;
}

static uint64_t fold(uint64_t one, uint64_t other)
{
    unsigned __int128 product = (unsigned __int128)one * other;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Ask for a part of what is hashed next while the last blocks are: half a block with each, for all
 * of AHEAD at once is more than a core can wait for. */
static void ask_for(const unsigned char *next, size_t blocks_left)
{
    size_t from = (TAIL - blocks_left) * (BLOCK / 2), place;

    for (place = from; place < from + BLOCK / 2; place += STRIPE)
        __builtin_prefetch(next + place);
}

/* Needs LEAST bytes. `next` is what is hashed afterwards, where neither is in the processor's cache
 * yet; else NULL. */
static uint64_t hash(Accumulate *accumulate, const unsigned char *from, size_t size,
                     const unsigned char *next)
{
    uint64_t sums[LANES] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3,
                            PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
    size_t block, blocks = (size - 1) / BLOCK;
    uint64_t merged = (uint64_t)size * PRIME64_1;
    int pair;

    for (block = 0; block < blocks; block++) {
        const unsigned char *at = from + block * BLOCK;
        size_t left = blocks - block;
        const unsigned char *later = next && left > AHEAD / BLOCK ? at + AHEAD : at;
        if (next && left <= TAIL)
            ask_for(next, left);
        accumulate(sums, at, STRIPES, later);
        scramble(sums);
    }
    block = blocks * BLOCK;
    accumulate(sums, from + block, (size - 1 - block) / STRIPE, from + block);
    add_stripe(sums, from + size - STRIPE, SECRET + LAST);
    for (pair = 0; pair < LANES; pair += 2)
        merged += fold(sums[pair] ^ word(SECRET + MERGING + 8 * pair),
                       sums[pair + 1] ^ word(SECRET + MERGING + 8 * pair + 8));
    merged ^= merged >> 37;
    merged *= PRIME_MIX;
    return merged ^ merged >> 32;
}

/* ---- Reading ------------------------------------------------------------------------------- */

static int fill(int file, unsigned char *out, int64_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t found = pread(file, out, (size_t)size, (off_t)offset);
        if (found < 0 && errno == EINTR)
            continue;
        if (found <= 0)
            return 0;
        out += found;
        offset += found;
        size -= found;
    }
    return 1;
}

/* The beginning of a sample, without waiting for a disk: the bytes that were found in memory. */
static int64_t find(int file, unsigned char *out, int64_t size, int64_t offset)
{
#ifdef RWF_NOWAIT
    struct iovec into = {out, (size_t)size};
    ssize_t found = preadv2(file, &into, 1, (off_t)offset, RWF_NOWAIT);

    return found < 0 ? 0 : found;
#else
    (void)file, (void)out, (void)size, (void)offset;
    return 0;
#endif
}

/* Ask for samples before any of them is waited for, so that the disk works on all of them at once.
 * Linux takes no more than a device's read-ahead in one call, of which STRETCH is the least usual. */
static void announce(const int32_t *files, const int64_t *offsets, const int64_t *sizes,
                     Py_ssize_t count)
{
#ifdef POSIX_FADV_WILLNEED
    Py_ssize_t number;
    int64_t start;

    for (number = 0; number < count; number++)
        for (start = 0; start < sizes[number]; start += STRETCH)
            posix_fadvise(files[number], (off_t)(offsets[number] + start),
                          (off_t)(sizes[number] - start < STRETCH ? sizes[number] - start : STRETCH),
                          POSIX_FADV_WILLNEED);
#else
    (void)files, (void)offsets, (void)sizes, (void)count;
#endif
}

static int get(PyObject *from, Py_buffer *into, int flags, Py_ssize_t size, const char *what)
{
    if (PyObject_GetBuffer(from, into, flags) < 0)
        return 0;
    if (size < 0 || into->len == size)
        return 1;
    PyBuffer_Release(into);
    PyErr_Format(PyExc_ValueError, "%s: expected %zd bytes", what, size);
    return 0;
}

PyDoc_STRVAR(read_doc,
             "read(files, offsets, sizes, checksums, out) -> samples that are as they were written\n"
             "\n"
             "Stops at the first that is not. int32, int64, int64 and uint64, one of each for a\n"
             "sample; the checksums may be None. They are written to `out` one after the other.");

static PyObject *native_read(PyObject *self, PyObject *args)
{
    PyObject *given[5], *result = NULL;
    Py_buffer files, offsets, sizes, checksums, out;
    Py_ssize_t count, number = 0;
    int64_t total = 0;

    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOO", &given[0], &given[1], &given[2], &given[3], &given[4]))
        return NULL;
    if (!get(given[0], &files, PyBUF_SIMPLE, -1, "files"))
        return NULL;
    count = files.len / (Py_ssize_t)sizeof(int32_t);
    if (!get(given[1], &offsets, PyBUF_SIMPLE, 8 * count, "offsets"))
        goto without_offsets;
    if (!get(given[2], &sizes, PyBUF_SIMPLE, 8 * count, "sizes"))
        goto without_sizes;
    memset(&checksums, 0, sizeof checksums);
    if (given[3] != Py_None && !get(given[3], &checksums, PyBUF_SIMPLE, 8 * count, "checksums"))
        goto without_checksums;
    for (number = 0; number < count; number++) {
        int64_t size = ((const int64_t *)sizes.buf)[number];
        if (size < LEAST || size > PY_SSIZE_T_MAX - total) {
            PyErr_SetString(PyExc_ValueError, "sizes: a sample has more than 240 bytes");
            goto without_out;
        }
        total += size;
    }
    if (!get(given[4], &out, PyBUF_WRITABLE, (Py_ssize_t)total, "out"))
        goto without_out;
    Py_BEGIN_ALLOW_THREADS
    Accumulate *accumulate = fastest();
    unsigned char *at = out.buf;
    const int32_t *file = files.buf;
    const int64_t *offset = offsets.buf, *length = sizes.buf;
    int waits = 0;

    for (number = 0; number < count; number++) {
        int64_t size = length[number], found;

        if (offset[number] < 0) /* to the system, -1 is where the file was read last */
            break;
        found = waits ? 0 : find(file[number], at, size, offset[number]);
        if (found < size && !waits) {
            waits = 1;
            announce(file + number, offset + number, length + number, count - number);
        }
        if (!fill(file[number], at + found, size - found, offset[number] + found))
            break;
        if (checksums.buf &&
            hash(accumulate, at, (size_t)size, NULL) != ((const uint64_t *)checksums.buf)[number])
            break;
        at += size;
    }
    Py_END_ALLOW_THREADS
    result = PyLong_FromSsize_t(number);
    PyBuffer_Release(&out);
without_out:
    if (checksums.buf)
        PyBuffer_Release(&checksums);
without_checksums:
    PyBuffer_Release(&sizes);
without_sizes:
    PyBuffer_Release(&offsets);
without_offsets:
    PyBuffer_Release(&files);
    return result;
}

/* ---- Looking ------------------------------------------------------------------------------- */

static Py_ssize_t count_sound(const Py_buffer *pieces, const uint64_t *checksums, Py_ssize_t count)
{
    Accumulate *accumulate = fastest();
    Py_ssize_t number;

    for (number = 0; number < count; number++) {
        const Py_buffer *piece = pieces + number, *next = piece + (number + 1 < count);
        if (hash(accumulate, piece->buf, (size_t)piece->len, next->buf) != checksums[number])
            break;
    }
    return number;
}

PyDoc_STRVAR(look_doc,
             "look(files, offsets, sizes, checksums) -> the samples, up to the first that is not as\n"
             "it was written\n"
             "\n"
             "A list of memoryviews of whole files, int64, int64 and uint64, one of each for a\n"
             "sample; the checksums may be None. Nothing is copied.");

static PyObject *native_look(PyObject *self, PyObject *args)
{
    PyObject *files, *given[3], *pieces = NULL, *result = NULL;
    Py_buffer offsets, sizes, checksums, *views = NULL;
    Py_ssize_t count, held = 0, sound;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!OOO", &PyList_Type, &files, &given[0], &given[1], &given[2]))
        return NULL;
    count = PyList_Size(files);
    if (!get(given[0], &offsets, PyBUF_SIMPLE, 8 * count, "offsets"))
        return NULL;
    if (!get(given[1], &sizes, PyBUF_SIMPLE, 8 * count, "sizes"))
        goto without_sizes;
    memset(&checksums, 0, sizeof checksums);
    if (given[2] != Py_None && !get(given[2], &checksums, PyBUF_SIMPLE, 8 * count, "checksums"))
        goto without_checksums;
    pieces = PyList_New(count);
    views = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *views);
    if (!pieces || !views) {
        PyErr_NoMemory();
        goto done;
    }
    for (; held < count; held++) {
        int64_t offset = ((const int64_t *)offsets.buf)[held];
        int64_t size = ((const int64_t *)sizes.buf)[held];
        PyObject *file = PyList_GetItem(files, held), *piece;

        if (offset < 0 || size < LEAST || size > PY_SSIZE_T_MAX - offset) {
            PyErr_SetString(PyExc_ValueError,
                            "a sample has more than 240 bytes, from an offset that is not negative on");
            goto done;
        }
        piece = file ? PySequence_GetSlice(file, (Py_ssize_t)offset, (Py_ssize_t)(offset + size))
                     : NULL;
        if (!piece || PyList_SetItem(pieces, held, piece) < 0 ||
            PyObject_GetBuffer(piece, views + held, PyBUF_SIMPLE) < 0)
            goto done;
        if (views[held].len != size) {                   /* the file ends before */
            PyBuffer_Release(views + held);
            break;
        }
    }
    sound = held;
    if (checksums.buf) {
        Py_BEGIN_ALLOW_THREADS
        sound = count_sound(views, checksums.buf, held);
        Py_END_ALLOW_THREADS
    }
    result = sound < count ? PyList_GetSlice(pieces, 0, sound) : Py_NewRef(pieces);
done:
    while (held > 0)
        PyBuffer_Release(views + --held);
    PyMem_Free(views);
    Py_XDECREF(pieces);
    if (checksums.buf)
        PyBuffer_Release(&checksums);
without_checksums:
    PyBuffer_Release(&sizes);
without_sizes:
    PyBuffer_Release(&offsets);
    return result;
}

PyDoc_STRVAR(hash_doc, "hash(data) -> XXH3 of more than 240 bytes, as `read` computes it, and the\n"
                       "same where the processor has no wide registers");

static PyObject *native_hash(PyObject *self, PyObject *data)
{
    Py_buffer from;
    uint64_t wide, plain;

    (void)self;
    if (!get(data, &from, PyBUF_SIMPLE, -1, "data"))
        return NULL;
    if (from.len < LEAST) {
        PyBuffer_Release(&from);
        PyErr_SetString(PyExc_ValueError, "data: expected more than 240 bytes");
        return NULL;
    }
    wide = hash(fastest(), from.buf, (size_t)from.len, NULL);
    plain = hash(accumulate_plain, from.buf, (size_t)from.len, from.buf);
    PyBuffer_Release(&from);
    return Py_BuildValue("KK", (unsigned long long)wide, (unsigned long long)plain);
}

static PyMethodDef methods[] = {
    {"read", native_read, METH_VARARGS, read_doc},
    {"look", native_look, METH_VARARGS, look_doc},
    {"hash", native_hash, METH_O, hash_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_read", "Reads many samples at once.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__read(void)
{
    return PyModuleDef_Init(&module);
}
