/* Pixels as an encoder's input: the compiled twin of `normal.plain`, bit for bit.
 *
 * Bytes that lie side by side for each pixel become values in a plane for each channel, in one
 * pass and in single precision: (byte / whole - mean) / deviation, in this order. Nothing is
 * multiplied, so that no compiler joins two operations into one that rounds once. Everything that a
 * caller hands over is checked; loops run without the interpreter's lock.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
/* The loops are vectors of whatever width this processor has; the values are the same. */
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

#define CHANNELS 3
#define LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

typedef struct {
    float whole, mean[CHANNELS], deviation[CHANNELS];
} Normal;

typedef struct {
    const unsigned char *pixels;
    unsigned char *out;
    Py_ssize_t height, width, pitch, plane, row; /* in pixels; the others in bytes */
} Picture;

/* Half of a float's bits, rounded to the nearest, of two to the even one. */
static inline uint16_t to_half(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float normal_of(unsigned byte, const Normal *normal, int channel)
{
    return ((float)(int)byte / normal->whole - normal->mean[channel]) / normal->deviation[channel];
}

/* One row of pixels of `step` bytes. `step` and `whole` are known where these are called, and what
 * is divided by 1 is not divided. */
#define ROW(name, type, value)                                                                     \
    static inline __attribute__((always_inline)) void name(                                        \
        const unsigned char *pixels, Py_ssize_t width, int step, const Normal *normal,             \
        type *restrict red, type *restrict green, type *restrict blue)                             \
    {                                                                                              \
        for (Py_ssize_t x = 0; x < width; x++) {                                                   \
            const unsigned char *at = pixels + x * step;                                           \
            uint32_t word = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;        \
                                                                                                   \
            if (step == 4 && LITTLE)                                                               \
                memcpy(&word, at, sizeof word); /* the same, in one piece */                       \
            red[x] = value(normal_of(word & 255, normal, 0));                                      \
            green[x] = value(normal_of(word >> 8 & 255, normal, 1));                               \
            blue[x] = value(normal_of(word >> 16 & 255, normal, 2));                               \
        }                                                                                          \
    }

#define SAME(value) (value)
ROW(row_of_floats, float, SAME)
ROW(row_of_halves, uint16_t, to_half)

#define PICTURE(name, type, row_of, step)                                                          \
    WIDE static void name(const Picture *picture, const Normal *given)                             \
    {                                                                                              \
        Normal normal = *given, undivided = *given;                                                \
                                                                                                   \
        undivided.whole = 1.0f;                                                                    \
        for (Py_ssize_t y = 0; y < picture->height; y++) {                                         \
            const unsigned char *pixels = picture->pixels + y * picture->pitch;                    \
            unsigned char *out = picture->out + y * picture->row;                                  \
            type *red = (type *)out, *green = (type *)(out + picture->plane);                      \
            type *blue = (type *)(out + 2 * picture->plane);                                       \
                                                                                                   \
            if (normal.whole == 1.0f)                                                              \
                row_of(pixels, picture->width, step, &undivided, red, green, blue);                \
            else                                                                                   \
                row_of(pixels, picture->width, step, &normal, red, green, blue);                   \
        }                                                                                          \
    }

PICTURE(floats_of_3, float, row_of_floats, 3)
PICTURE(floats_of_4, float, row_of_floats, 4)
PICTURE(halves_of_3, uint16_t, row_of_halves, 3)
PICTURE(halves_of_4, uint16_t, row_of_halves, 4)

static int fits(const Py_buffer *pixels, const Py_buffer *out)
{
    if (pixels->ndim != 3 || pixels->itemsize != 1 || pixels->strides[2] != 1 ||
        (pixels->shape[2] != 3 && pixels->shape[2] != 4) ||
        pixels->strides[1] != pixels->shape[2]) {
        PyErr_SetString(PyExc_ValueError, "pixels: expected bytes [height, width, 3 or 4]");
        return 0;
    }
    if (out->ndim != 3 || (out->itemsize != 4 && out->itemsize != 2) ||
        out->strides[2] != out->itemsize || out->strides[1] % out->itemsize ||
        out->strides[0] % out->itemsize || (uintptr_t)out->buf % (size_t)out->itemsize ||
        out->shape[0] != CHANNELS || out->shape[1] != pixels->shape[0] ||
        out->shape[2] != pixels->shape[1]) {
        PyErr_SetString(PyExc_ValueError, "out: expected values [3, height, width] of the pixels");
        return 0;
    }
    return 1;
}

static PyObject *native_normalise(PyObject *self, PyObject *args)
{
    Py_buffer pixels = {0}, out = {0};
    PyObject *from, *to, *result = NULL;
    Normal n;

    (void)self;
    if (!PyArg_ParseTuple(args, "OOf(fff)(fff)", &from, &to, &n.whole, &n.mean[0], &n.mean[1],
                          &n.mean[2], &n.deviation[0], &n.deviation[1], &n.deviation[2]))
        return NULL;
    if (PyObject_GetBuffer(from, &pixels, PyBUF_STRIDES) == 0 &&
        PyObject_GetBuffer(to, &out, PyBUF_STRIDES | PyBUF_WRITABLE) == 0 && fits(&pixels, &out)) {
        int whole_words = pixels.strides[1] == 4;
        Picture picture = {pixels.buf, out.buf, pixels.shape[0], pixels.shape[1],
                           pixels.strides[0], out.strides[0], out.strides[1]};

        Py_BEGIN_ALLOW_THREADS
        if (out.itemsize == 4)
            (whole_words ? floats_of_4 : floats_of_3)(&picture, &n);
        else
            (whole_words ? halves_of_4 : halves_of_3)(&picture, &n);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    }
    if (out.obj)
        PyBuffer_Release(&out);
    if (pixels.obj)
        PyBuffer_Release(&pixels);
    return result;
}

static PyMethodDef methods[] = {
    {"normalise", native_normalise, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_normalise", "The compiled kernel of shards.glamm.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__normalise(void)
{
    return PyModuleDef_Init(&module);
}
