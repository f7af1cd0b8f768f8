/* Reads many samples into memory, or slices them out of mapped files, and compares each with its
 * checksum. The interpreter's lock is released while this runs.
 *
 * The checksum is XXH3 with 64 bits and seed 0, computed by the official header in
 * third_party/xxhash. A sample is hashed right after it was read, while it is in the processor's
 * cache. From the first sample that is not in the page cache on, all are requested at once, so that
 * the disk works on many at a time.
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

#if defined(__GNUC__)
#pragma GCC visibility push(hidden) /* no other library's xxHash may take the place of this one */
#endif
#define XXH_INLINE_ALL
#if defined(__x86_64__) && defined(__GNUC__)
#define XXH_DISPATCH_AVX512 0 /* no faster in cache, slower from memory: ADR 17 */
#include "xxh_x86dispatch.c"
#define hash_bytes XXH3_64bits_dispatch
#else
#include "xxhash.h"
#define hash_bytes XXH3_64bits
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#define READAHEAD (1 << 17) /* bytes */
#define HEAD (1 << 10)      /* bytes of the next sample to prefetch; 512 to 2048 are as fast */
#define CACHE_LINE 64       /* bytes */

/* ---- Reading ------------------------------------------------------------------------------- */

/* All `size` bytes from `offset` on; 0 if the file ends before or cannot be read. */
static int read_bytes(int file, unsigned char *out, int64_t size, int64_t offset)
{
    while (size > 0) {
        ssize_t count = pread(file, out, (size_t)size, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return 0;
        out += count;
        offset += count;
        size -= count;
    }
    return 1;
}

/* As many bytes of a sample as the page cache has, without waiting for a disk; their number. */
static int64_t read_cached_bytes(int file, unsigned char *out, int64_t size, int64_t offset)
{
#ifdef RWF_NOWAIT
    struct iovec into = {out, (size_t)size};
    ssize_t count = preadv2(file, &into, 1, (off_t)offset, RWF_NOWAIT);

    return count < 0 ? 0 : count;
#else
    (void)file, (void)out, (void)size, (void)offset;
    return 0;
#endif
}

/* Request samples before waiting for any of them, so that the disk works on all of them at once.
 * Linux reads at most a device's read-ahead per call; READAHEAD is its smallest usual value. */
static void request_samples(const int32_t *files, const int64_t *offsets, const int64_t *sizes,
                            Py_ssize_t count)
{
#ifdef POSIX_FADV_WILLNEED
    Py_ssize_t index;
    int64_t start;

    for (index = 0; index < count; index++)
        for (start = 0; start < sizes[index]; start += READAHEAD) {
            int64_t left = sizes[index] - start;
            posix_fadvise(files[index], (off_t)(offsets[index] + start),
                          (off_t)(left < READAHEAD ? left : READAHEAD), POSIX_FADV_WILLNEED);
        }
#else
    (void)files, (void)offsets, (void)sizes, (void)count;
#endif
}

/* Get the buffer of an argument; `size` -1 accepts any. 0 with an exception that names it. */
static int get_buffer(PyObject *from, Py_buffer *into, int flags, Py_ssize_t size,
                      const char *name)
{
    if (PyObject_GetBuffer(from, into, flags) < 0)
        return 0;
    if (size < 0 || into->len == size)
        return 1;
    PyErr_Format(PyExc_ValueError, "%s: expected %zd bytes, got %zd", name, size, into->len);
    PyBuffer_Release(into);
    return 0;
}

/* Samples that were read and match their checksums, up to the first that does not. */
static Py_ssize_t read_samples(const int32_t *files, const int64_t *offsets, const int64_t *sizes,
                               const uint64_t *checksums, Py_ssize_t count, unsigned char *out)
{
    Py_ssize_t index;
    int requested = 0;

    for (index = 0; index < count; index++) {
        int64_t size = sizes[index], cached = 0;

        if (offsets[index] < 0) /* to preadv2, -1 is the file's current position */
            break;
        if (!requested)
            cached = read_cached_bytes(files[index], out, size, offsets[index]);
        if (cached < size && !requested) {
            requested = 1;
            request_samples(files + index, offsets + index, sizes + index, count - index);
        }
        if (!read_bytes(files[index], out + cached, size - cached, offsets[index] + cached))
            break;
        if (checksums && hash_bytes(out, (size_t)size) != checksums[index])
            break;
        out += size;
    }
    return index;
}

PyDoc_STRVAR(read_doc,
             "read(files, offsets, sizes, checksums, out) -> number of samples read\n"
             "\n"
             "Stops at the first sample that cannot be read or does not match its checksum. One\n"
             "int32 (a file descriptor), int64, int64 and uint64 per sample; checksums may be\n"
             "None. Samples are written to `out` one after the other.");

static PyObject *native_read(PyObject *self, PyObject *args)
{
    PyObject *arguments[5], *result = NULL;
    Py_buffer files, offsets, sizes, checksums, out;
    Py_ssize_t count, index;
    int64_t total = 0;

    (void)self;
    if (!PyArg_ParseTuple(args, "OOOOO", &arguments[0], &arguments[1], &arguments[2],
                          &arguments[3], &arguments[4]))
        return NULL;
    if (!get_buffer(arguments[0], &files, PyBUF_SIMPLE, -1, "files"))
        return NULL;
    count = files.len / (Py_ssize_t)sizeof(int32_t);
    if (!get_buffer(arguments[1], &offsets, PyBUF_SIMPLE, 8 * count, "offsets"))
        goto without_offsets;
    if (!get_buffer(arguments[2], &sizes, PyBUF_SIMPLE, 8 * count, "sizes"))
        goto without_sizes;
    memset(&checksums, 0, sizeof checksums);
    if (arguments[3] != Py_None &&
        !get_buffer(arguments[3], &checksums, PyBUF_SIMPLE, 8 * count, "checksums"))
        goto without_checksums;
    for (index = 0; index < count; index++) {
        int64_t size = ((const int64_t *)sizes.buf)[index];
        if (size < 0 || size > PY_SSIZE_T_MAX - total) {
            PyErr_SetString(PyExc_ValueError, "sizes: negative, or more in all than memory holds");
            goto without_out;
        }
        total += size;
    }
    if (!get_buffer(arguments[4], &out, PyBUF_WRITABLE, (Py_ssize_t)total, "out"))
        goto without_out;
    Py_BEGIN_ALLOW_THREADS
    index = read_samples(files.buf, offsets.buf, sizes.buf, checksums.buf, count, out.buf);
    Py_END_ALLOW_THREADS
    result = PyLong_FromSsize_t(index);
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

/* ---- Slices of mapped files ---------------------------------------------------------------- */

/* Samples that match their checksums, up to the first that does not. The processor fetches the
 * beginning of the next sample while it hashes this one: what follows it predicts, a jump it does
 * not. */
static Py_ssize_t count_valid(const Py_buffer *samples, const uint64_t *checksums,
                              Py_ssize_t count)
{
    Py_ssize_t index;

    for (index = 0; index < count; index++) {
        if (index + 1 < count) {
            const Py_buffer *next = samples + index + 1;
            Py_ssize_t head = next->len < HEAD ? next->len : HEAD, offset;

            for (offset = 0; offset < head; offset += CACHE_LINE)
                __builtin_prefetch((const unsigned char *)next->buf + offset);
        }
        if (hash_bytes(samples[index].buf, (size_t)samples[index].len) != checksums[index])
            break;
    }
    return index;
}

PyDoc_STRVAR(view_doc,
             "view(files, offsets, sizes, checksums) -> memoryviews of samples\n"
             "\n"
             "Stops at the first sample that is not in its file or does not match its checksum. A\n"
             "list with a memoryview of a whole file, int64, int64 and uint64 per sample;\n"
             "checksums may be None. Nothing is copied.");

static PyObject *native_view(PyObject *self, PyObject *args)
{
    PyObject *files, *arguments[3], *slices = NULL, *result = NULL;
    Py_buffer offsets, sizes, checksums, *buffers = NULL;
    Py_ssize_t count, held = 0, valid;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!OOO", &PyList_Type, &files, &arguments[0], &arguments[1],
                          &arguments[2]))
        return NULL;
    count = PyList_Size(files);
    if (!get_buffer(arguments[0], &offsets, PyBUF_SIMPLE, 8 * count, "offsets"))
        return NULL;
    if (!get_buffer(arguments[1], &sizes, PyBUF_SIMPLE, 8 * count, "sizes"))
        goto without_sizes;
    memset(&checksums, 0, sizeof checksums);
    if (arguments[2] != Py_None &&
        !get_buffer(arguments[2], &checksums, PyBUF_SIMPLE, 8 * count, "checksums"))
        goto without_checksums;
    slices = PyList_New(count);
    buffers = PyMem_Malloc((size_t)(count ? count : 1) * sizeof *buffers);
    if (!slices || !buffers) {
        PyErr_NoMemory();
        goto done;
    }
    for (; held < count; held++) {
        int64_t offset = ((const int64_t *)offsets.buf)[held];
        int64_t size = ((const int64_t *)sizes.buf)[held];
        PyObject *file = PyList_GetItem(files, held), *slice;

        if (offset < 0 || size < 0 || size > PY_SSIZE_T_MAX - offset) {
            PyErr_SetString(PyExc_ValueError, "offsets, sizes: negative, or their sum too large");
            goto done;
        }
        slice = file ? PySequence_GetSlice(file, (Py_ssize_t)offset, (Py_ssize_t)(offset + size))
                     : NULL;
        if (!slice || PyList_SetItem(slices, held, slice) < 0 ||
            PyObject_GetBuffer(slice, buffers + held, PyBUF_SIMPLE) < 0)
            goto done;
        if (buffers[held].len != size) { /* the file ends before */
            PyBuffer_Release(buffers + held);
            break;
        }
    }
    valid = held;
    if (checksums.buf) {
        Py_BEGIN_ALLOW_THREADS
        valid = count_valid(buffers, checksums.buf, held);
        Py_END_ALLOW_THREADS
    }
    result = valid < count ? PyList_GetSlice(slices, 0, valid) : Py_NewRef(slices);
done:
    while (held > 0)
        PyBuffer_Release(buffers + --held);
    PyMem_Free(buffers);
    Py_XDECREF(slices);
    if (checksums.buf)
        PyBuffer_Release(&checksums);
without_checksums:
    PyBuffer_Release(&sizes);
without_sizes:
    PyBuffer_Release(&offsets);
    return result;
}

PyDoc_STRVAR(hash_doc, "xxh3_64(data) -> XXH3 of bytes, 64 bits, seed 0");

static PyObject *native_hash(PyObject *self, PyObject *data)
{
    Py_buffer from;
    uint64_t digest;

    (void)self;
    if (!get_buffer(data, &from, PyBUF_SIMPLE, -1, "data"))
        return NULL;
    digest = hash_bytes(from.buf, (size_t)from.len);
    PyBuffer_Release(&from);
    return PyLong_FromUnsignedLongLong(digest);
}

static PyMethodDef methods[] = {
    {"read", native_read, METH_VARARGS, read_doc},
    {"view", native_view, METH_VARARGS, view_doc},
    {"xxh3_64", native_hash, METH_O, hash_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_read", "Reads and checks many samples in one call.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__read(void)
{
    return PyModuleDef_Init(&module);
}
